package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
	"busbar/rules"
)

func newRule(s *opened, id busbar.RuleID) *busbar.Rule {
	return &busbar.Rule{
		ID: id, Environment: busbar.Sandbox, Name: "Charge the car", Mode: "active", Text: []byte(`{"name":"Charge the car"}`), Source: "name: Charge the car # so\n",
		CreatedAt: s.clock.now(), UpdatedAt: s.clock.now(),
	}
}

func mustRule(t *testing.T, s *opened, r *busbar.Rule) *busbar.Rule {
	t.Helper()
	if err := once(t.Context(), s.Store, func(tx *store.Tx) error { return tx.CreateRule(r) }); err != nil {
		t.Fatalf("create rule: %v", err)
	}
	return r
}

func saveRule(t *testing.T, s *opened, id busbar.RuleID, restored int, change func(*busbar.Rule)) busbar.Rule {
	t.Helper()
	var r busbar.Rule
	err := once(t.Context(), s.Store, func(tx *store.Tx) error {
		var err error
		r, err = tx.SaveRule(busbar.Sandbox, id, restored, func(r *busbar.Rule) error { change(r); return nil })
		return err
	})
	if err != nil {
		t.Fatalf("save rule: %v", err)
	}
	return r
}

func anything(*busbar.Rule) error { return nil }

// hold makes a rule hold for a key, with a run that says so, and has it fired once before.
func hold(t *testing.T, s *opened, id busbar.RuleID, key string, shadow bool) busbar.RunID {
	t.Helper()
	run := busbar.Run{
		ID: busbar.RunID("run_" + string(id) + key), Environment: busbar.Sandbox, RuleID: id, RuleVersion: 1, Key: key, Trigger: "event",
		EventID: "evt_1", Decision: "holding", DecidedAt: s.clock.now(), HoldID: "hold_" + string(id) + key, Shadow: shadow,
	}
	decideSandbox(t, s.Store, func(tx *store.DecisionTx) error {
		return errors.Join(tx.InsertRuns([]busbar.Run{run}), tx.SaveRuleKeys([]store.RuleKey{{
			RuleKeyRef: store.RuleKeyRef{Environment: busbar.Sandbox, Key: key, RuleID: id, Shadow: shadow},
			Edge: rules.EdgeState{Version: 1, Number: 3, FiredAt: s.clock.now(), Hold: &rules.Hold{
				ID: run.HoldID, Version: 1, EventID: "evt_1", Since: s.clock.now(), Due: s.clock.now().Add(time.Minute),
			}},
		}}))
	})
	return run.ID
}

func decisionOf(t *testing.T, s *opened, id busbar.RunID) string {
	t.Helper()
	var run busbar.Run
	decideSandbox(t, s.Store, func(tx *store.DecisionTx) error {
		var err error
		run, err = tx.Run(busbar.Sandbox, id)
		return err
	})
	return run.Decision
}

func edgeOf(t *testing.T, s *opened, id busbar.RuleID, key string, shadow bool) rules.EdgeState {
	t.Helper()
	var edge rules.EdgeState
	decideSandbox(t, s.Store, func(tx *store.DecisionTx) error {
		var err error
		edge, err = tx.RuleKeyOf(store.RuleKeyRef{Environment: busbar.Sandbox, Key: key, RuleID: id, Shadow: shadow})
		return err
	})
	return edge
}

func TestRulesAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		first := mustRule(t, s, newRule(s, "rule_a"))
		s.clock.advance(time.Second)
		second := newRule(s, "rule_b")
		second.Mode, second.Windowed, second.Source = "disabled", true, ""
		mustRule(t, s, second)
		got, err := s.Rule(t.Context(), busbar.Sandbox, "rule_a")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(*first, got); diff != "" || got.Version != 1 {
			t.Errorf("rule changed on its way (-written +read):\n%s", diff)
		}
		_, err = s.Rule(t.Context(), busbar.Live, "rule_a")
		wantCode(t, err, busbar.CodeNotFound)
		wantCode(t, once(t.Context(), s.Store, func(tx *store.Tx) error { return tx.CreateRule(newRule(s, "rule_a")) }), busbar.CodeConflict)
		for mode, want := range map[rules.Mode][]busbar.Rule{
			"": {*second, *first}, rules.ModeActive: {*first}, rules.ModeDisabled: {*second}, rules.ModeShadow: {},
		} {
			page, err := s.Rules(t.Context(), busbar.Sandbox, mode, busbar.PageRequest{Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, page.Items); diff != "" {
				t.Errorf("list of mode %q (-want +got):\n%s", mode, diff)
			}
		}
		page, err := s.Rules(t.Context(), busbar.Sandbox, "", busbar.PageRequest{Limit: 1})
		if err != nil || page.Items[0].ID != "rule_b" || page.NextCursor == "" {
			t.Fatalf("first page: %+v, %v", page, err)
		}
		page, err = s.Rules(t.Context(), busbar.Sandbox, "", busbar.PageRequest{Limit: 1, Cursor: page.NextCursor})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != "rule_a" || page.NextCursor != "" {
			t.Errorf("second page: %+v, %v", page, err)
		}
	})
}

func TestEverySaveOfARuleIsAVersion(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		mustRule(t, s, newRule(s, "rule_a"))
		s.clock.advance(time.Second)
		saved := saveRule(t, s, "rule_a", 0, func(r *busbar.Rule) {
			r.ID, r.CreatedAt, r.Version = "other", time.Time{}, 9
			r.Name, r.Text, r.Source, r.Windowed = "Second", []byte(`{"name":"Second"}`), "", true
		})
		want := *newRule(s, "rule_a")
		want.CreatedAt = s.clock.now().Add(-time.Second)
		want.Name, want.Text, want.Source, want.Windowed, want.Version = "Second", []byte(`{"name":"Second"}`), "", true, 2
		if diff := cmp.Diff(want, saved); diff != "" {
			t.Errorf("saved (-want +got):\n%s", diff)
		}
		got, err := s.Rule(t.Context(), busbar.Sandbox, "rule_a")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("read (-want +got):\n%s", diff)
		}
		s.clock.advance(time.Second)
		first, err := s.RuleVersion(t.Context(), busbar.Sandbox, "rule_a", 1)
		if err != nil || string(first.Text) != `{"name":"Charge the car"}` || first.Source != "name: Charge the car # so\n" {
			t.Fatalf("first version: %+v, %v", first, err)
		}
		saveRule(t, s, "rule_a", 1, func(r *busbar.Rule) { r.Text, r.Source = first.Text, first.Source })
		var numbers []string
		req := busbar.PageRequest{Limit: 2}
		for range 2 {
			page, err := s.RuleVersions(t.Context(), busbar.Sandbox, "rule_a", req)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range page.Items {
				numbers = append(numbers, fmt.Sprintf("%d of %d", v.Number, v.Restored))
			}
			req.Cursor = page.NextCursor
		}
		if diff := cmp.Diff([]string{"3 of 1", "2 of 0", "1 of 0"}, numbers); diff != "" || req.Cursor != "" {
			t.Errorf("versions (-want +got), cursor %q:\n%s", req.Cursor, diff)
		}
		_, err = s.RuleVersion(t.Context(), busbar.Sandbox, "rule_a", 4)
		wantCode(t, err, busbar.CodeNotFound)
		_, err = s.RuleVersions(t.Context(), busbar.Sandbox, "rule_z", req)
		wantCode(t, err, busbar.CodeNotFound)
		refused := errors.New("refused")
		err = once(t.Context(), s.Store, func(tx *store.Tx) error {
			_, err := tx.SaveRule(busbar.Sandbox, "rule_a", 0, func(*busbar.Rule) error { return refused })
			return err
		})
		if got, _ := s.Rule(t.Context(), busbar.Sandbox, "rule_a"); !errors.Is(err, refused) || got.Version != 3 {
			t.Errorf("after a refused save: %v, version %d", err, got.Version)
		}
	})
}

func TestSavesOfRulesAndStopsReachOtherProcessesAtOnce(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		other := s.reopen(t)
		seen := func() (text string, stopped bool) {
			t.Helper()
			set, err := other.RuleSet(t.Context(), busbar.Sandbox)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range set.Rules {
				text += r.Mode + string(r.Text)
			}
			return text, set.Stopped("site_home")
		}
		want := func(text string, stopped bool) {
			t.Helper()
			if gotText, gotStopped := seen(); gotText != text || gotStopped != stopped {
				t.Errorf("another process sees %q, stopped %v; want %q, %v", gotText, gotStopped, text, stopped)
			}
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		want("", false)
		mustSite(t, s)
		mustRule(t, s, newRule(s, "rule_a"))
		want(`active{"name":"Charge the car"}`, false)
		saveRule(t, s, "rule_a", 0, func(r *busbar.Rule) { r.Text = []byte("2") })
		want("active2", false)
		_, err := s.SetRuleMode(t.Context(), busbar.Sandbox, "rule_a", rules.ModeShadow, anything)
		must(err)
		want("shadow2", false)
		for _, site := range []busbar.SiteID{"", "site_home"} {
			stop := busbar.AutomationStop{Environment: busbar.Sandbox, SiteID: site, By: "first", At: s.clock.now()}
			must(s.StopAutomation(t.Context(), &stop))
			want("shadow2", true)
			again := stop
			again.By = "second"
			must(s.StopAutomation(t.Context(), &again))
			set, err := other.RuleSet(t.Context(), busbar.Sandbox)
			must(err)
			if diff := cmp.Diff(stop, set.Stops[site]); diff != "" {
				t.Errorf("stop (-want +got):\n%s", diff)
			}
			must(s.ResumeAutomation(t.Context(), busbar.Sandbox, site))
			want("shadow2", false)
		}
		nowhere := busbar.AutomationStop{Environment: busbar.Sandbox, SiteID: "site_none", By: "x", At: s.clock.now()}
		wantCode(t, s.StopAutomation(t.Context(), &nowhere), busbar.CodeNotFound)
		must(s.DeleteRule(t.Context(), busbar.Sandbox, "rule_a"))
		want("", false)
		wantCode(t, s.DeleteRule(t.Context(), busbar.Sandbox, "rule_a"), busbar.CodeNotFound)
	})
}

func TestRulesThatAreOnAreLimited(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		const each = 25
		for first := 0; first < busbar.MaxActiveRules; first += each {
			err := once(t.Context(), s.Store, func(tx *store.Tx) error {
				for i := range each {
					r := newRule(s, busbar.RuleID(fmt.Sprint("rule_", first+i)))
					if i%2 == 0 {
						r.Mode = "shadow"
					}
					if err := tx.CreateRule(r); err != nil {
						return fmt.Errorf("rule %d: %w", first+i, err)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		one := newRule(s, "rule_more")
		wantCode(t, once(t.Context(), s.Store, func(tx *store.Tx) error { return tx.CreateRule(one) }), busbar.CodeConflict)
		one.Mode = "disabled"
		mustRule(t, s, one)
		turnOn := func() error {
			_, err := s.SetRuleMode(t.Context(), busbar.Sandbox, "rule_more", rules.ModeActive, anything)
			return err
		}
		wantCode(t, turnOn(), busbar.CodeConflict)
		err := once(t.Context(), s.Store, func(tx *store.Tx) error {
			_, err := tx.SaveRule(busbar.Sandbox, "rule_more", 0, func(r *busbar.Rule) error { r.Mode = "shadow"; return nil })
			return err
		})
		wantCode(t, err, busbar.CodeConflict)
		// Those that are on may be saved, and go from one to the other.
		saveRule(t, s, "rule_1", 0, func(r *busbar.Rule) { r.Mode = "shadow" })
		if _, err := s.SetRuleMode(t.Context(), busbar.Sandbox, "rule_2", rules.ModeDisabled, anything); err != nil {
			t.Fatal(err)
		}
		if err := turnOn(); err != nil {
			t.Errorf("there is room again: %v", err)
		}
	})
}

func TestARuleThatLeavesAModeGivesUpWhatItHeldThere(t *testing.T) {
	t.Parallel()
	const key = "device:dev_battery"
	eachStore(t, func(t *testing.T, s *opened) {
		for name, leave := range map[string]func(id busbar.RuleID) error{
			"set": func(id busbar.RuleID) error {
				_, err := s.SetRuleMode(t.Context(), busbar.Sandbox, id, rules.ModeDisabled, anything)
				return err
			},
			"saved": func(id busbar.RuleID) error {
				return once(t.Context(), s.Store, func(tx *store.Tx) error {
					_, err := tx.SaveRule(busbar.Sandbox, id, 0, func(r *busbar.Rule) error { r.Mode = "shadow"; return nil })
					return err
				})
			},
		} {
			id := mustRule(t, s, newRule(s, busbar.RuleID("rule_"+name))).ID
			active, shadow := hold(t, s, id, key, false), hold(t, s, id, key+"_", true)
			before := edgeOf(t, s, id, key, false)
			saveRule(t, s, id, 0, func(*busbar.Rule) {})
			if diff := cmp.Diff(before, edgeOf(t, s, id, key, false)); diff != "" {
				t.Errorf("%s: a new version touched the edge:\n%s", name, diff)
			}
			if _, err := s.SetRuleMode(t.Context(), busbar.Sandbox, id, rules.ModeActive, anything); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, edgeOf(t, s, id, key, false)); diff != "" {
				t.Errorf("%s: the same mode again touched the edge:\n%s", name, diff)
			}
			if err := leave(id); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(rules.EdgeState{Number: 3, FiredAt: before.FiredAt}, edgeOf(t, s, id, key, false)); diff != "" {
				t.Errorf("%s: edge (-want +got):\n%s", name, diff)
			}
			if got := decisionOf(t, s, active); got != "superseded" {
				t.Errorf("%s: the run that held is %s", name, got)
			}
			if got := decisionOf(t, s, shadow); got != "holding" || edgeOf(t, s, id, key+"_", true).Hold == nil {
				t.Errorf("%s: the run that holds in shadow is %s", name, got)
			}
		}
	})
}

func TestDeletingWhatAKeyIsAboutEndsItsHolds(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		site := mustSite(t, s)
		device := mustDevice(t, s, newDevice(s, "dev_battery", site.ID))
		rule := mustRule(t, s, newRule(s, "rule_a")).ID
		onDevice, onSite, onRule := rules.DeviceKey(device.ID), rules.SiteKey(site.ID), "rule"
		for _, step := range []struct {
			key    string
			remove func() error
		}{
			{onDevice, func() error { return s.DeleteDevice(t.Context(), busbar.Sandbox, device.ID) }},
			{onSite, func() error { return s.DeleteSite(t.Context(), busbar.Sandbox, site.ID) }},
			{onRule, func() error { return s.DeleteRule(t.Context(), busbar.Sandbox, rule) }},
		} {
			run := hold(t, s, rule, step.key, false)
			if err := step.remove(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(rules.EdgeState{}, edgeOf(t, s, rule, step.key, false)); diff != "" {
				t.Errorf("%s: edge is still there:\n%s", step.key, diff)
			}
			if got := decisionOf(t, s, run); got != "superseded" {
				t.Errorf("%s: the run that held is %s", step.key, got)
			}
		}
	})
}

func TestMissingSitesAreThoseThatAreNotThere(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		site := mustSite(t, s)
		missing, err := s.MissingSites(t.Context(), busbar.Sandbox, []string{"a", string(site.ID), "b"})
		if diff := cmp.Diff([]string{"a", "b"}, missing); diff != "" || err != nil {
			t.Errorf("missing (-want +got), %v:\n%s", err, diff)
		}
	})
}

func TestFiringsAreCountedByTheHour(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		mustRule(t, s, newRule(s, "rule_a"))
		hour := s.clock.now().Truncate(time.Hour)
		var runs []busbar.Run
		for i, r := range []struct {
			rule   busbar.RuleID
			at     time.Duration
			number int64
		}{{"rule_a", 0, 1}, {"rule_a", time.Minute, 2}, {"rule_a", time.Hour, 3}, {"rule_a", time.Minute, 0}, {"rule_b", time.Minute, 1}, {"rule_a", -time.Minute, 4}, {"rule_a", 2 * time.Hour, 5}} {
			runs = append(runs, busbar.Run{
				ID: busbar.RunID(fmt.Sprintf("run_%d", i)), Environment: busbar.Sandbox, RuleID: r.rule, RuleVersion: 1, Key: "rule", Trigger: "event",
				Decision: "fired", DecidedAt: hour.Add(r.at), Number: r.number,
			})
		}
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error { return tx.InsertRuns(runs) })
		got, err := s.CountFirings(t.Context(), busbar.Sandbox, hour, hour.Add(2*time.Hour), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		want := []store.FiringBucket{{RuleID: "rule_a", At: hour, Count: 2}, {RuleID: "rule_a", At: hour.Add(time.Hour), Count: 1}, {RuleID: "rule_b", At: hour, Count: 1}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("firings (-want +got):\n%s", diff)
		}
	})
}
