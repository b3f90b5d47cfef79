package intake

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"busbar"
	"busbar/internal/store"
)

// Launch is an action whose workflow is to be started, or woken because the action has moved on.
type Launch struct {
	Environment busbar.Environment
	ActionID    busbar.ActionID
	DeviceID    busbar.DeviceID
	Command     string
	RuleID      string
	// Fresh: the action was made just now, so that its workflow cannot have started yet.
	Fresh bool
	// Noted is when it was noted that this is to be done.
	Noted time.Time
}

func newLaunch(a *busbar.Action, fresh bool, noted time.Time) Launch {
	return Launch{a.Environment, a.ID, a.DeviceID, a.Command, a.RuleID, fresh, noted}
}

// LaunchFunc starts the workflow of an action, or wakes it. That it has ended already is a success. An error means that
// Temporal could not be asked.
type LaunchFunc func(ctx context.Context, l Launch) error

// LauncherConfig says what a launcher works with.
type LauncherConfig struct {
	Store   *store.Store
	Launch  LaunchFunc
	Workers int
	Now     func() time.Time
	Logger  *slog.Logger
}

// Launcher starts and wakes the workflows of actions: at once what this process has committed, by a sweep what a crash,
// another process or a Temporal that was away has left. As with the Starter, the table is the truth.
type Launcher struct {
	cfg     LauncherConfig
	queue   chan Launch
	breaker breaker

	// mu is held for reading by those who enqueue, so that nobody does after Close.
	mu     sync.RWMutex
	closed bool

	endSweep, endLaunches context.CancelFunc
	sweeping, launching   sync.WaitGroup
}

// NewLauncher starts the workers and the sweep; Close ends them.
func NewLauncher(cfg LauncherConfig) *Launcher {
	sweep, endSweep := context.WithCancel(context.Background())
	launches, endLaunches := context.WithCancel(context.Background())
	l := &Launcher{
		cfg: cfg, queue: make(chan Launch, 4*cfg.Workers), breaker: breaker{now: cfg.Now}, endSweep: endSweep, endLaunches: endLaunches,
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
func (l *Launcher) Close() {
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
func (l *Launcher) Enqueue(job Launch) {
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
func (l *Launcher) launch(ctx context.Context, job Launch) bool {
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
		l.cfg.Logger.Log(ctx, level, "could not start or wake a workflow; the sweep will", "action_id", job.ActionID, "error", err)
		return false
	}
	if err := l.cfg.Store.ActionStarted(context.WithoutCancel(ctx), job.ActionID, job.Noted); err != nil {
		// The row stays, and the sweep wakes the workflow once more, which does nothing.
		l.cfg.Logger.WarnContext(ctx, "could not forget a started action", "action_id", job.ActionID, "error", err)
	}
	return true
}

func (l *Launcher) sweepUntil(ctx context.Context) {
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
func (l *Launcher) sweep(ctx context.Context) {
	for ctx.Err() == nil && !l.breaker.open() {
		starts, err := l.cfg.Store.ClaimActionStarts(ctx, sweepPage)
		if err != nil {
			if ctx.Err() == nil {
				l.cfg.Logger.WarnContext(ctx, "could not look for unstarted actions", "error", err)
			}
			return
		}
		for i := range starts {
			if ctx.Err() != nil || !l.launch(ctx, newLaunch(&starts[i].Action, false, starts[i].Noted)) {
				return
			}
		}
		if len(starts) < sweepPage {
			return
		}
	}
}
