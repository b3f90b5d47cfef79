package webhook_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/webhook"
)

func newGate(t *testing.T, maxWaiting int) *webhook.Gate {
	t.Helper()
	gate, err := webhook.NewGate(webhook.GateConfig{MaxWaiting: maxWaiting})
	if err != nil {
		t.Fatalf("new gate: %v", err)
	}
	return gate
}

func acquire(t *testing.T, gate *webhook.Gate, key string, limit int) func() {
	t.Helper()
	release, err := gate.Acquire(t.Context(), key, limit)
	if err != nil {
		t.Fatalf("acquire: %v", err)
	}
	return release
}

func TestGateIsFirstComeFirstServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := newGate(t, 0)
		first := acquire(t, gate, "ep", 1)
		var order []int
		var done sync.WaitGroup
		for n := range 20 {
			done.Go(func() {
				release := acquire(t, gate, "ep", 1)
				order = append(order, n)
				release()
			})
			synctest.Wait()
		}
		if gate.Waiting("ep") != 20 {
			t.Errorf("%d wait, want 20", gate.Waiting("ep"))
		}
		if _, ok := gate.TryAcquire("ep", 1); ok {
			t.Error("a try went past those who wait")
		}
		first()
		done.Wait()
		want := make([]int, 20)
		for i := range want {
			want[i] = i
		}
		if len(order) != 20 {
			t.Fatalf("%d of 20 got a permit", len(order))
		}
		if diff := cmp.Diff(want, order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		if gate.Keys() != 0 {
			t.Errorf("%d keys are kept though none is used", gate.Keys())
		}
	})
}

func TestGateHoldsItsLimit(t *testing.T) {
	t.Parallel()
	gate := newGate(t, 0)
	var now, most atomic.Int64
	var done sync.WaitGroup
	for n := range 64 {
		done.Go(func() {
			for range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				if n%3 == 0 {
					cancel()
				}
				release, err := gate.Acquire(ctx, "ep", 4)
				cancel()
				if err != nil {
					continue
				}
				in := now.Add(1)
				for old := most.Load(); in > old && !most.CompareAndSwap(old, in); old = most.Load() {
				}
				now.Add(-1)
				release()
				release()
			}
		})
	}
	done.Wait()
	if most.Load() > 4 {
		t.Errorf("%d were in flight at once, limit 4", most.Load())
	}
	if gate.InFlight("ep") != 0 || gate.Keys() != 0 {
		t.Errorf("%d permits are lost, %d keys kept", gate.InFlight("ep"), gate.Keys())
	}
}

func TestGateKeysAreApart(t *testing.T) {
	t.Parallel()
	gate := newGate(t, 0)
	defer acquire(t, gate, "hanging", 1)()
	acquire(t, gate, "healthy", 1)()
	if _, ok := gate.TryAcquire("hanging", 1); ok {
		t.Error("a second permit of a full key")
	}
}

func TestGateWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := newGate(t, 0)
		release := acquire(t, gate, "ep", 1)
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := gate.Acquire(ctx, "ep", 1)
			failed <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		if gate.Waiting("ep") != 0 {
			t.Error("who has left still waits")
		}
		if _, err := gate.Acquire(ctx, "free", 1); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled before: got %v, want context.Canceled", err)
		}
		release()
		acquire(t, gate, "ep", 1)()
	})
}

// endingContext ends at the moment it is asked about, and lets something else happen just before.
type endingContext struct {
	context.Context //nolint:containedctx // it is one
	before          func()
}

func (c endingContext) Done() <-chan struct{} {
	c.before()
	done := make(chan struct{})
	close(done)
	return done
}

func TestGatePermitAndEndAtTheSameMoment(t *testing.T) {
	t.Parallel()
	gate := newGate(t, 0)
	var granted, ended int
	for range 200 {
		holder := acquire(t, gate, "ep", 1)
		release, err := gate.Acquire(endingContext{t.Context(), holder}, "ep", 1)
		if err != nil {
			ended++
		} else {
			granted++
			release()
		}
		if gate.Keys() != 0 {
			t.Fatalf("granted %v: %d permits are lost", err == nil, gate.InFlight("ep"))
		}
	}
	if granted == 0 || ended == 0 {
		t.Errorf("granted %d, ended %d: only one of the two was tried", granted, ended)
	}
}

func TestGateLimitChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := newGate(t, 0)
		releases := []func(){acquire(t, gate, "ep", 2), acquire(t, gate, "ep", 2)}
		got := make(chan func(), 4)
		for range 3 {
			go func() { got <- acquire(t, gate, "ep", 2) }()
		}
		synctest.Wait()
		if len(got) != 0 {
			t.Fatal("more than 2 in flight")
		}
		// Raised to 4: two of the three who wait go in, the fourth caller waits behind the third.
		go func() { got <- acquire(t, gate, "ep", 4) }()
		synctest.Wait()
		if len(got) != 2 || gate.Waiting("ep") != 2 {
			t.Fatalf("raised: %d went in and %d wait, want 2 and 2", len(got), gate.Waiting("ep"))
		}
		// Lowered to 1: nobody goes in until three of the four are back.
		if _, ok := gate.TryAcquire("ep", 1); ok {
			t.Fatal("lowered: a try succeeded")
		}
		for _, release := range append(releases, <-got) {
			release()
			synctest.Wait()
			if len(got) > 1 {
				t.Fatal("lowered: one went in though another is in flight")
			}
		}
		(<-got)()
		for range 2 {
			(<-got)()
		}
		if gate.Keys() != 0 {
			t.Errorf("%d keys are kept though none is used", gate.Keys())
		}
	})
}

func TestGateBoundsThoseWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := newGate(t, 1)
		release := acquire(t, gate, "ep", 1)
		var done sync.WaitGroup
		done.Go(func() { acquire(t, gate, "ep", 1)() })
		synctest.Wait()
		if _, err := gate.Acquire(t.Context(), "ep", 1); !errors.Is(err, webhook.ErrGateFull) {
			t.Errorf("got %v, want ErrGateFull", err)
		}
		release()
		done.Wait()
	})
}

func TestGateRefuses(t *testing.T) {
	t.Parallel()
	gate := newGate(t, 0)
	if _, err := gate.Acquire(t.Context(), "ep", 0); !errors.Is(err, webhook.ErrGateLimit) {
		t.Errorf("got %v, want ErrGateLimit", err)
	}
	if _, ok := gate.TryAcquire("ep", 0); ok {
		t.Error("a permit of limit 0")
	}
	if _, err := webhook.NewGate(webhook.GateConfig{MaxWaiting: -1}); err == nil {
		t.Error("a negative bound was accepted")
	}
	if gate.Keys() != 0 {
		t.Errorf("%d keys are kept though none is used", gate.Keys())
	}
}
