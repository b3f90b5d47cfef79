// Package pgtest gives the tests of one binary a private PostgreSQL cluster, and each test databases of its own.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// databaseTimeout bounds the making or dropping of one database; both take some 30 ms on a quiet machine.
const databaseTimeout = 30 * time.Second

// errNoMain is what a test gets whose binary has no one to stop the cluster.
var errNoMain = errors.New("no pgtest.Main: the package needs `func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }`")

// shared is the cluster of this binary. It starts with the first call of DSN, so that a run of
// other tests pays nothing; one for all of them because starting one takes a second.
var shared struct {
	mu        sync.Mutex
	running   bool // Main has not returned yet.
	cluster   *cluster
	err       error
	databases int
}

// template is what Copy copies; there is one because this project has one schema.
var template struct {
	once sync.Once
	name string
	err  error
}

// Main runs the tests and then stops the cluster, if one of them asked for it, and removes its files. Call it from
// TestMain. When the binary dies without returning here the kernel stops the cluster (on Linux), and the next cluster
// that starts on this machine removes the files.
func Main(m *testing.M) int {
	shared.mu.Lock()
	shared.running = true
	shared.mu.Unlock()

	code := m.Run()

	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.running = false
	if shared.cluster == nil {
		return code
	}
	if err := shared.cluster.stop(); err != nil {
		fmt.Println("pgtest: stop PostgreSQL:", err) //nolint:forbidigo // Nobody is left to hand the error to.
		return max(code, 1)
	}
	return code
}

// DSN returns the postgres:// address of a fresh, empty database that is dropped when the test ends, whoever is still
// connected. It may be called from several tests at once. The cluster listens on a Unix socket only, asks for no
// password and does not sync to disk. Without PostgreSQL on the machine the test fails and says what to install.
func DSN(tb testing.TB) string {
	tb.Helper()
	return copyOf(tb, "template0")
}

// Copy is DSN for a database that prepare has filled. It is asked once in this binary, with the address of an empty
// database that it must have left when it returns; each call gets a copy, which costs no more than an empty one.
func Copy(tb testing.TB, prepare func(ctx context.Context, dsn string) error) string {
	tb.Helper()
	template.once.Do(func() {
		cluster, name, err := reserve()
		if err != nil {
			template.err = err
			return
		}
		template.name = name
		ctx := context.WithoutCancel(tb.Context())
		template.err = cluster.execute(ctx, "CREATE DATABASE "+name+" TEMPLATE template0")
		if template.err == nil {
			template.err = prepare(ctx, cluster.dsn(name))
		}
	})
	if template.err != nil {
		tb.Fatalf("prepare a database: %v", template.err)
	}
	return copyOf(tb, template.name)
}

func copyOf(tb testing.TB, origin string) string {
	tb.Helper()
	cluster, name, err := reserve()
	if err != nil {
		tb.Fatalf("start PostgreSQL: %v", err)
	}
	if err := cluster.execute(tb.Context(), "CREATE DATABASE "+name+" TEMPLATE "+origin); err != nil {
		tb.Fatalf("create database: %v", err)
	}
	tb.Cleanup(func() {
		// The test's own context is over by now.
		if err := cluster.execute(context.WithoutCancel(tb.Context()), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Errorf("drop database: %v", err)
		}
	})
	return cluster.dsn(name)
}

// reserve returns the running cluster and a database name that nobody else has.
func reserve() (*cluster, string, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.running {
		return nil, "", errNoMain
	}
	if shared.cluster == nil && shared.err == nil {
		shared.cluster, shared.err = start()
	}
	if shared.err != nil {
		return nil, "", shared.err
	}
	shared.databases++
	return shared.cluster, fmt.Sprintf("test_%d", shared.databases), nil
}

// execute runs one statement outside a transaction, on a connection of its own.
func (c *cluster) execute(ctx context.Context, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.dsn("postgres"))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}
