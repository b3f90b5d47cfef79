package api

import (
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"busbar"
)

// maxLimiters bounds how many keys are counted at a time. Past it, keys that have made no requests lately are forgotten,
// which changes nothing for them.
const maxLimiters = 10_000

// maxRateLimit is more than one process can serve.
const maxRateLimit = 1_000_000

// limits counts requests by key.
type limits struct {
	perSecond rate.Limit

	mu    sync.Mutex
	byKey map[busbar.KeyID]*rate.Limiter
}

func newLimits(perSecond rate.Limit) *limits {
	return &limits{perSecond: perSecond, byKey: make(map[busbar.KeyID]*rate.Limiter)}
}

// take counts a request of a key, or says how long to wait.
func (l *limits) take(key busbar.KeyID, now time.Time) error {
	if l.perSecond == 0 {
		return nil
	}
	r := l.limiter(key, now).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	r.CancelAt(now)
	e := busbar.Errorf(busbar.CodeRateLimitExceeded, "more than %g requests a second with this key", float64(l.perSecond))
	e.RetryAfter = wait
	return e
}

func (l *limits) limiter(key busbar.KeyID, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if have, ok := l.byKey[key]; ok {
		return have
	}
	if len(l.byKey) >= maxLimiters {
		l.forget(now)
	}
	fresh := rate.NewLimiter(l.perSecond, l.burst())
	l.byKey[key] = fresh
	return fresh
}

func (l *limits) burst() int { return max(1, int(math.Ceil(float64(l.perSecond)))) }

// forget drops limiters that are as good as new; when there is none, any one.
func (l *limits) forget(now time.Time) {
	before := len(l.byKey)
	for key, limiter := range l.byKey {
		if limiter.TokensAt(now) >= float64(l.burst()) {
			delete(l.byKey, key)
		}
	}
	for key := range l.byKey {
		if len(l.byKey) < before {
			return
		}
		delete(l.byKey, key)
	}
}
