package activities_test

import (
	"testing"

	"busbar"
	"busbar/activities"
	"busbar/internal/store"
)

func TestWhatIsPreparedIsSentAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target := w.accept(t)
	if got := w.first(t, target); got != activities.OutcomeDelivered {
		t.Errorf("outcome = %s", got)
	}
	w.check(t, target, busbar.DeliveryDelivered, []int{1}, "")
}

// Temporal was slow to start the event; meanwhile a person has cancelled its delivery.
func TestWhatWaitedTooLongIsReadAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target := w.accept(t)
	w.now = w.now.Add(store.StartClaim)
	if _, err := w.CloseDelivery(t.Context(), target.DeliveryID, busbar.DeliveryCancelled, "by request"); err != nil {
		t.Fatal(err)
	}
	if got := w.first(t, target); got != activities.OutcomeCancelled {
		t.Errorf("outcome = %s", got)
	}
	w.check(t, target, busbar.DeliveryCancelled, nil)
}

// The claim was there, but nothing was sent with it: that is no attempt.
func TestWaitingIsNoAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target := w.accept(t)
	w.now = w.now.Add(store.StartClaim)
	if got := w.first(t, target); got != activities.OutcomeDelivered {
		t.Errorf("outcome = %s", got)
	}
	w.check(t, target, busbar.DeliveryDelivered, []int{1}, "")
}

// The process that had prepared it is gone, and perhaps it was sent.
func TestWhatACrashedProcessHadPreparedCountsAsInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target := w.accept(t)
	clear(w.prepared)
	if got := w.first(t, target); got != activities.OutcomeDelivered {
		t.Errorf("outcome = %s", got)
	}
	w.check(t, target, busbar.DeliveryDelivered, []int{2}, busbar.AttemptInterrupted, "")
}

func TestARecordIsWaitedForRatherThanSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	target := w.accept(t)
	w.unrecorded = 1
	if got := w.first(t, target); got != activities.OutcomeDelivered {
		t.Errorf("outcome = %s", got)
	}
	w.check(t, target, busbar.DeliveryDelivered, []int{1}, "")
}
