package e2e_test

import (
	"testing"
	"time"
)

// An orderly stop under load loses nothing and, unlike a crash, repeats nothing.
func TestStoppedUnderLoad(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	s := newSink(t)
	d.subscribe(t, s, nil)
	l := startLoad(t, load{apis: []*api{d.api}, clients: 8, events: 300, prefix: "evt_stop"})
	s.awaitCount(100)
	asked := time.Now()
	if code := d.stop(t); code != 0 {
		t.Errorf("exit code = %d", code)
	}
	t.Logf("ended after %s", time.Since(asked).Round(time.Millisecond))
	d.start(t)
	s.awaitIDs(l.wait(t))
	if n := s.repeats(); n != 0 {
		t.Errorf("%d repeats", n)
	}
	if l.refused() == 0 {
		t.Error("no post was refused: the process was not stopped under load")
	}
}

// A hanging endpoint does not keep a process from stopping; its attempt is on record, and the next start goes on.
func TestStoppedInMidAttempt(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--retry-schedule", "1s,1s", "--delivery-timeout", "60s")
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
	if code := d.stop(t); code != 0 {
		t.Errorf("exit code = %d", code)
	}
	d.start(t)
	d.awaitDelivered(t, "evt_cut")
	checkNumbers(t, s, 2)
	checkAttempts(t, d.onlyDelivery(t, "evt_cut"), "interrupted", "")
}
