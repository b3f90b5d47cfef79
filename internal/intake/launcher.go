package intake

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Job is a workflow that is to be started or woken.
type Job interface {
	// LogAttr names it.
	LogAttr() slog.Attr
}

// Noted is where it is noted which workflows are to be started or woken.
type Noted[J Job] interface {
	// Claim gives up to limit of them that nobody has seen to, and keeps other processes off them for a while.
	Claim(ctx context.Context, limit int) ([]J, error)
	// Forget is called when one has been, unless that was noted again since.
	Forget(ctx context.Context, job J) error
}

// LauncherConfig says what a launcher works with.
type LauncherConfig[J Job] struct {
	Noted Noted[J]
	// Launch starts a workflow, or wakes it. That it has ended already is a success. An error means that Temporal could not be
	// asked.
	Launch  func(ctx context.Context, job J) error
	Workers int
	Now     func() time.Time
	Logger  *slog.Logger
}

// Launcher starts and wakes the workflows of actions, or those of rules: at once what this process has committed, by a sweep what
// a crash, another process or a Temporal that was away has left. As with the Starter, the table is the truth.
type Launcher[J Job] struct {
	cfg     LauncherConfig[J]
	queue   chan J
	breaker breaker

	// mu is held for reading by those who enqueue, so that nobody does after Close.
	mu     sync.RWMutex
	closed bool

	endSweep, endLaunches context.CancelFunc
	sweeping, launching   sync.WaitGroup
}

// NewLauncher starts the workers and the sweep; Close ends them.
func NewLauncher[J Job](cfg LauncherConfig[J]) *Launcher[J] {
	sweep, endSweep := context.WithCancel(context.Background())       //nolint:gosec // Close calls it
	launches, endLaunches := context.WithCancel(context.Background()) //nolint:gosec // Close calls it
	l := &Launcher[J]{
		cfg: cfg, queue: make(chan J, 4*cfg.Workers), breaker: breaker{now: cfg.Now}, endSweep: endSweep, endLaunches: endLaunches,
	}
	for range cfg.Workers {
		l.launching.Go(func() {
			for job := range l.queue {
				l.launch(launches, job)
			}
		})
	}
	l.sweeping.Go(func() { l.sweepUntil(sweep) })
	return l
}

// Close ends the sweep, launches what is queued while Temporal answers, and returns when all is quiet.
func (l *Launcher[J]) Close() {
	l.endSweep()
	l.sweeping.Wait()
	l.mu.Lock()
	l.closed = true
	close(l.queue)
	l.mu.Unlock()
	patience := time.AfterFunc(startTimeout, l.endLaunches)
	l.launching.Wait()
	patience.Stop()
	l.endLaunches()
}

// Enqueue has it done soon. It never waits: what finds no room is left to the sweep.
func (l *Launcher[J]) Enqueue(job J) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed || l.breaker.open() {
		return
	}
	select {
	case l.queue <- job:
	default:
	}
}

// launch reports whether Temporal answered.
func (l *Launcher[J]) launch(ctx context.Context, job J) bool {
	if l.breaker.open() {
		return false
	}
	callCtx, cancel := context.WithTimeout(ctx, startTimeout)
	err := l.cfg.Launch(callCtx, job)
	cancel()
	first := l.breaker.record(err == nil)
	if err != nil {
		level := slog.LevelDebug
		if first {
			level = slog.LevelWarn
		}
		l.cfg.Logger.LogAttrs(ctx, level, "could not start or wake a workflow; the sweep will", job.LogAttr(), slog.Any("error", err))
		return false
	}
	if err := l.cfg.Noted.Forget(context.WithoutCancel(ctx), job); err != nil {
		// The row stays, and the sweep wakes the workflow once more, which does nothing.
		l.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "could not forget a started workflow", job.LogAttr(), slog.Any("error", err))
	}
	return true
}

func (l *Launcher[J]) sweepUntil(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		l.sweep(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// sweep launches what others left, page by page, as long as Temporal answers.
func (l *Launcher[J]) sweep(ctx context.Context) {
	for ctx.Err() == nil && !l.breaker.open() {
		jobs, err := l.cfg.Noted.Claim(ctx, sweepPage)
		if err != nil {
			if ctx.Err() == nil {
				l.cfg.Logger.WarnContext(ctx, "could not look for unstarted workflows", "error", err)
			}
			return
		}
		for _, job := range jobs {
			if ctx.Err() != nil || !l.launch(ctx, job) {
				return
			}
		}
		if len(jobs) < sweepPage {
			return
		}
	}
}
