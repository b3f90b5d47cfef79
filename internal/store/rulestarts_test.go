package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
)

// firedRun is a run whose steps have yet to be taken.
func firedRun(id busbar.RunID, at time.Time) busbar.Run {
	return busbar.Run{
		ID: id, Environment: busbar.Sandbox, RuleID: "rule_1", RuleVersion: 3, Key: "device:dev_1", Trigger: "event", EventID: "evt_1",
		RootID: "evt_1", SiteID: "site_1", Decision: "fired", DecidedAt: at, Number: 1, Seq: 7, Status: busbar.RunOpen,
	}
}

func claimedStarts(t *testing.T, s *opened) []store.RuleStart {
	t.Helper()
	starts, err := s.ClaimRuleStarts(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	return starts
}

func TestStartsOfRulesAreLeftToTheProcessThatNotedThem(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		run := store.RuleStart{Environment: busbar.Sandbox, Kind: store.StartRun, ID: "run_1", RuleID: "rule_1", Key: "rule", Noted: s.clock.now()}
		hold := store.RuleStart{
			Environment: busbar.Sandbox, Kind: store.StartHold, ID: "hold_1", RuleID: "rule_1", Key: "rule", Shadow: true,
			Due: s.clock.now().Add(time.Hour), Noted: s.clock.now(),
		}
		noted := []store.RuleStart{hold, run}
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error { return tx.InsertRuleStarts(noted) })
		if got := claimedStarts(t, s); len(got) > 0 {
			t.Errorf("claimed at once: %+v", got)
		}
		s.clock.advance(store.StartClaim)
		got := claimedStarts(t, s)
		if diff := cmp.Diff(noted, got); diff != "" {
			t.Errorf("claimed (-want +got):\n%s", diff)
		}
		if again := claimedStarts(t, s); len(again) > 0 {
			t.Errorf("claimed by two: %+v", again)
		}
		for _, start := range noted {
			if err := s.RuleStarted(t.Context(), start); err != nil {
				t.Fatal(err)
			}
		}
		s.clock.advance(store.StartClaim)
		if left := claimedStarts(t, s); len(left) > 0 {
			t.Errorf("left after they were started: %+v", left)
		}
	})
}

// An action that ends while its run is being started must not be forgotten with the start.
func TestARunThatMovesOnWhileItIsStartedIsToldAgain(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		first := store.RuleStart{Environment: busbar.Sandbox, Kind: store.StartRun, ID: "run_1", RuleID: "rule_1", Key: "rule", Noted: s.clock.now()}
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error { return tx.InsertRuleStarts([]store.RuleStart{first}) })
		s.clock.advance(time.Second)
		second := first
		second.Noted = s.clock.now()
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error { return tx.WakeRun(second) })
		if err := s.RuleStarted(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		s.clock.advance(store.StartClaim)
		if diff := cmp.Diff([]store.RuleStart{second}, claimedStarts(t, s)); diff != "" {
			t.Errorf("claimed (-want +got):\n%s", diff)
		}
	})
}

func TestOpenRunsAreWalkedInPages(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		at := s.clock.now()
		runs := []busbar.Run{firedRun("run_a", at), firedRun("run_b", at), firedRun("run_c", at), firedRun("run_d", at.Add(time.Hour)), firedRun("run_e", at)}
		runs[1].Status = busbar.RunDone
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error { return tx.InsertRuns(runs) })
		var seen []busbar.RunID
		var position store.RunPosition
		for {
			page, next, err := s.OpenRuns(t.Context(), at.Add(time.Minute), position, 2)
			if err != nil {
				t.Fatal(err)
			}
			for i := range page {
				seen = append(seen, page[i].ID)
			}
			if position = next; len(page) < 2 {
				break
			}
		}
		if diff := cmp.Diff([]busbar.RunID{"run_a", "run_c", "run_e"}, seen); diff != "" {
			t.Errorf("open runs (-want +got):\n%s", diff)
		}
	})
}

func TestHoldsThatAreDueAreWalkedInPages(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		mustRule(t, s, newRule(s, "rule_1"))
		for _, key := range []string{"device:a", "device:b", "device:c"} {
			hold(t, s, "rule_1", key, key == "device:b")
		}
		s.clock.advance(time.Hour)
		hold(t, s, "rule_1", "device:later", false)
		var seen []store.RuleStart
		var position store.HoldPosition
		for {
			page, next, err := s.DueHolds(t.Context(), s.clock.now(), position, 2)
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, page...)
			if position = next; len(page) < 2 {
				break
			}
		}
		var want []store.RuleStart
		for _, key := range []string{"device:a", "device:b", "device:c"} {
			want = append(want, store.RuleStart{
				Environment: busbar.Sandbox, Kind: store.StartHold, ID: "hold_rule_1" + key, RuleID: "rule_1", Key: key,
				Shadow: key == "device:b", Due: s.clock.now().Add(time.Minute - time.Hour),
			})
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("due holds (-want +got):\n%s", diff)
		}
	})
}

func TestRulesWithAWindowAreFound(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		for id, change := range map[busbar.RuleID]func(*busbar.Rule){
			"rule_windowed": func(r *busbar.Rule) { r.Windowed = true }, "rule_plain": func(*busbar.Rule) {},
			"rule_off": func(r *busbar.Rule) { r.Windowed, r.Mode = true, "disabled" },
		} {
			r := newRule(s, id)
			change(r)
			mustRule(t, s, r)
		}
		found, err := s.WindowedRules(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != 1 || found[0].ID != "rule_windowed" {
			t.Errorf("found %+v", found)
		}
	})
}
