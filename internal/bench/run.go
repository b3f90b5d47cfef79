package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrInterrupted is returned, with the partial report, when the context ended before the run did.
var ErrInterrupted = errors.New("benchmark interrupted")

const (
	runIDLength = 8
	tidyTimeout = 10 * time.Second
)

// runner is one call of Run.
type runner struct {
	cfg Config
	id  string
	log *slog.Logger
}

// Run measures the chosen scenarios one after another and writes the report to stdout, each scenario when it is done or, as JSON,
// all at the end. It returns an error when events were lost, a webhook was badly signed or wrong, nothing was accepted or a
// scenario could not be run, and ErrInterrupted when the context ended; the report has what was measured in any case. Servers it
// started are ended and their data removed before it returns.
func Run(ctx context.Context, cfg Config, stdout io.Writer) (Report, error) {
	if err := cfg.validate(); err != nil {
		return Report{}, fmt.Errorf("check settings: %w", err)
	}
	steps, skipped, err := plan(cfg)
	if err != nil {
		return Report{}, fmt.Errorf("check settings: %w", err)
	}
	r := &runner{cfg: cfg, id: strings.ToLower(rand.Text()[:runIDLength]), log: cfg.Logger}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	report := Report{
		Started: time.Now().UTC().Truncate(time.Millisecond),
		Command: maskCommand(cfg.Command),
		Machine: thisMachine(cfg.dataDir()),
		Results: []Result{},
		Skipped: skipped,
	}
	out := &printer{w: stdout, json: cfg.JSON}
	out.text(report.head())
	runErr := r.steps(ctx, steps, &report, out)
	out.text(report.foot())
	return report, errors.Join(runErr, out.finish(report))
}

// steps appends a result for each step to the report. What a result shows broken does not keep the next step from running, a step
// that could not be run does.
func (r *runner) steps(ctx context.Context, steps []step, report *Report, out *printer) error {
	var problems []error
	for i, s := range steps {
		r.log.Info("scenario begins", "scenario", s.scenario, "endpoints", s.endpoints)
		result, err := r.step(ctx, i, s)
		report.Results = append(report.Results, result)
		out.text(result.text())
		if ctx.Err() != nil {
			report.Interrupted = true
			return errors.Join(append(problems, ErrInterrupted)...)
		}
		if err != nil {
			return errors.Join(append(problems, fmt.Errorf("run scenario %s: %w", s.scenario, err))...)
		}
		if err := result.broken(); err != nil {
			problems = append(problems, err)
		}
		if c := result.Care; r.cfg.Assert && c != nil && !c.Kept {
			problems = append(problems, fmt.Errorf("%s: the healthy endpoints did not keep a p99 of %s", s.scenario, duration(c.AimMs)))
		}
	}
	return errors.Join(problems...)
}

// step prepares a server, runs one scenario against it and leaves nothing behind.
func (r *runner) step(ctx context.Context, number int, s step) (result Result, err error) {
	result = Result{Scenario: s.scenario, Endpoints: s.endpoints, Payload: int64(r.cfg.Payload), Errors: map[string]int{}}
	b, err := r.openBed(ctx, fmt.Sprintf("bench-%s-%d-", r.id, number))
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	err = r.scenario(ctx, b, s, &result)
	if b.server != nil && !b.server.running() {
		err = errors.Join(err, fmt.Errorf("the server ended by itself; its last words:\n%s", b.server.output))
	}
	return result, err
}

func (r *runner) scenario(ctx context.Context, b *bed, s step, result *Result) error {
	switch s.scenario {
	case Idle:
		return r.idle(ctx, b, result)
	case Paced:
		return r.paced(ctx, b, s.endpoints, result)
	case Saturated:
		return r.saturated(ctx, b, s.endpoints, result)
	case Hanging:
		return r.hanging(ctx, b, s.endpoints, result)
	case Crash:
		return r.crash(ctx, b, result)
	case Pending:
		return r.pending(ctx, b, result)
	case Growth:
		return r.growth(ctx, b, result)
	case Telemetry:
		return r.telemetry(ctx, b, result)
	case Parked:
		return r.parked(ctx, b, result)
	case Care:
		return r.care(ctx, b, result)
	default:
		return fmt.Errorf("scenario %q cannot be run by itself", s.scenario)
	}
}

// dataDir is where data directories are made, empty when no server is started.
func (c Config) dataDir() string {
	if c.Target != "" {
		return ""
	}
	dir := c.Dir
	if dir == "" {
		dir = os.TempDir()
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	return absolute
}

// printer writes text as it comes, or JSON at the end, and keeps the first error.
type printer struct {
	w    io.Writer
	json bool
	err  error
}

func (p *printer) text(s string) {
	if p.json || p.err != nil {
		return
	}
	if _, err := io.WriteString(p.w, s); err != nil {
		p.err = fmt.Errorf("write report: %w", err)
	}
}

func (p *printer) finish(report Report) error {
	if p.json {
		return report.WriteJSON(p.w)
	}
	return p.err
}
