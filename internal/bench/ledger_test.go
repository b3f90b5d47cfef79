package bench_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/bench"
)

func TestLatencyCountsFromWhenAnEventWasDue(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	ingest, endToEnd, late, span := bench.Latencies([]bench.Entry{
		{Due: 10 * ms, Sent: 15 * ms, Answered: 18 * ms, Arrived: 30 * ms},
		{Due: 20 * ms, Sent: 20 * ms, Arrived: 24 * ms},
		{Due: 30 * ms, Sent: 31 * ms, Answered: 50 * ms},
	})
	for _, got := range []struct {
		name      string
		got, want []time.Duration
	}{
		{"ingest", ingest, []time.Duration{8 * ms, 20 * ms}},
		{"end to end", endToEnd, []time.Duration{20 * ms, 4 * ms}},
		{"late", late, []time.Duration{5 * ms, 0, 1 * ms}},
		{"span", []time.Duration{span}, []time.Duration{35 * ms}},
	} {
		if diff := cmp.Diff(got.want, got.got); diff != "" {
			t.Errorf("%s: %s", got.name, diff)
		}
	}
}

func TestRecoveryCountsFromTheRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, last := bench.Recovery(250 * time.Millisecond)
		if diff := cmp.Diff([]*float64{new(250.0), new(260.0)}, []*float64{first, last}); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRecoveryBeforeReadyIsZero(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, last := bench.Recovery(0)
		if diff := cmp.Diff([]*float64{new(0.0), new(10.0)}, []*float64{first, last}); diff != "" {
			t.Error(diff)
		}
	})
}
