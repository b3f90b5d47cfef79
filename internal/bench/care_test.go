package bench_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/bench"
)

func TestParkedRun(t *testing.T) {
	t.Parallel()
	cfg, _ := against(t, quick(bench.Parked), fakeFaults{atOnce: true})
	cfg.PID = os.Getpid()
	result, err := one(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(counts{Events: 30, Accepted: 30, Deliveries: 30}, countsOf(result)); diff != "" {
		t.Error(diff)
	}
	p := result.Parked
	if p == nil || p.Refused != 60 || p.Circuit != "open" || p.MaxInFlight != 4 || p.MostEarly != 0 || p.OutOfOrder != 0 {
		t.Fatalf("parked %+v, want 60 refused attempts and nothing early", p)
	}
	if p.Before.Current == 0 || p.After.Current == 0 || p.First == nil || p.Last == nil || *p.Last < *p.First {
		t.Errorf("parked %+v: memory or times are missing", p)
	}
}

func TestParkedEventsInTheWrongOrderBreakTheRun(t *testing.T) {
	t.Parallel()
	cfg, _ := against(t, quick(bench.Parked), fakeFaults{atOnce: true, newestFirst: true})
	cfg.PID = os.Getpid()
	result, err := one(t, cfg)
	if err == nil || !strings.Contains(err.Error(), "events overtook older ones") {
		t.Errorf("error %v", err)
	}
	if p := result.Parked; p == nil || p.MostEarly != 29 || p.OutOfOrder != 13 { // 29, 27, … 5 places early
		t.Errorf("parked %+v", p)
	}
}

func TestParkedEventsThatAreLostBreakTheRun(t *testing.T) {
	t.Parallel()
	cfg, _ := against(t, quick(bench.Parked), fakeFaults{atOnce: true, loseEvery: 10})
	cfg.PID = os.Getpid()
	cfg.ParkedEvents, cfg.Drain = 10, time.Millisecond
	result, err := one(t, cfg)
	if err == nil || !strings.Contains(err.Error(), "1 deliveries of accepted events are missing") {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(counts{Events: 10, Accepted: 10, Deliveries: 9, Losses: 1}, countsOf(result)); diff != "" {
		t.Error(diff)
	}
}

func TestEarlyEventsAreCounted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		order        []int // the numbers of the events as they arrive
		most, beyond int
	}{
		{"in order", []int{0, 1, 2, 3, 4}, 0, 0},
		{"nothing", nil, 0, 0},
		{"two in flight", []int{1, 0, 3, 2, 4}, 1, 0},
		{"as early as two in flight may be", []int{2, 0, 1, 3, 4}, 2, 0},
		{"too early", []int{3, 0, 1, 2, 4}, 3, 1},
		{"late, which makes nobody early by more than a place", []int{1, 2, 3, 4, 0}, 1, 0},
		{"one missing", []int{0, 2, 3, 4}, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			most, beyond := bench.Early(5, slices.Values(test.order), 2)
			if most != test.most || beyond != test.beyond {
				t.Errorf("at most %d early, %d beyond; want %d and %d", most, beyond, test.most, test.beyond)
			}
		})
	}
}

func TestCareThatFallsBehindIsReported(t *testing.T) {
	t.Parallel()
	for _, assert := range []bool{false, true} {
		cfg, _ := against(t, quick(bench.Care), fakeFaults{loseEvery: 3})
		cfg.Drain, cfg.Assert = time.Millisecond, assert
		result, err := one(t, cfg)
		if (err != nil) != assert || assert && !strings.Contains(err.Error(), "did not keep a p99 of 300ms") {
			t.Errorf("asserting %v: error %v", assert, err)
		}
		if result.Losses != 0 || result.Unconfirmed == 0 || result.Care == nil || result.Care.Kept {
			t.Errorf("%d lost, %d unconfirmed, care %+v", result.Losses, result.Unconfirmed, result.Care)
		}
	}
}

func TestCareRun(t *testing.T) {
	t.Parallel()
	cfg, fake := against(t, quick(bench.Care), fakeFaults{})
	result, err := one(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	// 5 events to warm up and 20 a second, to 30 healthy endpoints.
	if diff := cmp.Diff(counts{Events: 9, Accepted: 9, Deliveries: 9 * 30}, countsOf(result)); diff != "" {
		t.Error(diff)
	}
	if result.EndToEnd == nil || result.EndToEnd.Samples != 4*30 {
		t.Errorf("end to end %+v, want 120 samples", result.EndToEnd)
	}
	if c := result.Care; c == nil || c.FailingAttempts == 0 || c.HangingAttempts == 0 || c.HangingAttempts > 9*10 || c.HoldMs != 20_000 {
		t.Errorf("care %+v", c)
	}
	fake.mu.Lock()
	defer fake.mu.Unlock()
	if fake.deleted != 50 {
		t.Errorf("%d endpoints deleted afterwards, want 50", fake.deleted)
	}
}
