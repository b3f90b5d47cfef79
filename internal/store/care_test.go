package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
)

// subscribe makes an endpoint of the sandbox.
func subscribe(t *testing.T, s *opened) busbar.EndpointID {
	t.Helper()
	e := newEndpoint(s, busbar.Sandbox)
	mustCreate(t, s, e, newKey(s, string(e.ID), busbar.KeyHMAC))
	return e.ID
}

// pend accepts events with one pending delivery each, a second apart.
func pend(t *testing.T, s *opened, id busbar.EndpointID, n int) []busbar.Delivery {
	t.Helper()
	list := make([]busbar.Delivery, n)
	for i := range list {
		s.clock.advance(time.Second)
		list[i] = accept(t, s, func(a *store.Accepted) { a.Deliveries[0].EndpointID = id }).Deliveries[0]
	}
	return list
}

// attempted records one attempt of a delivery.
func attempted(t *testing.T, s *opened, d busbar.Delivery, number int, status busbar.DeliveryStatus, code int) *store.Finished {
	t.Helper()
	f := finished(d.ID, number, status)
	f.Attempt.At, f.Attempt.StatusCode = s.clock.now(), code
	if code >= 300 {
		f.Attempt.ErrorClass, f.Attempt.Error = "http_status", fmt.Sprintf("HTTP %d", code)
	}
	if status == busbar.DeliveryPending {
		f.NextAttemptAt = s.clock.now().Add(time.Hour)
	}
	f.Exhausted = status == busbar.DeliveryFailed
	if err := s.Finish(t.Context(), []*store.Finished{f}); err != nil {
		t.Fatalf("Finish: %v", err)
	}
	return f
}

func circuit(t *testing.T, s *opened, id busbar.EndpointID) busbar.Circuit {
	t.Helper()
	e, err := s.Endpoint(t.Context(), busbar.Sandbox, id)
	if err != nil {
		t.Fatal(err)
	}
	return e.Circuit
}

// open fails ten deliveries, so that the circuit opens.
func open(t *testing.T, s *opened, id busbar.EndpointID) []busbar.Delivery {
	t.Helper()
	list := pend(t, s, id, 10)
	for _, d := range list {
		attempted(t, s, d, 1, busbar.DeliveryPending, 500)
	}
	if got := circuit(t, s, id).State; got != busbar.CircuitOpen {
		t.Fatalf("after ten failures the circuit is %q, want open", got)
	}
	return list
}

func TestACircuitOpensWhenDifferentDeliveriesFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deliveries int
		// codes are the answers; the deliveries take turns.
		codes []int
		want  busbar.CircuitState
	}{
		"ten failures":              {10, repeat(500, 10), busbar.CircuitOpen},
		"nine failures":             {9, repeat(500, 9), ""},
		"one delivery":              {1, repeat(500, 30), ""},
		"four deliveries":           {4, repeat(500, 30), ""},
		"five deliveries":           {5, repeat(500, 10), busbar.CircuitOpen},
		"half of them":              {20, slices.Concat(repeat(500, 5), repeat(200, 5), repeat(500, 5)), busbar.CircuitOpen},
		"fewer than half":           {30, slices.Concat(repeat(500, 4), repeat(200, 20), repeat(500, 9), repeat(200, 20)), ""},
		"what is long ago is out":   {40, slices.Concat(repeat(500, 9), repeat(200, 20), repeat(500, 4)), ""},
		"all of them well":          {20, repeat(200, 20), ""},
		"redirects are failures":    {10, repeat(302, 10), busbar.CircuitOpen},
		"no answer is a failure":    {10, repeat(999, 10), busbar.CircuitOpen},
		"mostly well, then nothing": {30, slices.Concat(repeat(200, 20), repeat(500, 10)), busbar.CircuitOpen},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachStore(t, func(t *testing.T, s *opened) {
				id := subscribe(t, s)
				list := pend(t, s, id, c.deliveries)
				number := make(map[busbar.DeliveryID]int)
				for i, code := range c.codes {
					d := list[i%len(list)]
					number[d.ID]++
					status := busbar.DeliveryPending
					if code == 200 {
						status = busbar.DeliveryDelivered
					}
					f := attempted(t, s, d, number[d.ID], status, code)
					if opened := circuit(t, s, id).State == busbar.CircuitOpen; f.Opened && !opened {
						t.Fatalf("attempt %d says that the circuit opened, and it is closed", i)
					}
				}
				got := circuit(t, s, id).State
				if got == busbar.CircuitClosed {
					got = ""
				}
				if got != c.want {
					t.Errorf("circuit is %q, want %q", got, c.want)
				}
			})
		})
	}
}

func repeat(code, n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = code
	}
	return list
}

func TestAnOpenCircuitIsSeenByOtherProcesses(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := subscribe(t, s)
		other := s.reopen(t)
		if sub, _ := mustSubscribers(t, other, busbar.Sandbox).Get(id); sub.Shut() {
			t.Fatal("a new endpoint is shut")
		}
		open(t, s, id)
		if sub, _ := mustSubscribers(t, other, busbar.Sandbox).Get(id); !sub.Shut() {
			t.Error("the other process goes on sending")
		}
	})
}

func TestWaitingDeliveriesAreParkedAndDrainedInTheOrderOfTheirEvents(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := subscribe(t, s)
		failed := open(t, s, id)
		claimed := pend(t, s, id, 1)[0]
		claimAs(t, s, claimed.ID, "w")
		// An event that happened before the others and arrives after them.
		late := accept(t, s, func(a *store.Accepted) {
			a.Deliveries[0].EndpointID, a.Event.Timestamp = id, s.clock.now().Add(-time.Hour)
		}).Deliveries[0]
		var parked []busbar.Delivery
		for range 3 { // in pages
			page, err := s.ParkWaiting(t.Context(), busbar.Sandbox, id, 5)
			if err != nil {
				t.Fatal(err)
			}
			parked = append(parked, page...)
		}
		if len(parked) != 11 {
			t.Fatalf("parked %d, want the ten that failed and the late one, not the one under way", len(parked))
		}
		got, err := s.Parked(t.Context(), id, 100)
		if err != nil {
			t.Fatal(err)
		}
		want := []busbar.DeliveryID{late.ID}
		for _, d := range failed {
			want = append(want, d.ID)
		}
		if diff := cmp.Diff(want, ids(got)); diff != "" {
			t.Errorf("order of draining (-want +got):\n%s", diff)
		}
		if c := claimAs(t, s, late.ID, "other"); c.Outcome != store.ClaimClosed {
			t.Errorf("a parked delivery is %s for its workflow, want closed", c.Outcome)
		}
		c, err := s.Claim(t.Context(), store.ClaimRequest{
			DeliveryID: failed[0].ID, Owner: "drain", For: time.Minute, Also: []busbar.DeliveryStatus{busbar.DeliveryParked},
		})
		if err != nil || c.Outcome != store.Claimed || c.Attempt != 2 {
			t.Errorf("draining claims %s attempt %d, %v; want attempt 2, whatever its schedule says", c.Outcome, c.Attempt, err)
		}
	})
}

func ids(list []busbar.Delivery) []busbar.DeliveryID {
	all := make([]busbar.DeliveryID, len(list))
	for i, d := range list {
		all[i] = d.ID
	}
	return all
}

func TestParkingNeedsAnEndpointThatIsShut(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := subscribe(t, s)
		d := pend(t, s, id, 1)[0]
		park := func(owner string) bool {
			t.Helper()
			parked, err := s.ParkShut(t.Context(), busbar.Sandbox, d.ID, owner, false)
			if err != nil {
				t.Fatal(err)
			}
			return parked
		}
		if park("w") {
			t.Error("parked behind an endpoint that is open")
		}
		open(t, s, id)
		claimAs(t, s, d.ID, "w")
		if park("another") {
			t.Error("parked while another is sending it")
		}
		if err := s.Unclaim(t.Context(), "w", d.ID); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.RequestRetry(t.Context(), busbar.Sandbox, d.ID, nil); err != nil {
			t.Fatal(err)
		}
		if park("w") {
			t.Error("parked what a person wants tried now")
		}
		claimAs(t, s, d.ID, "w")
		attempted(t, s, d, 1, busbar.DeliveryPending, 500)
		if !park("w") {
			t.Error("not parked though the circuit is open")
		}
	})
}

func TestACircuitClosesOnlyWhenNothingIsParked(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := subscribe(t, s)
		open(t, s, id)
		if _, err := s.ParkWaiting(t.Context(), busbar.Sandbox, id, 100); err != nil {
			t.Fatal(err)
		}
		if taken, err := s.TryCircuit(t.Context(), id); err != nil || taken {
			t.Errorf("tried before its time: %v, %v", taken, err)
		}
		s.clock.advance(busbar.FirstProbe)
		for i, want := range []bool{true, false} {
			if taken, err := s.TryCircuit(t.Context(), id); err != nil || taken != want {
				t.Errorf("try %d: %v, %v, want %v: there is one probe", i, taken, err, want)
			}
		}
		parked, err := s.Parked(t.Context(), id, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parked {
			if closed, err := s.CloseCircuit(t.Context(), busbar.Sandbox, id); err != nil || closed {
				t.Fatalf("closed with deliveries parked: %v, %v", closed, err)
			}
			attempted(t, s, d, d.Attempts+1, busbar.DeliveryDelivered, 200)
		}
		if closed, err := s.CloseCircuit(t.Context(), busbar.Sandbox, id); err != nil || !closed {
			t.Fatalf("CloseCircuit = %v, %v; want closed", closed, err)
		}
		if c := circuit(t, s, id); c.State != busbar.CircuitClosed || c.Failures != 0 || !c.FailingSince.IsZero() {
			t.Errorf("circuit = %+v, want closed and healthy", c)
		}
	})
}

func TestProbesGetRarer(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := subscribe(t, s)
		open(t, s, id)
		var waits []time.Duration
		for range 6 {
			wait := circuit(t, s, id).ProbeAt.Sub(s.clock.now())
			waits = append(waits, wait)
			s.clock.advance(wait)
			if taken, err := s.TryCircuit(t.Context(), id); err != nil || !taken {
				t.Fatalf("TryCircuit = %v, %v", taken, err)
			}
			if err := s.ShutAgain(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		want := []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, time.Minute, time.Minute}
		if diff := cmp.Diff(want, waits); diff != "" {
			t.Errorf("waits between probes (-want +got):\n%s", diff)
		}
		if err := s.ProbeNow(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if c := circuit(t, s, id); c.ProbeAt.After(s.clock.now()) {
			t.Errorf("probe at %s, want now", c.ProbeAt)
		}
	})
}

func TestEnablingSendsWhatIsParkedFirst(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		empty, full := subscribe(t, s), subscribe(t, s)
		for _, id := range []busbar.EndpointID{empty, full} {
			if err := s.DisableEndpoint(t.Context(), busbar.Sandbox, id, "test", false); err != nil {
				t.Fatal(err)
			}
		}
		d := pend(t, s, full, 1)[0]
		if parked, err := s.ParkShut(t.Context(), busbar.Sandbox, d.ID, "w", false); err != nil || !parked {
			t.Fatalf("ParkShut = %v, %v", parked, err)
		}
		enable := func(id busbar.EndpointID) busbar.Endpoint {
			e, err := s.UpdateEndpoint(t.Context(), busbar.Sandbox, id, func(e *busbar.Endpoint) error {
				e.Enabled = true
				return nil
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		if e := enable(empty); e.Shut() {
			t.Error("an endpoint with nothing parked is shut after it was enabled")
		}
		if e := enable(full); !e.Shut() || e.Circuit.ProbeAt.After(s.clock.now()) {
			t.Errorf("circuit = %+v, want open and tried now", e.Circuit)
		}
		refs, err := s.Undrained(t.Context())
		if diff := cmp.Diff([]store.EndpointRef{{Environment: busbar.Sandbox, ID: full}}, refs); err != nil || diff != "" {
			t.Errorf("to be drained: %v (-want +got):\n%s", err, diff)
		}
	})
}
