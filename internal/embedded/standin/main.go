// Command standin runs the embedded Temporal server on its own, as a stand-in for a cluster in tests of several
// processes. It prints "ready ADDR" once it takes calls and stops on SIGTERM or SIGINT.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"busbar/internal/embedded"
)

const stopTimeout = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("standin", flag.ContinueOnError)
	flags.SetOutput(stderr)
	postgres := flags.String("postgres", "", "PostgreSQL URL to keep everything in, instead of --data")
	data := flags.String("data", "", "directory for SQLite files")
	addr := flags.String("addr", "127.0.0.1:0", "frontend address")
	ui := flags.String("ui", embedded.UIOff, "web UI address, or off")
	namespace := flags.String("namespace", "default", "namespace to create")
	if err := flags.Parse(args); err != nil {
		return err
	}
	server, err := embedded.Start(ctx, embedded.Config{
		DataDir:      *data,
		PostgresDSN:  *postgres,
		FrontendAddr: *addr,
		UIAddr:       *ui,
		Namespace:    *namespace,
		Logger:       slog.New(slog.NewTextHandler(stderr, nil)),
	})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(stdout, "ready", server.FrontendAddr()); err != nil {
		return err
	}
	<-ctx.Done()
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return server.Stop(stopCtx)
}
