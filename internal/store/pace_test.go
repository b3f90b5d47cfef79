package store_test

import (
	"sync"
	"testing"
	"time"

	"busbar"
	"busbar/internal/store"
)

// Two processes of a cluster; one alone counts in memory what it sends.
func TestAnInFlightLimitHoldsForAllWhoClaim(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		if s.Embedded() {
			return
		}
		other := s.reopen(t)
		id := subscribe(t, s)
		list := pend(t, s, id, 24)
		most := make(chan store.ClaimOutcome, len(list))
		var group sync.WaitGroup
		for i, d := range list[:16] {
			worker := []*store.Store{s.Store, other}[i%2]
			group.Go(func() {
				c, err := worker.Claim(t.Context(), store.ClaimRequest{
					DeliveryID: d.ID, EndpointID: id, MaxInFlight: 6, Owner: string(d.ID), For: time.Minute,
				})
				if err != nil {
					t.Error(err)
				}
				most <- c.Outcome
			})
		}
		group.Wait()
		close(most)
		got := map[store.ClaimOutcome]int{}
		for o := range most {
			got[o]++
		}
		if got[store.Claimed] != 6 || got[store.ClaimFull] != 10 {
			t.Fatalf("outcomes %v; want 6 claimed and 10 full", got)
		}
		fresh := store.FreshClaim{Owner: "first", For: time.Minute}
		for _, d := range list[16:] {
			fresh.Deliveries = append(fresh.Deliveries, store.Fresh{DeliveryID: d.ID, EndpointID: id, MaxInFlight: 8})
		}
		claimed, err := other.ClaimFresh(t.Context(), fresh)
		if err != nil || len(claimed) != 2 {
			t.Errorf("claimed %d together, %v; want the two that are left of 8", len(claimed), err)
		}
		// Claims of the dead count no longer than they hold.
		s.clock.advance(2 * time.Minute)
		if claimed, err = s.ClaimFresh(t.Context(), fresh); err != nil || len(claimed) != 6 {
			t.Errorf("claimed %d together, %v; want the six that nobody had claimed", len(claimed), err)
		}
	})
}

func TestARateLimitHoldsForAllWhoClaim(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		other := s.reopen(t)
		id := subscribe(t, s)
		list := pend(t, s, id, 12)
		claim := func(worker *store.Store, d busbar.Delivery) store.Claimable {
			t.Helper()
			c, err := worker.Claim(t.Context(), store.ClaimRequest{DeliveryID: d.ID, Owner: string(d.ID), For: time.Minute, Rate: 4})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		began := s.clock.now()
		for i, d := range list {
			worker := []*store.Store{s.Store, other}[i%2]
			c := claim(worker, d)
			want := time.Duration(i) * 250 * time.Millisecond
			if i == 0 && c.Outcome != store.Claimed || i > 0 && (c.Outcome != store.ClaimPaced || c.Wait != want) {
				t.Fatalf("delivery %d: %s, wait %s; want a place after %s", i, c.Outcome, c.Wait, want)
			}
		}
		// All come two seconds late: they go out one after the other all the same.
		s.clock.advance(2 * time.Second)
		waiting := list[1:]
		var at []time.Duration
		for range 1000 {
			var left []busbar.Delivery
			for i, d := range waiting {
				worker := []*store.Store{s.Store, other}[i%2]
				if c := claim(worker, d); c.Outcome == store.Claimed {
					at = append(at, s.clock.now().Sub(began))
				} else {
					left = append(left, d)
				}
			}
			if waiting = left; len(waiting) == 0 {
				break
			}
			s.clock.advance(50 * time.Millisecond)
		}
		if len(at) != 11 {
			t.Fatalf("%d of 11 went out", len(at))
		}
		for i := 1; i < len(at); i++ {
			if apart := at[i] - at[i-1]; apart < 250*time.Millisecond {
				t.Errorf("two went out within %s at 4 a second", apart)
			}
		}
		if last := at[len(at)-1]; last > 6*time.Second {
			t.Errorf("the last went out after %s", last)
		}
	})
}
