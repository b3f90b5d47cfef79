package store_test

import (
	"testing"
	"time"

	"busbar"
	"busbar/internal/store"
)

// A cancel or a result that comes while the workflow of an action is being started must not be forgotten with the start.
func TestAnActionThatMovesOnWhileItIsStartedIsToldAgain(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		mustSite(t, s)
		mustDevice(t, s, newDevice(s, "dev_battery", "site_home"))
		a := newAction(s, "act_1", busbar.SlotCurrent)
		a.UpdatedAt = s.clock.now()
		started := a.UpdatedAt
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error { return tx.InsertAction(a) })
		s.clock.advance(time.Second)
		a.UpdatedAt = s.clock.now()
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error { return tx.WakeAction(a) })
		if err := s.ActionStarted(t.Context(), a.ID, started); err != nil {
			t.Fatal(err)
		}
		s.clock.advance(store.StartClaim)
		left, err := s.ClaimActionStarts(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) != 1 || left[0].ID != a.ID || !left[0].Noted.Equal(a.UpdatedAt) {
			t.Errorf("left to be told: %+v, want %s as of its second move", left, a.ID)
		}
	})
}
