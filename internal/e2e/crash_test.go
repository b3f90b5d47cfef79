package e2e_test

import (
	"testing"
	"time"
)

// Attempts that are waited for go on after a crash: at their time, with their number.
func TestKilledInMidRetry(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--retry-schedule", "1s,6s,1s,1s")
	s := newSink(t)
	s.behave(status(500))
	d.subscribe(t, s, nil)
	d.post(t, "evt_retry")
	before := d.awaitDelivery(t, "evt_retry", "tried twice", func(d delivery) bool { return d.AttemptCount == 2 })
	d.kill(t)
	d.start(t)
	after := d.onlyDelivery(t, "evt_retry")
	if after.AttemptCount == 2 && !after.NextAttemptAt.Equal(before.NextAttemptAt) {
		t.Errorf("next attempt at %s, before the crash at %s", after.NextAttemptAt, before.NextAttemptAt)
	}
	// Times on the wire have milliseconds.
	if third := s.awaitCount(3)[2]; third.at.Add(time.Millisecond).Before(before.NextAttemptAt) {
		t.Errorf("attempt 3 at %s, planned for %s", third.at, before.NextAttemptAt)
	}
	s.awaitCount(4)
	s.behave(status(204))
	d.awaitDelivered(t, "evt_retry")
	checkNumbers(t, s, 5)
	checkAttempts(t, d.onlyDelivery(t, "evt_retry"), "http_status", "http_status", "http_status", "http_status", "")
}

// An attempt that a crash has cut off is on record, and the next one follows.
func TestKilledInMidAttempt(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--retry-schedule", "1s,1s")
	s := newSink(t)
	never := make(chan struct{})
	s.behave(func(a arrival) reply {
		if a.attempt == 1 {
			return reply{after: never}
		}
		return reply{}
	})
	d.subscribe(t, s, nil)
	d.post(t, "evt_cut")
	s.awaitCount(1)
	// Until then the next process takes the event for one that was never tried.
	d.awaitStarted(t)
	d.kill(t)
	d.start(t)
	d.awaitDelivered(t, "evt_cut")
	checkNumbers(t, s, 2)
	checkAttempts(t, d.onlyDelivery(t, "evt_cut"), "interrupted", "")
}

// Everything that was answered 202 arrives, however the process ends.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	s := newSink(t)
	d.subscribe(t, s, nil)
	// Posts run ahead of deliveries on a busy machine: there are far more to come when the first have arrived.
	l := startLoad(t, load{apis: []*api{d.api}, clients: 8, events: 600, prefix: "evt_crash"})
	s.awaitCount(50)
	d.kill(t)
	killed := time.Now()
	d.start(t)
	ready := time.Now()
	arrivals := s.await("a webhook after the crash", func(a []arrival) bool { return a[len(a)-1].at.After(killed) })
	t.Logf("ready %s after the crash, the first webhook %s later",
		ready.Sub(killed).Round(time.Millisecond), firstAfter(arrivals, killed).Sub(ready).Round(time.Millisecond))
	s.awaitIDs(l.wait(t))
	checkRepeats(t, s, 1)
	if l.broken.Load() == 0 {
		t.Error("no post was cut off: the process was not killed under load")
	}
}

func firstAfter(arrivals []arrival, then time.Time) time.Time {
	for _, a := range arrivals {
		if a.at.After(then) {
			return a.at
		}
	}
	return time.Time{}
}

// checkNumbers wants n webhooks of one event, numbered from 1 without a gap.
func checkNumbers(t *testing.T, s *sink, n int) {
	t.Helper()
	arrivals := s.all()
	if len(arrivals) != n {
		t.Errorf("%d webhooks, want %d", len(arrivals), n)
	}
	for i, a := range arrivals {
		if a.attempt != i+1 {
			t.Errorf("webhook %d says it is attempt %d", i+1, a.attempt)
		}
	}
}

// checkAttempts compares the classes of the errors that are on record.
func checkAttempts(t *testing.T, d delivery, classes ...string) {
	t.Helper()
	if len(d.Attempts) != len(classes) || d.AttemptCount != len(classes) {
		t.Fatalf("%d attempts on record, %d counted, want %d", len(d.Attempts), d.AttemptCount, len(classes))
	}
	for i, a := range d.Attempts {
		if a.Number != i+1 || a.ErrorClass != classes[i] {
			t.Errorf("attempt %d is number %d of class %q, want %q", i+1, a.Number, a.ErrorClass, classes[i])
		}
	}
}
