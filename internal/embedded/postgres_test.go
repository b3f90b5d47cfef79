//go:build !lean

package embedded_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.temporal.io/sdk/client"

	"busbar/internal/temporal"
)

func TestServerOnPostgres(t *testing.T) {
	t.Parallel()
	cfg := config(t, "")
	cfg.PostgresDSN = startPostgres(t)
	server := start(t, cfg)
	c := dial(t, server.FrontendAddr())
	if err := temporal.Prepare(t.Context(), c, "other"); err != nil {
		t.Fatalf("Prepare a new namespace: %v", err)
	}
	worker := startWorker(t, c)
	runWorkflows(t, c)
	awaitList(t, c, "DeviceId = 'dev_1'", []string{"greet-1"})
	awaitList(t, c, temporal.FailingQuery("ep_down"), []string{"wait-1"})
	worker.Stop()
	c.Close()
	stop(t, server)

	server = start(t, cfg)
	defer stop(t, server)
	c = dial(t, server.FrontendAddr())
	defer c.Close()
	checkFinishes(t, c)
	if _, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{TaskQueue: taskQueue}, greet, "again"); err != nil {
		t.Errorf("start after restart: %v", err)
	}
}

// startPostgres runs a cluster of its own on a unix socket and returns a URL in it. PostgreSQL refuses to run as root,
// so root does it as the user postgres.
func startPostgres(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // t.TempDir lies in a directory that only its owner enters
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	var as []string
	user := "postgres"
	if os.Getuid() == 0 {
		as = []string{"runuser", "-u", user, "--"}
		if err := exec.CommandContext(t.Context(), "chown", user, dir).Run(); err != nil {
			t.Fatalf("give directory to %s: %v", user, err)
		}
	}
	run := func(ctx context.Context, name string, args ...string) {
		t.Helper()
		line := append(append(as, postgresProgram(t, name)), args...)
		command := exec.CommandContext(ctx, line[0], line[1:]...)
		command.Dir = dir
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, output)
		}
	}
	data := filepath.Join(dir, "data")
	run(t.Context(), "initdb", "-D", data, "-U", user, "-A", "trust", "--no-sync")
	run(t.Context(), "pg_ctl", "-D", data, "-w", "-l", filepath.Join(dir, "log"),
		"-o", fmt.Sprintf("-c listen_addresses='' -k %s -c fsync=off", dir), "start")
	t.Cleanup(func() { run(context.WithoutCancel(t.Context()), "pg_ctl", "-D", data, "-m", "immediate", "stop") })
	return fmt.Sprintf("postgres://%s@/busbar?host=%s", user, url.QueryEscape(dir))
}

// postgresProgram finds a program of PostgreSQL's server: Debian keeps them out of the path.
func postgresProgram(t *testing.T, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil || len(found) == 0 {
		t.Fatalf("PostgreSQL's %s is not installed", name)
	}
	return found[len(found)-1]
}
