package activities_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/activities"
	"busbar/internal/store"
)

func (w *world) firsts(t *testing.T, targets ...activities.Target) []activities.Outcome {
	t.Helper()
	in := activities.FirstsInput{Environment: busbar.Sandbox}
	for _, target := range targets {
		in.Targets = append(in.Targets, activities.FirstTarget{DeliveryID: target.DeliveryID, EndpointID: target.EndpointID})
	}
	value, err := w.env.ExecuteLocalActivity(w.acts.Firsts, in)
	must(t, err)
	var outcomes []activities.Outcome
	must(t, value.Get(&outcomes))
	return outcomes
}

// An endpoint that hangs would otherwise hold up what follows from the other attempts, and make Temporal run all again.
func TestAFirstAttemptThatTakesLongGoesOnByItself(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, time.Millisecond)
	target := w.accept(t)
	w.hold, w.arrived = make(chan struct{}), make(chan struct{}, 2)
	for _, when := range []string{"first", "again"} {
		if diff := cmp.Diff([]activities.Outcome{activities.OutcomeUnderWay}, w.firsts(t, target)); diff != "" {
			t.Errorf("outcomes, %s (-want +got):\n%s", when, diff)
		}
	}
	<-w.arrived
	close(w.hold)
	if outcome, err := w.deliver(target); err != nil || outcome != activities.OutcomeDelivered {
		t.Errorf("outcome = %s, %v", outcome, err)
	}
	w.check(t, target, busbar.DeliveryDelivered, []int{1}, "")
}

// A worker beside the process that accepted the event has nothing prepared.
func TestFirstAttemptsAreClaimedTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target := w.accept(t)
	clear(w.prepared)
	w.unclaim(t, target)
	if diff := cmp.Diff([]activities.Outcome{activities.OutcomeDelivered}, w.firsts(t, target)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	w.check(t, target, busbar.DeliveryDelivered, []int{1}, "")
}

func TestWhatWasClaimedTogetherAndCannotBeReadIsNoAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target := w.accept(t)
	clear(w.prepared)
	w.unclaim(t, target)
	w.unreadable = 2
	if diff := cmp.Diff([]activities.Outcome{activities.OutcomeBusy}, w.firsts(t, target)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if outcome, err := w.deliver(target); err != nil || outcome != activities.OutcomeDelivered {
		t.Errorf("outcome = %s, %v", outcome, err)
	}
	w.check(t, target, busbar.DeliveryDelivered, []int{1}, "")
}

func TestADisabledEndpointGetsNoFirstAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target := w.accept(t)
	clear(w.prepared)
	w.unclaim(t, target)
	must(t, w.DisableEndpoint(t.Context(), target.Environment, target.EndpointID, "by request", false))
	if diff := cmp.Diff([]activities.Outcome{activities.OutcomeParked}, w.firsts(t, target)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	w.check(t, target, busbar.DeliveryParked, nil)
}

// What others hold, or is older than its first attempt, is not fresh.
func TestAClaimOfAnotherStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target := w.accept(t)
	claimed, err := w.ClaimFresh(t.Context(), store.FreshClaim{Deliveries: []store.Fresh{{DeliveryID: target.DeliveryID}}, Owner: "other"})
	if err != nil || len(claimed) != 0 {
		t.Errorf("claimed %v, %v; want nothing", claimed, err)
	}
}

// Each that waits by itself is an activity that comes again and again; as rows in a line they cost next to nothing.
func TestWhatFindsNoPlaceIsPutInALine(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, time.Millisecond)
	endpoint := w.endpoint(t, 1)
	sent, late := w.acceptAt(t, endpoint), w.acceptAt(t, endpoint)
	w.unclaim(t, late)
	w.hold, w.arrived = make(chan struct{}), make(chan struct{}, 2)
	w.firsts(t, sent)
	<-w.arrived
	if outcome, err := w.deliver(late); err != nil || outcome != activities.OutcomeParked {
		t.Errorf("outcome = %s, %v", outcome, err)
	}
	subs, err := w.Subscribers(t.Context(), busbar.Sandbox)
	must(t, err)
	if sub, ok := subs.Get(endpoint.ID); !ok || sub.Circuit.State != busbar.CircuitHalfOpen {
		t.Errorf("endpoint = %+v, want one that is half open", sub)
	}
	close(w.hold)
	if outcome, err := w.deliver(sent); err != nil || outcome != activities.OutcomeDelivered {
		t.Errorf("outcome = %s, %v", outcome, err)
	}
	w.check(t, late, busbar.DeliveryParked, []int{1})
}

func TestCrowdingLeavesAnOpenCircuitOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	endpoint := w.endpoint(t, 1)
	must(t, w.QueueUp(t.Context(), busbar.Sandbox, endpoint.ID))
	if begun, err := w.Crowd(t.Context(), busbar.Sandbox, endpoint.ID); err != nil || begun {
		t.Errorf("a line was begun: %v, %v", begun, err)
	}
	subs, err := w.Subscribers(t.Context(), busbar.Sandbox)
	must(t, err)
	if sub, ok := subs.Get(endpoint.ID); !ok || sub.Circuit.State != busbar.CircuitOpen {
		t.Errorf("endpoint = %+v, want one that is open", sub)
	}
}
