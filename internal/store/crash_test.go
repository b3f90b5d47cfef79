package store_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
	"busbar/internal/storetest"
)

// Two clients that repeat the same two requests at two processes lock the same rows in another order.
func TestTransactionsThatWaitForEachOtherBothCommit(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), store.Config{URL: storetest.Postgres(t), Keyring: newKeyring(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	var both sync.WaitGroup
	both.Add(2)
	run := func(first, second string) error {
		var once sync.Once
		return s.Decide(t.Context(), []busbar.Environment{busbar.Sandbox}, func(tx *store.DecisionTx) error {
			key := store.IdempotencyKey{APIKeyID: "key_1", Route: "POST /v1/events", Key: first}
			found, _, err := tx.Reserve(key)
			if err != nil {
				return err
			}
			if !found {
				if err := tx.Keep(key, store.Answer{Status: 1, Body: []byte(`{}`)}); err != nil {
					return err
				}
			}
			once.Do(func() { both.Done(); both.Wait() })
			key.Key = second
			found, _, err = tx.Reserve(key)
			if err != nil || found {
				return err
			}
			return tx.Keep(key, store.Answer{Status: 1, Body: []byte(`{}`)})
		})
	}
	var group sync.WaitGroup
	group.Go(func() {
		if err := run("a", "b"); err != nil {
			t.Errorf("a, b: %v", err)
		}
	})
	group.Go(func() {
		if err := run("b", "a"); err != nil {
			t.Errorf("b, a: %v", err)
		}
	})
	group.Wait()
}

func TestAClaimThatSentNothingIsNoAttempt(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := accept(t, s, nil).Deliveries[0].ID
		claimAs(t, s, id, "w")
		c, err := s.Claim(t.Context(), store.ClaimRequest{DeliveryID: id, Owner: "w", For: time.Minute, Unsent: true})
		if err != nil || c.Outcome != store.Claimed || c.Attempt != 1 {
			t.Errorf("claim = %s of attempt %d, %v; want attempt 1", c.Outcome, c.Attempt, err)
		}
		checkAttempts(t, s, id)
		// Another's claim says nothing about whether the one before sent.
		s.clock.advance(2 * time.Minute)
		c, err = s.Claim(t.Context(), store.ClaimRequest{DeliveryID: id, Owner: "other", For: time.Minute, Unsent: true})
		if err != nil || c.Outcome != store.Claimed || c.Attempt != 2 {
			t.Errorf("claim = %s of attempt %d, %v; want attempt 2", c.Outcome, c.Attempt, err)
		}
		checkAttempts(t, s, id, busbar.AttemptInterrupted)
	})
}

func TestAnAttemptCutByCancellingIsOnRecord(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := accept(t, s, nil).Deliveries[0].ID
		claimAs(t, s, id, "w")
		if _, err := s.CloseDelivery(t.Context(), id, busbar.DeliveryCancelled, "by request"); err != nil {
			t.Fatal(err)
		}
		if c := claimAs(t, s, id, "stranger"); c.Outcome != store.ClaimClosed {
			t.Errorf("claim = %s", c.Outcome)
		}
		checkAttempts(t, s, id)
		if c := claimAs(t, s, id, "w"); c.Outcome != store.ClaimClosed {
			t.Errorf("claim = %s", c.Outcome)
		}
		checkAttempts(t, s, id, busbar.AttemptInterrupted)
		d, err := s.Delivery(t.Context(), busbar.Sandbox, id)
		if err != nil || d.Status != busbar.DeliveryCancelled || d.Attempts != 1 {
			t.Errorf("delivery = %s after %d attempts, %v", d.Status, d.Attempts, err)
		}
	})
}

// A failed attempt whose delivery was cancelled meanwhile must not keep a retry by hand waiting for its claim to end.
func TestARetryAfterCancellingNeedNotWait(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := accept(t, s, nil).Deliveries[0].ID
		claimAs(t, s, id, "w")
		if _, err := s.CloseDelivery(t.Context(), id, busbar.DeliveryCancelled, "by request"); err != nil {
			t.Fatal(err)
		}
		failed := finished(id, 1, busbar.DeliveryPending)
		failed.Attempt.StatusCode, failed.Attempt.ErrorClass = 500, "http_status"
		if err := s.Finish(t.Context(), []*store.Finished{failed}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.RequestRetry(t.Context(), busbar.Sandbox, id, func(busbar.Delivery) string { return "again" }); err != nil {
			t.Fatal(err)
		}
		if c := claimAs(t, s, id, "again"); c.Outcome != store.Claimed || c.Attempt != 2 {
			t.Errorf("claim = %s of attempt %d, want claimed 2", c.Outcome, c.Attempt)
		}
		checkAttempts(t, s, id, "http_status")
	})
}

func TestARetryIsToldOfAnAttemptUnderWay(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := accept(t, s, nil).Deliveries[0].ID
		retry := func() bool {
			t.Helper()
			_, underWay, err := s.RequestRetry(t.Context(), busbar.Sandbox, id, nil)
			if err != nil {
				t.Fatal(err)
			}
			return underWay
		}
		if retry() {
			t.Error("an attempt is under way before any was claimed")
		}
		claimAs(t, s, id, "w")
		if !retry() {
			t.Error("the attempt under way was not seen")
		}
		s.clock.advance(2 * time.Minute)
		if retry() {
			t.Error("an attempt is under way after its claim has ended")
		}
	})
}

func TestHurriedDeliveriesAreFoundUntilTheyAreTried(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := accept(t, s, nil).Deliveries[0].ID
		accept(t, s, nil)
		hurried := func() []busbar.DeliveryID {
			t.Helper()
			list, err := s.Hurried(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			var ids []busbar.DeliveryID
			for _, d := range list {
				ids = append(ids, d.ID)
			}
			return ids
		}
		if got := hurried(); got != nil {
			t.Errorf("hurried = %v before anybody asked", got)
		}
		if _, _, err := s.RequestRetry(t.Context(), busbar.Sandbox, id, nil); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]busbar.DeliveryID{id}, hurried()); diff != "" {
			t.Errorf("hurried (-want +got):\n%s", diff)
		}
		claimAs(t, s, id, "w")
		if got := hurried(); got != nil {
			t.Errorf("hurried = %v while it is sent", got)
		}
		if err := s.Finish(t.Context(), []*store.Finished{finished(id, 1, busbar.DeliveryPending)}); err != nil {
			t.Fatal(err)
		}
		if got := hurried(); got != nil {
			t.Errorf("hurried = %v after it was tried", got)
		}
	})
}

// A crash in the middle of a deletion, or an attempt under way, leaves deliveries that no workflow will look at.
func TestParkedDeliveriesOfADeletedEndpointAreCancelled(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		park := func(a *store.Accepted) { a.Deliveries[0].Status = busbar.DeliveryParked }
		orphan := accept(t, s, park).Deliveries[0]
		e := newEndpoint(s, busbar.Sandbox)
		kept := e.ID
		if err := once(t.Context(), s.Store, func(tx *store.Tx) error { return tx.CreateEndpoint(e, nil) }); err != nil {
			t.Fatal(err)
		}
		parked := accept(t, s, func(a *store.Accepted) { park(a); a.Deliveries[0].EndpointID = kept }).Deliveries[0]
		another := accept(t, s, park).Deliveries[0]
		if err := s.CancelOrphans(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := map[busbar.DeliveryID]busbar.DeliveryStatus{}
		for _, id := range []busbar.DeliveryID{orphan.ID, parked.ID, another.ID} {
			d, err := s.Delivery(t.Context(), busbar.Sandbox, id)
			if err != nil {
				t.Fatal(err)
			}
			got[id] = d.Status
		}
		want := map[busbar.DeliveryID]busbar.DeliveryStatus{
			orphan.ID: busbar.DeliveryCancelled, parked.ID: busbar.DeliveryParked, another.ID: busbar.DeliveryCancelled,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
	})
}

// What is parked has not come to its end, whoever parked it.
func TestParkingIsNoEnd(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		id := accept(t, s, nil).Deliveries[0].ID
		claimAs(t, s, id, "w")
		if err := s.Finish(t.Context(), []*store.Finished{finished(id, 1, busbar.DeliveryParked)}); err != nil {
			t.Fatal(err)
		}
		d, err := s.Delivery(t.Context(), busbar.Sandbox, id)
		if err != nil || d.Status != busbar.DeliveryParked || !d.CompletedAt.IsZero() {
			t.Errorf("delivery = %s, completed at %s, %v", d.Status, d.CompletedAt, err)
		}
	})
}

func checkAttempts(t *testing.T, s *opened, id busbar.DeliveryID, classes ...string) {
	t.Helper()
	attempts, err := s.Attempts(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range attempts {
		got = append(got, a.ErrorClass)
	}
	if diff := cmp.Diff(classes, got); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}
