package main

import (
	"context"
	"fmt"
	"io"
	"log" //nolint:depguard // to lead what libraries write there into slog
	"log/slog"
	"strings"

	"github.com/alecthomas/kong"
	"go.temporal.io/sdk/worker"
)

// cachedWorkflows is how many open workflows keep their place in memory between two tasks. A delivery that waits for
// its retry has none for hours, and a short history to start over from.
const cachedWorkflows = 256

// cli is the command line. Every flag has an environment variable, and a flag wins.
type cli struct {
	LogFormat string           `name:"log-format" env:"BUSBAR_LOG_FORMAT" enum:"text,json" default:"text" help:"Form of the log lines: text or json."`
	Version   kong.VersionFlag `help:"Print the version and end."`

	Dev     devCmd     `cmd:"" help:"Everything in one process, nothing else to install: embedded Temporal with its web UI, SQLite, API, workers."`
	Serve   serveCmd   `cmd:"" help:"API and dashboard against PostgreSQL and an external Temporal cluster; any number of copies."`
	Worker  workerCmd  `cmd:"" help:"Workers only; any number of copies."`
	Migrate migrateCmd `cmd:"" help:"Apply or list the database migrations."`
	Listen  listenCmd  `cmd:"" help:"For development: take deliveries to a local URL through a temporary endpoint."`
	Rules   rulesCmd   `cmd:"" help:"Rules as files: check them and run their tests."`
	Bench   benchCmd   `cmd:"" help:"Measure: a load generator and a receiver that verifies what it gets."`
	Probe   probeCmd   `cmd:"" hidden:"" help:"Ask a running copy whether it is ready; for health checks of containers."`
}

// env is what commands work with beside their flags.
type env struct {
	stdout, stderr io.Writer
	logger         *slog.Logger
}

// run is the program. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := parseAndRun(ctx, args, stdout, stderr)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "busbar: %s\n", oneLine(err))
	return 1
}

// oneLine puts an error of several lines, as drivers make them, on one.
func oneLine(err error) string {
	var parts []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.ReplaceAll(strings.Join(parts, "; "), ":; ", ": ")
}

// exited unwinds the parser when it has printed help or the version.
type exited struct{}

func parseAndRun(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(exited); !ok {
				panic(r)
			}
		}
	}()
	var c cli
	parser, err := kong.New(&c,
		kong.Name("busbar"),
		kong.Description("Durable event automation for home energy."),
		kong.Vars{"version": version},
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { panic(exited{}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		return fmt.Errorf("build command line: %w", err)
	}
	kctx, err := parser.Parse(args)
	if err != nil {
		return err //nolint:wrapcheck // the parser's words are for the user
	}
	e := env{stdout: stdout, stderr: stderr, logger: newLogger(stderr, c.LogFormat)}
	// Libraries that write to the standard logger may quote what strangers send.
	log.SetOutput(slog.NewLogLogger(e.logger.Handler(), slog.LevelDebug).Writer())
	kctx.BindTo(ctx, (*context.Context)(nil))
	// The cache is one for the whole process, made by the first worker: the embedded server has workers, too.
	worker.SetStickyWorkflowCacheSize(cachedWorkflows)
	return kctx.Run(e)
}

func newLogger(w io.Writer, format string) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}
