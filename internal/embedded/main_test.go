//go:build !lean

package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"busbar/internal/embedded"
	"busbar/internal/temporal"
)

// childDir names the data directory in the environment of a child process, which runs a server in it until it is killed.
const childDir = "EMBEDDED_TEST_CHILD_DIR"

const (
	namespace = "default"
	taskQueue = "test"
	greet     = "Greet"
	wait      = "Wait"
	retry     = "Retry"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := serveForever(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func serveForever(dir string) error {
	server, err := embedded.Start(context.Background(), embedded.Config{
		DataDir: dir, FrontendAddr: "127.0.0.1:0", Namespace: namespace,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	fmt.Println("ready", server.FrontendAddr())
	select {}
}

// startChild runs a server in a process of its own, which is killed at the end of the test at the latest.
func startChild(t *testing.T, dir string) (process *os.Process, addr string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), childDir+"="+dir)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("child was not ready: %v", err)
	}
	return command.Process, strings.TrimSpace(strings.TrimPrefix(line, "ready "))
}

// kill ends a process without giving it a chance to clean up.
func kill(t *testing.T, process *os.Process) {
	t.Helper()
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := process.Wait(); err != nil {
		t.Fatal(err)
	}
}

func config(t testing.TB, dir string) embedded.Config {
	t.Helper()
	return embedded.Config{
		DataDir:      dir,
		FrontendAddr: "127.0.0.1:0",
		UIAddr:       embedded.UIOff,
		Namespace:    namespace,
		Logger:       testLogger(t),
	}
}

func testLogger(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

func start(t testing.TB, cfg embedded.Config) *embedded.Server {
	t.Helper()
	server, err := embedded.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// stop fails the test unless the server ends within the ten seconds that an operator is promised.
func stop(t testing.TB, server *embedded.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	defer cancel()
	if err := server.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

func dial(t testing.TB, addr string) client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := temporal.Dial(ctx, temporal.Options{Addr: addr, Namespace: namespace, Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func greetWorkflow(ctx workflow.Context, name string) (string, error) {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{ScheduleToCloseTimeout: 5 * time.Second})
	var greeting string
	err := workflow.ExecuteLocalActivity(ctx, compose, name).Get(ctx, &greeting)
	return greeting, err
}

func compose(_ context.Context, name string) (string, error) { return "hello " + name, nil }

// waitWorkflow marks a failing endpoint and waits for the signal "go".
func waitWorkflow(ctx workflow.Context, endpoint string) error {
	key := temporal.NewKeys().FailingEndpoints
	if err := workflow.UpsertTypedSearchAttributes(ctx, key.ValueSet([]string{endpoint, "ep_other"})); err != nil {
		return err
	}
	workflow.GetSignalChannel(ctx, "go").Receive(ctx, nil)
	return nil
}

// retryWorkflow runs an activity that fails once and asks for its next try in an hour.
func retryWorkflow(ctx workflow.Context) (int32, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: 5 * time.Second})
	var calls int32
	err := workflow.ExecuteActivity(ctx, "FailOnce").Get(ctx, &calls)
	return calls, err
}

// failOnce returns how often it was called.
func failOnce() func(context.Context) (int32, error) {
	var calls atomic.Int32
	return func(context.Context) (int32, error) {
		n := calls.Add(1)
		if n == 1 {
			return n, sdktemporal.NewApplicationErrorWithOptions("not yet", "", sdktemporal.ApplicationErrorOptions{
				NextRetryDelay: time.Hour,
			})
		}
		return n, nil
	}
}

func startWorker(t testing.TB, c client.Client) worker.Worker {
	t.Helper()
	w := worker.New(c, taskQueue, worker.Options{})
	w.RegisterWorkflowWithOptions(greetWorkflow, workflow.RegisterOptions{Name: greet})
	w.RegisterWorkflowWithOptions(waitWorkflow, workflow.RegisterOptions{Name: wait})
	w.RegisterWorkflowWithOptions(retryWorkflow, workflow.RegisterOptions{Name: retry})
	w.RegisterActivityWithOptions(failOnce(), activity.RegisterOptions{Name: "FailOnce"})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	return w
}
