package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// role is the cluster's superuser and only user.
	role = "busbar"
	// startTimeout bounds initdb and the server's start together. They take about a second; a machine that compiles
	// something else meanwhile needs more.
	startTimeout = 90 * time.Second
	// stopTimeout bounds a fast shutdown, which has nothing to write.
	stopTimeout = 30 * time.Second
	// socketPathMax is what the kernel's sockaddr_un holds, less the name of PostgreSQL's socket.
	socketPathMax = 107 - len("/.s.PGSQL.5432.lock")
)

// cluster is one PostgreSQL server with its files.
type cluster struct {
	dir  directory
	bin  string
	user account
	quit func() error  // asks the server to stop, dropping connections
	done chan struct{} // closed when the server has ended
	err  error         // why it ended; valid once done is closed
}

// start makes a cluster in a new directory and returns when it answers. What it leaves is the caller's to stop.
func start() (_ *cluster, err error) {
	bin, err := binaries("/usr/lib/postgresql/*/bin", os.Getenv("PATH"))
	if err != nil {
		return nil, err
	}
	user, err := serverUser()
	if err != nil {
		return nil, err
	}
	dir, err := newDirectory(user)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, dir.remove())
		}
	}()

	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := initialise(ctx, bin, dir, user); err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, bin: bin, user: user}
	if err := c.launch(); err != nil {
		return nil, err
	}
	if err := c.ready(ctx); err != nil {
		return nil, errors.Join(err, c.halt(), dir.logTail())
	}
	return c, nil
}

// initialise writes the cluster's files. Trust needs no password because only the directory's owner reaches the socket.
func initialise(ctx context.Context, bin string, dir directory, user account) error {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata="+dir.data(), "--username="+role, //nolint:gosec // G204: the path comes from the machine's own PostgreSQL.
		"--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	cmd.Dir, cmd.Env, cmd.SysProcAttr = dir.path, environment(), asUser(user)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run initdb: %w: %s", err, out)
	}
	return nil
}

// launch starts the server as a child that the kernel stops with this process.
func (c *cluster) launch() error {
	log, err := os.OpenFile(c.dir.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("create log: %w", err)
	}
	cmd := exec.Command(filepath.Join(c.bin, "postgres"), "-D", c.dir.data(), "-k", c.dir.path, "-p", "5432", //nolint:gosec,noctx // G204 as above; the server outlives every context and ends with stop.
		"-c", "listen_addresses=",
		// The cluster never outlives its test binary: a torn page cannot be seen by anyone.
		"-c", "fsync=off", "-c", "full_page_writes=off",
		// A Temporal server alone opens 30 connections a service, and test packages run stores beside it.
		"-c", "max_connections=300",
		"-c", "timezone=UTC", "-c", "log_timezone=UTC")
	cmd.Dir, cmd.Env, cmd.SysProcAttr = c.dir.path, environment(), withParent(asUser(c.user))
	cmd.Stdout, cmd.Stderr = log, log
	// The server holds the lock too, so that nobody sweeps the directory while it is still dying.
	cmd.ExtraFiles = []*os.File{c.dir.lock}

	started := make(chan error)
	c.done, c.err = make(chan struct{}), nil
	go func() {
		defer close(c.done)
		runBound(func() {
			err := cmd.Start()
			started <- err
			if err == nil {
				c.err = cmd.Wait()
			}
		})
	}()
	err = errors.Join(<-started, log.Close())
	if err != nil {
		return fmt.Errorf("run postgres: %w", err)
	}
	c.quit = func() error { return cmd.Process.Signal(os.Interrupt) }
	return nil
}

// ready returns when the server takes connections, or with the reason that it never will.
func (c *cluster) ready(ctx context.Context) error {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := pgx.Connect(ctx, c.dsn("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-c.done:
			return fmt.Errorf("wait for postgres: it ended: %w", c.err)
		case <-ctx.Done():
			return fmt.Errorf("wait for postgres: %w", err)
		case <-again.C:
		}
	}
}

// stop ends the server and removes the cluster's files.
func (c *cluster) stop() error {
	return errors.Join(c.halt(), c.dir.remove())
}

// halt ends the server; one that ended by itself is an error.
func (c *cluster) halt() error {
	if err := c.quit(); err != nil {
		<-c.done
		return fmt.Errorf("signal postgres: %w", errors.Join(err, c.err))
	}
	deadline := time.NewTimer(stopTimeout)
	defer deadline.Stop()
	select {
	case <-c.done:
		return c.err
	case <-deadline.C:
		return fmt.Errorf("stop postgres: still running after %v", stopTimeout)
	}
}

// dsn names a database of the cluster. The port is given because PGPORT would otherwise be read from the environment.
func (c *cluster) dsn(database string) string {
	address := url.URL{
		Scheme: "postgres", User: url.User(role), Path: "/" + database,
		RawQuery: url.Values{"host": {c.dir.path}, "port": {"5432"}}.Encode(),
	}
	return address.String()
}

// environment is the server's: nothing of the caller's PG* variables or locale reaches it.
func environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
}
