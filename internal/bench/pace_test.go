package bench_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/bench"
)

// firing is when an event was due and when it was fired, since the start.
type firing struct{ Due, At time.Duration }

func TestPaceFiresWhenDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var got []firing
		err := bench.Pace(t.Context(), 4, 5, func(due time.Time) {
			got = append(got, firing{due.Sub(start), time.Since(start)})
		})
		if err != nil {
			t.Fatal(err)
		}
		const step = 250 * time.Millisecond
		want := []firing{{0, 0}, {step, step}, {2 * step, 2 * step}, {3 * step, 3 * step}, {4 * step, 4 * step}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPaceKeepsItsScheduleWhenItIsHeldUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var got []firing
		err := bench.Pace(t.Context(), 10, 5, func(due time.Time) {
			got = append(got, firing{due.Sub(start), time.Since(start)})
			if len(got) == 1 {
				time.Sleep(250 * time.Millisecond) //nolint:forbidigo // the clock of the bubble moves no other way
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		const ms = time.Millisecond
		want := []firing{{0, 0}, {100 * ms, 250 * ms}, {200 * ms, 250 * ms}, {300 * ms, 300 * ms}, {400 * ms, 400 * ms}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPaceEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		fired := 0
		err := bench.Pace(ctx, 1, 1000, func(time.Time) { fired++ })
		if !errors.Is(err, context.DeadlineExceeded) || fired != 3 {
			t.Errorf("fired %d events and returned %v, want 3 and the deadline", fired, err)
		}
	})
}
