package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
)

func TestPurgeDeletesWhatIsOldAndNothingElse(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		old := accept(t, s, nil)
		claimAs(t, s, old.Deliveries[0].ID, "w")
		if err := s.Finish(t.Context(), []*store.Finished{finished(old.Deliveries[0].ID, 1, busbar.DeliveryDelivered)}); err != nil {
			t.Fatal(err)
		}
		id := subscribe(t, s)
		parked := accept(t, s, func(a *store.Accepted) {
			a.Deliveries[0].EndpointID, a.Deliveries[0].Status = id, busbar.DeliveryParked
		})
		pending := accept(t, s, nil)
		key := store.IdempotencyKey{APIKeyID: "key_1", Route: "POST /v1/endpoints", Key: "k"}
		if _, err := s.Once(t.Context(), &key, func(*store.Tx) (store.Answer, error) { return store.Answer{Status: 201}, nil }); err != nil {
			t.Fatal(err)
		}
		s.clock.advance(31 * 24 * time.Hour)
		fresh := accept(t, s, nil)

		var got store.Purged
		purge := func() {
			t.Helper()
			for range 3 { // in batches of one
				p, err := s.Purge(t.Context(), busbar.Retention{}, 1)
				if err != nil {
					t.Fatal(err)
				}
				got = got.Plus(p)
			}
		}
		purge()
		d, err := s.Delivery(t.Context(), busbar.Sandbox, parked.Deliveries[0].ID)
		if err != nil || d.Status != busbar.DeliveryFailed || d.LastError == "" {
			t.Errorf("what was parked for too long is %s (%q), %v; want failed, for people to see", d.Status, d.LastError, err)
		}
		if diff := cmp.Diff([]string{"delivery.exhausted "}, told(t, s)); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
		s.clock.advance(time.Hour + time.Second)
		purge()
		// Only PostgreSQL has days to drop.
		if diff := cmp.Diff(store.Purged{Events: 2, IdempotencyKeys: 1, Hours: 1, Expired: 1, Days: got.Days}, got); diff != "" {
			t.Errorf("purged (-want +got):\n%s", diff)
		}
		for _, c := range []struct {
			name string
			a    store.Accepted
			kept bool
		}{{"delivered", old, false}, {"parked", parked, false}, {"pending", pending, true}, {"fresh", fresh, true}} {
			_, err := s.Event(t.Context(), busbar.Sandbox, c.a.Event.ID)
			if kept := err == nil; kept != c.kept {
				t.Errorf("%s event kept: %v, want %v", c.name, kept, c.kept)
			}
			_, err = s.Delivery(t.Context(), busbar.Sandbox, c.a.Deliveries[0].ID)
			if kept := err == nil; kept != c.kept {
				t.Errorf("%s delivery kept: %v, want %v", c.name, kept, c.kept)
			}
		}
		if attempts, err := s.Attempts(t.Context(), old.Deliveries[0].ID); err != nil || len(attempts) != 0 {
			t.Errorf("attempts of a purged delivery = %v, %v", attempts, err)
		}
		ref := store.EventRef{Environment: busbar.Sandbox, ID: old.Event.ID}
		decide(t, s, func(tx *store.DecisionTx) error {
			taken, err := tx.UseEventIDs(s.clock.now(), map[store.EventRef]store.ContentHash{ref: {9}})
			if len(taken) != 0 {
				t.Errorf("the id of a purged event is still taken")
			}
			return err
		})
	})
}
