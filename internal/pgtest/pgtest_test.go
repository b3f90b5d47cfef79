package pgtest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"busbar/internal/pgtest"
)

// crashing makes the test binary start a cluster, print where, and panic: the child of TestPanicStopsTheServer.
const crashing = "BUSBAR_PGTEST_CRASH"

func TestMain(m *testing.M) {
	if os.Getenv(crashing) != "" {
		running, err := pgtest.Start()
		if err != nil {
			panic(err)
		}
		fmt.Println(running.DSN("postgres"))
		fmt.Println(running.Dir())
		panic("a test panics")
	}
	os.Exit(pgtest.Main(m))
}

func TestDSNGivesEachCallItsOwnDatabase(t *testing.T) {
	t.Parallel()
	first, second := connect(t, pgtest.DSN(t)), connect(t, pgtest.DSN(t))
	if _, err := first.Exec(t.Context(), "CREATE TABLE mine (id int)"); err != nil {
		t.Fatal(err)
	}
	_, err := second.Exec(t.Context(), "SELECT * FROM mine")
	if got := sqlState(err); got != "42P01" {
		t.Errorf("select from another database's table: %v, want an undefined table", err)
	}
}

func TestDSNServesTestsAtOnce(t *testing.T) {
	t.Parallel()
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			if _, err := connect(t, pgtest.DSN(t)).Exec(t.Context(), "CREATE TABLE mine (id int)"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestDSNDropsTheDatabaseUnderAnOpenConnection(t *testing.T) {
	t.Parallel()
	var dsn string
	t.Cleanup(func() { // Cleanups run last in, first out: this one after the drop.
		_, err := pgx.Connect(context.WithoutCancel(t.Context()), dsn)
		if got := sqlState(err); got != "3D000" {
			t.Errorf("connect after the drop: %v, want an unknown database", err)
		}
	})
	dsn = pgtest.DSN(t)
	if _, err := pgx.Connect(t.Context(), dsn); err != nil { // Left open on purpose.
		t.Fatal(err)
	}
}

func TestServerIsPrivateAndQuick(t *testing.T) {
	t.Parallel()
	conn := connect(t, pgtest.DSN(t))
	got := map[string]string{}
	for _, setting := range []string{"listen_addresses", "fsync", "server_encoding", "TimeZone"} {
		var value string
		if err := conn.QueryRow(t.Context(), "SELECT current_setting($1)", setting).Scan(&value); err != nil {
			t.Fatal(err)
		}
		got[setting] = value
	}
	want := map[string]string{"listen_addresses": "", "fsync": "off", "server_encoding": "UTF8", "TimeZone": "UTC"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestStopLeavesNothing(t *testing.T) {
	t.Parallel()
	running, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	connect(t, running.DSN("postgres"))
	if err := running.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if _, err := os.Stat(running.Dir()); !os.IsNotExist(err) {
		t.Errorf("directory after stop: %v, want it removed", err)
	}
	if _, err := pgx.Connect(t.Context(), running.DSN("postgres")); err == nil {
		t.Error("the server still answers after stop")
	}
}

func TestPanicStopsTheServerAndTheNextStartSweeps(t *testing.T) {
	t.Parallel()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashing+"=1")
	out, err := child.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("child: %v, want it to panic", err)
	}
	dsn, dir, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if dir == "" {
		t.Fatalf("child said %q and %s, want where its cluster is", out, exit.Stderr)
	}

	await(t, "the dead binary's server to end", func() bool {
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			return true
		}
		return conn.Close(t.Context()) != nil
	})
	await(t, "a next start to sweep the dead binary's files", func() bool {
		next, err := pgtest.Start()
		if err != nil {
			t.Fatal(err)
		}
		if err := next.Stop(); err != nil {
			t.Fatal(err)
		}
		_, err = os.Stat(dir)
		return os.IsNotExist(err)
	})
}

func TestStartSparesLivingClusters(t *testing.T) {
	t.Parallel()
	conn := connect(t, pgtest.DSN(t))
	other, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Ping(t.Context()); err != nil {
		t.Errorf("first cluster beside a second: %v", err)
	}
	if err := other.Stop(); err != nil {
		t.Error(err)
	}
	if err := conn.Ping(t.Context()); err != nil {
		t.Errorf("first cluster after the second: %v", err)
	}
}

func TestBinaries(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, dir := range []string{"9/bin", "16/bin", "17/bin", "path"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"initdb", "postgres"} {
			if dir == "17/bin" && name == "initdb" {
				continue // A server without initdb, as some packages ship it.
			}
			if err := os.WriteFile(filepath.Join(root, dir, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tc := range []struct{ name, pattern, path, want string }{
		{"highest complete version", "*/bin", "path", "16/bin"},
		{"path when there is no package", "none/*/bin", "path", "path"},
		{"nothing", "none/*/bin", "none", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := pgtest.Binaries(filepath.Join(root, tc.pattern), filepath.Join(root, tc.path))
			if tc.want == "" {
				if err == nil || !strings.Contains(err.Error(), "apt-get install postgresql") {
					t.Errorf("got %q, %v; want an error that says what to install", got, err)
				}
				return
			}
			if want := filepath.Join(root, tc.want); err != nil || got != want {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
		})
	}
}

// connect opens a connection that is closed with the test.
func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	// The server may have closed it before, by dropping its database.
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

// sqlState is the code of a server's error, or empty.
func sqlState(err error) string {
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok {
		return failure.Code
	}
	return ""
}

// await returns when done does, and fails the test after a time that only a defect needs.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-deadline.C:
			t.Fatal("timed out waiting for", what)
		}
	}
}
