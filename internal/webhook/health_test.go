package webhook_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"busbar/internal/webhook"
)

// clock stands still until it is told to go.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newHealth(t *testing.T, maxKeys int) (*webhook.Health, *clock) {
	t.Helper()
	clock := newClock()
	health, err := webhook.NewHealth(webhook.HealthConfig{MaxKeys: maxKeys, Now: clock.now})
	if err != nil {
		t.Fatalf("new health: %v", err)
	}
	return health, clock
}

func TestNewEndpointIsQuick(t *testing.T) {
	t.Parallel()
	health, _ := newHealth(t, 0)
	if !health.Quick("new") {
		t.Error("a new endpoint is not quick")
	}
	if health.Keys() != 0 {
		t.Error("asking about an endpoint remembers it")
	}
}

func TestThreeBadAttemptsCountForFifty(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]func(*webhook.Health){
		"failed":   func(h *webhook.Health) { h.Record("ep", false, time.Millisecond) },
		"slow":     func(h *webhook.Health) { h.Record("ep", true, webhook.SlowAfter+1) },
		"flight":   func(h *webhook.Health) { h.Begin("ep")(false, 0) },
		"two ends": func(h *webhook.Health) { done := h.Begin("ep"); done(false, 0); done(true, 0) },
	} {
		health, _ := newHealth(t, 0)
		health.Record("ep", true, webhook.SlowAfter)
		if !health.Quick("ep") {
			t.Fatalf("%s: an attempt of just %s counts as slow", name, webhook.SlowAfter)
		}
		bad(health)
		bad(health)
		if !health.Quick("ep") {
			t.Fatalf("%s: two of the last fifty are too many", name)
		}
		bad(health)
		for n := range 47 {
			health.Record("ep", true, time.Millisecond)
			if health.Quick("ep") {
				t.Fatalf("%s: quick again after %d good attempts", name, n+1)
			}
		}
		if !health.Quick("other") {
			t.Errorf("%s: another endpoint suffers", name)
		}
		health.Record("ep", true, time.Millisecond)
		if !health.Quick("ep") {
			t.Errorf("%s: not quick when the first of the three is fifty attempts back", name)
		}
	}
}

func TestHangingEndpointIsNoticedInFlight(t *testing.T) {
	t.Parallel()
	health, clock := newHealth(t, 0)
	var hanging []func(bool, time.Duration)
	for range 3 {
		hanging = append(hanging, health.Begin("ep"))
	}
	clock.advance(webhook.SlowAfter)
	if !health.Quick("ep") {
		t.Error("not quick at the threshold itself")
	}
	quick := health.Begin("ep")
	clock.advance(1)
	if health.Quick("ep") {
		t.Error("still quick while three attempts hang")
	}
	quick(true, time.Millisecond)
	hanging[0](true, 2*webhook.SlowAfter)
	if !health.Quick("ep") {
		t.Error("not quick though only two attempts hang")
	}
	clock.advance(4 * webhook.SlowAfter)
	if health.Quick("ep") {
		t.Error("still quick while an attempt hangs for long")
	}
	for _, done := range hanging[1:] {
		done(true, 5*webhook.SlowAfter)
	}
	if health.Quick("ep") {
		t.Error("slow attempts do not count at their end")
	}
	health.Forget("ep")
	if !health.Quick("ep") {
		t.Error("not quick after it was forgotten")
	}
}

// What an attempt waited for inside this process is not its endpoint's doing.
func TestOnlyTheEndpointsOwnTimeCounts(t *testing.T) {
	t.Parallel()
	health, clock := newHealth(t, 0)
	for range 5 {
		done := health.Begin("ep")
		clock.advance(time.Minute)
		done(true, time.Millisecond)
	}
	if !health.Quick("ep") {
		t.Error("not quick though each attempt took a millisecond")
	}
}

func TestHealthIsBounded(t *testing.T) {
	t.Parallel()
	health, clock := newHealth(t, 3)
	done := health.Begin("busy")
	clock.advance(2 * time.Second)
	for range 3 {
		health.Record("bad", false, 0)
	}
	for n := range 100 {
		health.Record(fmt.Sprint("ep", n), true, 0)
		health.Record("bad", true, 0)
	}
	if health.Keys() != 3 {
		t.Errorf("%d endpoints are remembered, bound 3", health.Keys())
	}
	if health.Quick("busy") {
		t.Error("an endpoint with an attempt in flight was forgotten")
	}
	done(true, 0)
	for range 3 {
		health.Record("bad", false, 0)
	}
	for n := range 3 {
		health.Record(fmt.Sprint("later", n), true, 0)
	}
	if !health.Quick("bad") || !health.Quick("busy") || health.Keys() != 3 {
		t.Errorf("idle endpoints are not forgotten in turn, %d remembered", health.Keys())
	}
	if _, err := webhook.NewHealth(webhook.HealthConfig{MaxKeys: -1}); err == nil {
		t.Error("a negative bound was accepted")
	}
}

func TestAnEndpointHangsWhileOneOfTheLastTenDid(t *testing.T) {
	t.Parallel()
	health, clock := newHealth(t, 0)
	if health.Hangs("ep") {
		t.Error("a new endpoint hangs")
	}
	done := health.Begin("ep")
	clock.advance(time.Second + 1)
	if !health.Hangs("ep") {
		t.Error("an attempt is in flight for more than a second, and the endpoint does not hang")
	}
	done(true, time.Second+1)
	for range 9 {
		health.Record("ep", false, time.Second)
	}
	if !health.Hangs("ep") {
		t.Error("nine attempts later it is forgotten that one hung")
	}
	health.Record("ep", true, 0)
	if health.Hangs("ep") {
		t.Error("ten attempts later the endpoint still hangs: those that failed at once do not count")
	}
}
