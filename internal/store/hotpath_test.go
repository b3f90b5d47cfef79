package store_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
)

// accept stores one event with one pending delivery, the way intake does.
func accept(t *testing.T, s *opened, mutate func(*store.Accepted)) store.Accepted {
	t.Helper()
	now := s.clock.now()
	e := busbar.Event{
		ID: busbar.NewEventID(), Environment: busbar.Sandbox, Type: "device.updated", Timestamp: now, ReceivedAt: now,
		Data: json.RawMessage(`{"state":{"level":100}}`),
	}
	e.Causation.RootEventID = e.ID
	a := store.Accepted{Event: e, Deliveries: []busbar.Delivery{{
		ID: busbar.NewDeliveryID(), Environment: e.Environment, EventID: e.ID, EventType: e.Type,
		EndpointID: busbar.NewEndpointID(), Status: busbar.DeliveryPending, NextAttemptAt: now,
		WorkflowID: e.WorkflowID(), CreatedAt: now,
	}}}
	if mutate != nil {
		mutate(&a)
	}
	decide(t, s, func(tx *store.DecisionTx) error {
		taken, err := tx.UseEventIDs(s.clock.now(), map[store.EventRef]store.ContentHash{{Environment: e.Environment, ID: e.ID}: {1}})
		if err != nil || len(taken) > 0 {
			t.Fatalf("UseEventIDs = %v, %v", taken, err)
		}
		return tx.Insert([]store.Accepted{a})
	})
	return a
}

func decide(t *testing.T, s *opened, fn func(tx *store.DecisionTx) error) {
	t.Helper()
	if err := s.Decide(t.Context(), []busbar.Environment{busbar.Sandbox}, fn); err != nil {
		t.Fatalf("Decide: %v", err)
	}
}

func claimAs(t *testing.T, s *opened, id busbar.DeliveryID, owner string) store.Claimable {
	t.Helper()
	c, err := s.Claim(t.Context(), store.ClaimRequest{DeliveryID: id, Owner: owner, For: time.Minute})
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	return c
}

func finished(id busbar.DeliveryID, number int, status busbar.DeliveryStatus) *store.Finished {
	return &store.Finished{Status: status, Attempt: busbar.Attempt{
		DeliveryID: id, Number: number, At: time.UnixMicro(1_780_000_000_000_000).UTC(), Duration: 12 * time.Millisecond,
		StatusCode: 200, RequestHeaders: map[string][]string{"Webhook-Id": {"evt_1"}},
	}}
}

func TestAnEventIDIsTakenOnce(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		a := accept(t, s, nil)
		known := store.EventRef{Environment: a.Event.Environment, ID: a.Event.ID}
		other := store.EventRef{Environment: busbar.Live, ID: a.Event.ID}
		fresh := store.EventRef{Environment: busbar.Sandbox, ID: "mine"}
		decide(t, s, func(tx *store.DecisionTx) error {
			taken, err := tx.UseEventIDs(s.clock.now(), map[store.EventRef]store.ContentHash{known: {2}, other: {2}, fresh: {2}})
			if diff := cmp.Diff(map[store.EventRef]store.ContentHash{known: {1}}, taken); diff != "" {
				t.Errorf("taken (-want +got):\n%s", diff)
			}
			return err
		})
	})
}

func TestAFailedDecisionLeavesNothing(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		ref := store.EventRef{Environment: busbar.Sandbox, ID: "evt_half"}
		stop := context.Canceled
		err := s.Decide(t.Context(), []busbar.Environment{busbar.Sandbox}, func(tx *store.DecisionTx) error {
			if _, err := tx.UseEventIDs(s.clock.now(), map[store.EventRef]store.ContentHash{ref: {1}}); err != nil {
				t.Errorf("UseEventIDs: %v", err)
			}
			return stop
		})
		if err == nil {
			t.Fatal("Decide swallowed the error")
		}
		decide(t, s, func(tx *store.DecisionTx) error {
			taken, err := tx.UseEventIDs(s.clock.now(), map[store.EventRef]store.ContentHash{ref: {1}})
			if len(taken) != 0 {
				t.Errorf("the id of a failed decision is taken: %v", taken)
			}
			return err
		})
	})
}

func TestStartsAreClaimedByOneAtATime(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		a := accept(t, s, func(a *store.Accepted) {
			a.Claimed = map[busbar.DeliveryID]store.Claim{
				a.Deliveries[0].ID: {Owner: "first", Until: s.clock.now().Add(time.Hour), Attempt: 1},
			}
		})
		if refs, err := s.ClaimStarts(t.Context(), 10); err != nil || len(refs) != 0 {
			t.Fatalf("ClaimStarts of a fresh event = %v, %v; its own process has some seconds", refs, err)
		}
		if c := claimAs(t, s, a.Deliveries[0].ID, "other"); c.Outcome != store.ClaimHeld {
			t.Errorf("a claimed delivery is %s for another owner, want held", c.Outcome)
		}
		if err := s.ReleaseStarts(t.Context()); err != nil {
			t.Fatal(err)
		}
		refs, err := s.ClaimStarts(t.Context(), 10)
		want := []store.EventRef{{Environment: a.Event.Environment, ID: a.Event.ID}}
		if diff := cmp.Diff(want, refs); err != nil || diff != "" {
			t.Fatalf("ClaimStarts: %v (-want +got):\n%s", err, diff)
		}
		if again, err := s.ClaimStarts(t.Context(), 10); err != nil || len(again) != 0 {
			t.Errorf("ClaimStarts again = %v, %v; want none", again, err)
		}
		if c := claimAs(t, s, a.Deliveries[0].ID, "other"); c.Outcome != store.Claimed || c.Attempt != 1 {
			t.Errorf("after the sweep took the event over, Claim = %s of attempt %d, want claimed 1", c.Outcome, c.Attempt)
		}
		if b, err := s.Backlog(t.Context()); err != nil || b.Count != 1 || b.Oldest.IsZero() {
			t.Errorf("Backlog = %+v, %v; want one", b, err)
		}
		if err := s.Started(t.Context(), refs); err != nil {
			t.Fatal(err)
		}
		if b, err := s.Backlog(t.Context()); err != nil || b.Count != 0 {
			t.Errorf("Backlog after Started = %+v, %v; want none", b, err)
		}
	})
}

func TestAParkedEventNeedsNoStart(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		a := accept(t, s, func(a *store.Accepted) { a.Deliveries[0].Status = busbar.DeliveryParked })
		if b, err := s.Backlog(t.Context()); err != nil || b.Count != 0 {
			t.Errorf("Backlog = %+v, %v; want none", b, err)
		}
		if c := claimAs(t, s, a.Deliveries[0].ID, "w"); c.Outcome != store.ClaimClosed {
			t.Errorf("Claim of a parked delivery = %s, want closed", c.Outcome)
		}
	})
}

func TestAClaimIsForOneOwner(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := accept(t, s, nil).Deliveries[0].ID
		if c := claimAs(t, s, id, "w1"); c.Outcome != store.Claimed || c.Attempt != 1 || c.Manual {
			t.Fatalf("first claim = %+v", c)
		}
		if c := claimAs(t, s, id, "w2"); c.Outcome != store.ClaimHeld || c.Wait <= 0 {
			t.Errorf("claim of another = %s, wait %s; want held", c.Outcome, c.Wait)
		}
		if err := s.Unclaim(t.Context(), "w2", id); err != nil {
			t.Fatal(err)
		}
		if c := claimAs(t, s, id, "w2"); c.Outcome != store.ClaimHeld {
			t.Errorf("giving back another's claim took effect: %s", c.Outcome)
		}
		if err := s.Unclaim(t.Context(), "w1", id); err != nil {
			t.Fatal(err)
		}
		if c := claimAs(t, s, id, "w2"); c.Outcome != store.Claimed || c.Attempt != 1 {
			t.Errorf("after giving back: %s of attempt %d, want claimed 1", c.Outcome, c.Attempt)
		}
	})
}

func TestAnAttemptCutByACrashIsOnRecord(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := accept(t, s, nil).Deliveries[0].ID
		claimAs(t, s, id, "w")
		c := claimAs(t, s, id, "w")
		if c.Outcome != store.Claimed || c.Attempt != 2 {
			t.Fatalf("claim after a crash = %s of attempt %d, want claimed 2", c.Outcome, c.Attempt)
		}
		if err := s.Finish(t.Context(), []*store.Finished{finished(id, 2, busbar.DeliveryDelivered)}); err != nil {
			t.Fatal(err)
		}
		attempts, err := s.Attempts(t.Context(), id)
		if err != nil || len(attempts) != 2 {
			t.Fatalf("Attempts = %d, %v; want 2", len(attempts), err)
		}
		if attempts[0].ErrorClass != busbar.AttemptInterrupted || attempts[1].ErrorClass != "" {
			t.Errorf("classes are %q and %q", attempts[0].ErrorClass, attempts[1].ErrorClass)
		}
		d, err := s.Delivery(t.Context(), busbar.Sandbox, id)
		if err != nil || d.Status != busbar.DeliveryDelivered || d.Attempts != 2 || d.Step != 0 {
			t.Errorf("delivery = %+v, %v", d, err)
		}
	})
}

func TestFinishMovesEachDeliveryOn(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		first, second, third := accept(t, s, nil), accept(t, s, nil), accept(t, s, nil)
		ids := []busbar.DeliveryID{first.Deliveries[0].ID, second.Deliveries[0].ID, third.Deliveries[0].ID}
		for _, id := range ids {
			claimAs(t, s, id, "w")
		}
		next := s.clock.now().Add(time.Hour)
		retry := finished(ids[1], 1, busbar.DeliveryPending)
		retry.Step, retry.NextAttemptAt, retry.Attempt.Error, retry.Attempt.StatusCode = 1, next, "HTTP 500", 500
		if _, err := s.CloseDelivery(t.Context(), ids[2], busbar.DeliveryCancelled, "by request"); err != nil {
			t.Fatal(err)
		}
		late := finished(ids[2], 1, busbar.DeliveryPending)
		batch := []*store.Finished{finished(ids[0], 1, busbar.DeliveryDelivered), retry, late}
		for range 2 { // the same twice is the same once
			if err := s.Finish(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
		type row struct {
			Status   busbar.DeliveryStatus
			Attempts int
			Step     int
			Code     int
			Error    string
			Next     time.Time
		}
		var got []row
		for _, id := range ids {
			d, err := s.Delivery(t.Context(), busbar.Sandbox, id)
			if err != nil {
				t.Fatal(err)
			}
			if (d.Status == busbar.DeliveryPending) != d.CompletedAt.IsZero() {
				t.Errorf("%s: completed at %s", d.Status, d.CompletedAt)
			}
			if d.Status != busbar.DeliveryPending {
				d.NextAttemptAt = time.Time{}
			}
			got = append(got, row{d.Status, d.Attempts, d.Step, d.LastStatusCode, d.LastError, d.NextAttemptAt})
		}
		want := []row{
			{busbar.DeliveryDelivered, 1, 0, 200, "", time.Time{}},
			{busbar.DeliveryPending, 1, 1, 500, "HTTP 500", next},
			{busbar.DeliveryCancelled, 1, 0, 200, "by request", time.Time{}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
		if c := claimAs(t, s, ids[1], "w"); c.Outcome != store.ClaimNotDue || c.Wait < 59*time.Minute {
			t.Errorf("claim before its time = %s, wait %s", c.Outcome, c.Wait)
		}
	})
}

func TestARetryByHandLeavesTheScheduleAlone(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := accept(t, s, nil).Deliveries[0].ID
		claimAs(t, s, id, "w")
		retry := finished(id, 1, busbar.DeliveryPending)
		retry.Step, retry.NextAttemptAt = 1, s.clock.now().Add(time.Hour)
		if err := s.Finish(t.Context(), []*store.Finished{retry}); err != nil {
			t.Fatal(err)
		}
		never := func(busbar.Delivery) string { t.Error("a pending delivery was opened again"); return "" }
		if _, _, err := s.RequestRetry(t.Context(), busbar.Sandbox, id, never); err != nil {
			t.Fatal(err)
		}
		if c := claimAs(t, s, id, "w"); c.Outcome != store.Claimed || !c.Manual || c.Attempt != 2 || c.Delivery.Step != 1 {
			t.Errorf("claim after RequestRetry = %+v", c)
		}
	})
}

func TestARetryOpensAnEndedDeliveryUnderAnotherWorkflow(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := accept(t, s, nil).Deliveries[0].ID
		claimAs(t, s, id, "w")
		if err := s.Finish(t.Context(), []*store.Finished{finished(id, 1, busbar.DeliveryFailed)}); err != nil {
			t.Fatal(err)
		}
		d, _, err := s.RequestRetry(t.Context(), busbar.Sandbox, id, func(busbar.Delivery) string { return "again" })
		if err != nil || d.Status != busbar.DeliveryPending || d.WorkflowID != "again" {
			t.Fatalf("RequestRetry = %+v, %v", d, err)
		}
		if c := claimAs(t, s, id, "w"); c.Outcome != store.Claimed || c.Attempt != 2 {
			t.Errorf("claim = %+v", c)
		}
		_, _, err = s.RequestRetry(t.Context(), busbar.Live, id, func(busbar.Delivery) string { return "" })
		if busbar.CodeOf(err) != busbar.CodeNotFound {
			t.Errorf("a retry from the other environment = %v, want NOT_FOUND", err)
		}
	})
}

func TestOverdueDeliveriesAreFoundInPages(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		want := map[busbar.DeliveryID]bool{}
		for range 3 {
			want[accept(t, s, nil).Deliveries[0].ID] = true
		}
		accept(t, s, func(a *store.Accepted) { a.Deliveries[0].NextAttemptAt = s.clock.now().Add(time.Hour) })
		held := accept(t, s, nil).Deliveries[0].ID
		claimAs(t, s, held, "w")
		got := map[busbar.DeliveryID]bool{}
		var position store.OverduePosition
		for {
			page, next, err := s.Overdue(t.Context(), s.clock.now().Add(time.Minute), position, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range page {
				got[d.ID] = true
			}
			if position = next; len(page) < 2 {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("overdue (-want +got):\n%s", diff)
		}
	})
}
