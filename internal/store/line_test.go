package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
)

// deliveryIDs are in order.
func deliveryIDs(list []busbar.Delivery) []busbar.DeliveryID {
	ids := make([]busbar.DeliveryID, len(list))
	for i, d := range list {
		ids[i] = d.ID
	}
	slices.Sort(ids)
	return ids
}

// It answers, and is not to be shown as one that failed.
func TestACircuitSaysWhetherItsEndpointIsBusyOrHasFailed(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		busy, failed := subscribe(t, s), subscribe(t, s)
		for i, want := range []bool{true, false} {
			if begun, err := s.Crowd(t.Context(), busbar.Sandbox, busy); err != nil || begun != want {
				t.Errorf("line %d: %v, %v, want %v", i, begun, err, want)
			}
		}
		if got := circuit(t, s, busy); got.State != busbar.CircuitHalfOpen || !got.Crowded {
			t.Errorf("circuit of a busy endpoint = %+v", got)
		}
		open(t, s, failed)
		s.clock.advance(busbar.FirstProbe)
		if taken, err := s.TryCircuit(t.Context(), failed); err != nil || !taken {
			t.Fatalf("TryCircuit = %v, %v", taken, err)
		}
		if got := circuit(t, s, failed); got.State != busbar.CircuitHalfOpen || got.Crowded {
			t.Errorf("circuit of an endpoint that is being tried = %+v", got)
		}
	})
}

func TestParkingTogetherTakesOnlyWhatNobodySendsAndNobodyTakes(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		shut, well := subscribe(t, s), subscribe(t, s)
		parked, sent, due := pend(t, s, shut, 2), pend(t, s, shut, 1)[0], pend(t, s, well, 1)[0]
		if _, err := s.Claim(t.Context(), store.ClaimRequest{DeliveryID: sent.ID, Owner: "other", For: time.Minute}); err != nil {
			t.Fatal(err)
		}
		if err := s.DisableEndpoint(t.Context(), busbar.Sandbox, shut, "by hand", false); err != nil {
			t.Fatal(err)
		}
		all := append(slices.Clone(parked), sent, due)
		got, err := s.ParkAll(t.Context(), busbar.Sandbox, deliveryIDs(all))
		slices.Sort(got)
		if diff := cmp.Diff(deliveryIDs(parked), got); err != nil || diff != "" {
			t.Errorf("parked (-want +got), %v:\n%s", err, diff)
		}
		standing, err := s.Standing(t.Context(), append(deliveryIDs(all), "dlv_unknown"))
		if err != nil {
			t.Fatal(err)
		}
		counts := make(map[busbar.DeliveryStatus]int)
		for _, d := range standing {
			counts[d.Status]++
		}
		want := map[busbar.DeliveryStatus]int{busbar.DeliveryParked: 2, busbar.DeliveryPending: 2}
		if diff := cmp.Diff(want, counts); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
	})
}
