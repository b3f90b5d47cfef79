package dashboard

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"busbar"
)

// Guesses at a password: some at once, then one every few seconds, for each name and for each address. The bounds are of
// one process, which is enough: what is left is a few guesses a minute.
const (
	loginBurst = 5
	loginEvery = 12 * time.Second
	// maxGuessers bounds the memory; the oldest are forgotten first, long after they may guess again.
	maxGuessers = 10_000
)

// throttle slows down guessing.
type throttle struct {
	now func() time.Time

	mu    sync.Mutex
	rates map[string]*rate.Limiter
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, rates: make(map[string]*rate.Limiter)}
}

// take allows one guess, or says when the next may be made.
func (t *throttle) take(keys ...string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if len(t.rates) > maxGuessers {
		for key, l := range t.rates {
			if l.TokensAt(now) >= loginBurst {
				delete(t.rates, key)
			}
		}
	}
	for _, key := range keys {
		l := t.rates[key]
		if l == nil {
			if len(t.rates) > 2*maxGuessers {
				return tooMany(loginEvery)
			}
			l = rate.NewLimiter(rate.Every(loginEvery), loginBurst)
			t.rates[key] = l
		}
		if wait := l.ReserveN(now, 1); wait.DelayFrom(now) > 0 {
			after := wait.DelayFrom(now)
			wait.CancelAt(now)
			return tooMany(after)
		}
	}
	return nil
}

// forget takes back what a person did wrong before they got it right.
func (t *throttle) forget(keys ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, key := range keys {
		delete(t.rates, key)
	}
}

func tooMany(after time.Duration) error {
	e := busbar.Errorf(busbar.CodeRateLimitExceeded, "too many attempts; try again in %d seconds", int((after+time.Second-1)/time.Second))
	e.RetryAfter = after
	return e
}
