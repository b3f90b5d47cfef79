package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"busbar/web"
)

// surface is the HTTP listener of a process.
type surface struct {
	listener net.Listener
	server   *http.Server
	failed   chan error
}

// listen takes the address early, so that one that is taken is known before anything else starts.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	if addr == "" {
		return nil, errors.New("--addr: it is empty; it must look like 127.0.0.1:8080")
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("--addr: %w", err)
	}
	return l, nil
}

// publicURL is where people reach a listener.
func publicURL(flag string, l net.Listener) string {
	if flag != "" {
		return flag
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return "http://" + l.Addr().String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

func serveHTTP(l net.Listener, h http.Handler, logger *slog.Logger) *surface {
	s := &surface{listener: l, server: web.HTTPServer(h, logger), failed: make(chan error, 1)}
	go func() {
		err := s.server.Serve(l)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		s.failed <- err
	}()
	return s
}

// shutdownTime is what requests under way get to finish.
const shutdownTime = 2 * time.Second

// close stops listening and waits for requests under way, but not for long.
func (s *surface) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.server.Close()
	}
	return errors.Join(err, <-s.failed)
}

// wait returns when the context ends or the listener fails.
func (s *surface) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.failed:
		s.failed <- nil
		return err
	}
}
