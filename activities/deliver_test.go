package activities_test

import (
	"testing"
	"time"

	"busbar"
	"busbar/activities"
	"busbar/internal/store"
)

// unclaim lets the claim of the first attempt end, unsent.
func (w *world) unclaim(t *testing.T, target activities.Target) {
	t.Helper()
	must(t, w.Unclaim(t.Context(), "first", target.DeliveryID))
}

func TestADatabaseAwayBeforeSendingIsNoAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target := w.accept(t)
	w.unclaim(t, target)
	w.unreadable = 1
	if outcome, err := w.deliver(target); err == nil {
		t.Errorf("outcome = %s, want an error", outcome)
	}
	if outcome, err := w.deliver(target); err != nil || outcome != activities.OutcomeDelivered {
		t.Errorf("outcome = %s, %v", outcome, err)
	}
	w.check(t, target, busbar.DeliveryDelivered, []int{1}, "")
}

// What was parked was not sent, and nobody holds it.
func TestADisabledEndpointIsNoAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target := w.accept(t)
	if err := w.DisableEndpoint(t.Context(), target.Environment, target.EndpointID, "by request", false); err != nil {
		t.Fatal(err)
	}
	w.unclaim(t, target)
	if outcome, err := w.deliver(target); err != nil || outcome != activities.OutcomeParked {
		t.Errorf("outcome = %s, %v", outcome, err)
	}
	if _, err := w.CloseDelivery(t.Context(), target.DeliveryID, busbar.DeliveryCancelled, "by request"); err != nil {
		t.Fatal(err)
	}
	again := func(busbar.Delivery) string { return "again" }
	if _, _, err := w.RequestRetry(t.Context(), target.Environment, target.DeliveryID, again); err != nil {
		t.Fatal(err)
	}
	c, err := w.Claim(t.Context(), store.ClaimRequest{DeliveryID: target.DeliveryID, Owner: "again", For: time.Minute})
	if err != nil || c.Outcome != store.Claimed || c.Attempt != 1 {
		t.Errorf("claim = %s of attempt %d, %v; want claimed 1", c.Outcome, c.Attempt, err)
	}
	w.check(t, target, busbar.DeliveryPending, nil)
}
