package simulator

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// shortestWait is what the first failure costs; each further one doubles it up to longestWait.
	shortestWait = 500 * time.Millisecond
	longestWait  = 15 * time.Second
	// refusedWait is between tries with a key that is not accepted: it rarely becomes valid again.
	refusedWait = 30 * time.Second
)

// pause waits, or reports false when the context ends before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// errIdle is what a step returns that had nothing to ask, so that it does not count as an answer.
var errIdle = errors.New("nothing to do")

// every calls step again and again until it says that the home is gone or the context ends. Between calls lies the
// interval, and more after failures.
func (s *Simulator) every(ctx context.Context, name string, interval time.Duration, step func(context.Context) error) error {
	failures := 0
	wait := interval
	for pause(ctx, wait) {
		err := step(ctx)
		if ctx.Err() != nil {
			break
		}
		if errors.Is(err, errGone) {
			return err
		}
		if errors.Is(err, errIdle) {
			wait = interval
			continue
		}
		s.link.note(name, err)
		if err == nil {
			failures, wait = 0, interval
			continue
		}
		wait = max(interval, backoff(err, failures))
		failures++
	}
	return ctx.Err()
}

// backoff is how long to wait after an error that followed others.
func backoff(err error, before int) time.Duration {
	wait := min(longestWait, shortestWait<<min(before, 10))
	wait += time.Duration(rand.Float64() * float64(wait) / 4) //nolint:gosec // so that loops do not come back together
	if answer, ok := errors.AsType[*answerError](err); ok {
		if answer.refused() {
			return refusedWait
		}
		wait = max(wait, answer.retryAfter)
	}
	return wait
}

// link says once that Busbar cannot be reached, and once that it can again, for all loops together.
type link struct {
	logger *slog.Logger

	mu sync.Mutex
	// failing are the loops whose last step failed.
	failing map[string]bool
	// refused: it was said that the key is not accepted, which ends otherwise than an outage.
	refused bool
}

func (l *link) note(loop string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		if !l.failing[loop] {
			return
		}
		if delete(l.failing, loop); len(l.failing) == 0 {
			l.logger.Info("the simulated home is back")
			l.refused = false
		}
		return
	}
	first := len(l.failing) == 0
	l.failing[loop] = true
	answer, ok := errors.AsType[*answerError](err)
	switch refused := ok && answer.refused(); {
	case refused && !l.refused:
		l.logger.Error("the simulated home's API key is refused; it tries again every half minute", "error", err.Error())
		l.refused = true
	case first:
		l.logger.Warn("the simulated home cannot reach Busbar; it keeps trying", "error", err.Error())
	}
}
