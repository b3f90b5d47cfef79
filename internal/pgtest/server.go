package pgtest

import (
	"context"
	"testing"
)

// Server is a cluster of one test's own, which can be away for a while. Its methods are for one goroutine.
type Server struct {
	cluster *cluster
	up      bool
}

// NewServer starts a cluster beside the shared one, with a database. It ends with the test.
func NewServer(tb testing.TB) *Server {
	tb.Helper()
	c, err := start()
	if err != nil {
		tb.Fatalf("start PostgreSQL: %v", err)
	}
	s := &Server{cluster: c, up: true}
	tb.Cleanup(func() {
		s.Stop(tb)
		if err := c.dir.remove(); err != nil {
			tb.Errorf("remove PostgreSQL: %v", err)
		}
	})
	if err := c.execute(tb.Context(), "CREATE DATABASE "+role+" TEMPLATE template0"); err != nil {
		tb.Fatalf("create database: %v", err)
	}
	return s
}

// DSN is the postgres:// address of the server's database. It stays the same over Stop and Start.
func (s *Server) DSN() string { return s.cluster.dsn(role) }

// Stop ends the server, dropping its connections; its data stays. It does nothing when the server is stopped.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if !s.up {
		return
	}
	s.up = false
	if err := s.cluster.halt(); err != nil {
		tb.Errorf("stop PostgreSQL: %v", err)
	}
}

// Start starts the server again and returns when it answers.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	if err := s.cluster.launch(); err != nil {
		tb.Fatalf("start PostgreSQL: %v", err)
	}
	s.up = true
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	if err := s.cluster.ready(ctx); err != nil {
		tb.Fatalf("start PostgreSQL: %v", err)
	}
}
