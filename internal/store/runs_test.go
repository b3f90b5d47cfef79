package store_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
	"busbar/internal/storetest"
	"busbar/rules"
)

// packed makes an event with a pack of runs of these decisions, each of a rule of its own.
func packed(t *testing.T, s *opened, decisions ...rules.Decision) busbar.Event {
	t.Helper()
	now := s.clock.now()
	e := busbar.Event{
		ID: busbar.NewEventID(), Environment: busbar.Sandbox, Type: "device.updated", SiteID: "site_home", Timestamp: now.Add(-time.Second), ReceivedAt: now,
		Data: json.RawMessage(`{}`), Causation: busbar.Causation{RootEventID: "evt_root"},
	}
	pack := store.RunPack{Event: &e}
	for i, d := range decisions {
		pack.Runs = append(pack.Runs, store.PackedRun{
			RuleID: busbar.RuleID(fmt.Sprint("rule_", i)), Version: 2, Key: "site:site_home", Is: d,
			Detail: rules.Detail{Clauses: []rules.Clause{{Source: strconv.Itoa(i)}}},
		})
		if d == rules.DecisionHolding {
			pack.Runs[i].HoldID = "hold_1"
		}
	}
	decideSandbox(t, s.Store, func(tx *store.DecisionTx) error {
		if err := storetest.Insert(tx, store.Accepted{Event: e}); err != nil {
			return err
		}
		return tx.InsertRunPacks([]store.RunPack{pack})
	})
	return e
}

// packedID is the id of a run that packed made.
func packedID(rule string, e *busbar.Event) busbar.RunID {
	return busbar.RunID(rules.EventRunID(e.Environment, rule, 2, "site:site_home", e.ID))
}

func list(t *testing.T, s *store.Store, sample bool) store.ListedRuns {
	t.Helper()
	listed, err := s.ListRuns(t.Context(), sample)
	if err != nil {
		t.Fatalf("list runs: %v", err)
	}
	return listed
}

func runs(t *testing.T, s *opened, f store.RunFilter) []busbar.Run {
	t.Helper()
	page, err := s.Runs(t.Context(), busbar.Sandbox, f, busbar.PageRequest{Limit: 200})
	if err != nil {
		t.Fatalf("read runs: %v", err)
	}
	return page.Items
}

func TestRunsThatMovedNothingAreListedOnce(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		e := packed(t, s, rules.DecisionFalse, rules.DecisionUnknown)
		want := []busbar.Run{{
			ID: packedID("rule_0", &e), Environment: busbar.Sandbox, RuleID: "rule_0", RuleVersion: 2, Key: "site:site_home", Trigger: "event", EventID: e.ID,
			RootID: "evt_root", SiteID: "site_home", Decision: "false", DecidedAt: e.ReceivedAt, Lateness: time.Second,
			Detail: json.RawMessage(`{"clauses":[{"source":"0","value":null}]}`),
		}}
		want = append(want, want[0])
		want[1].ID, want[1].RuleID, want[1].Decision, want[1].Detail = packedID("rule_1", &e), "rule_1", "unknown", json.RawMessage(`{"clauses":[{"source":"1","value":null}]}`)
		ofEvent := func() []busbar.Run {
			t.Helper()
			got, err := s.RunsOfEvent(t.Context(), &e)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if diff := cmp.Diff(want, ofEvent()); diff != "" || len(runs(t, s, store.RunFilter{})) != 0 {
			t.Errorf("before they were listed, the event has (-want +got):\n%s", diff)
		}
		listed := list(t, s.Store, false)
		if diff := cmp.Diff(store.ListedRuns{Packs: 1, Idle: map[store.RuleRef]int{{Environment: busbar.Sandbox, ID: "rule_0"}: 1}}, listed); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
		if again := list(t, s.Store, false); again.Packs != 0 {
			t.Errorf("listed again: %+v", again)
		}
		if diff := cmp.Diff(want, ofEvent()); diff != "" {
			t.Errorf("then the event has (-want +got):\n%s", diff)
		}
		for i := range want {
			if diff := cmp.Diff(want[i:i+1], runs(t, s, store.RunFilter{RuleID: want[i].RuleID})); diff != "" {
				t.Errorf("runs of %s (-want +got):\n%s", want[i].RuleID, diff)
			}
			got, err := s.Run(t.Context(), busbar.Sandbox, want[i].ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want[i], got); diff != "" {
				t.Errorf("run (-want +got):\n%s", diff)
			}
		}
		_, err := s.Run(t.Context(), busbar.Live, want[0].ID)
		wantCode(t, err, busbar.CodeNotFound)
	})
}

func TestSamplingLeavesIdleRunsToTheirEvent(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		e := packed(t, s, rules.DecisionFalse, rules.DecisionUnknown, rules.DecisionAlreadyTrue)
		if listed := list(t, s.Store, true); listed.Packs != 1 || len(listed.Idle) != 0 {
			t.Errorf("listed %+v", listed)
		}
		if got := runs(t, s, store.RunFilter{}); len(got) != 1 || got[0].Decision != "unknown" {
			t.Errorf("in the list are %+v", got)
		}
		got, err := s.RunsOfEvent(t.Context(), &e)
		if err != nil || len(got) != 3 {
			t.Errorf("the event has %d runs, %v", len(got), err)
		}
	})
}

func TestAStepOfListingIsShort(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		many := make([]rules.Decision, 300)
		for i := range many {
			many[i] = rules.DecisionLate
		}
		for range 3 {
			s.clock.advance(time.Second)
			packed(t, s, many...)
		}
		for _, packs := range []int{2, 1, 0} {
			if got := list(t, s.Store, false).Packs; got != packs {
				t.Errorf("a step listed %d events, want %d", got, packs)
			}
		}
	})
}

func TestRunsAreFilteredAndPaged(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		began := s.clock.now()
		var all []busbar.Run
		for i, decision := range []string{"fired", "cooldown", "shadowed", "fired"} {
			s.clock.advance(time.Minute)
			run := busbar.Run{
				ID: busbar.RunID(fmt.Sprint("run_", i)), Environment: busbar.Sandbox, RuleID: busbar.RuleID(fmt.Sprint("rule_", i%2)), RuleVersion: 1,
				Key: "rule", Trigger: "event", SiteID: busbar.SiteID(fmt.Sprint("site_", i/2)), Decision: decision, DecidedAt: s.clock.now(), Detail: json.RawMessage(`{}`),
			}
			if decision != "cooldown" {
				run.Number = 1
			}
			if i == 3 {
				run.Status, run.EndedAt = busbar.RunDone, s.clock.now()
				run.Steps = []busbar.RunStep{{Branch: "then", Status: "done", ActionIDs: []busbar.ActionID{"act_1"}, At: s.clock.now()}}
			}
			all = append(all, run)
		}
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error { return tx.InsertRuns(all) })
		for name, c := range map[string]struct {
			filter store.RunFilter
			want   string
		}{
			"all":      {store.RunFilter{}, "3210"},
			"rule":     {store.RunFilter{RuleID: "rule_1"}, "31"},
			"site":     {store.RunFilter{SiteID: "site_0"}, "10"},
			"fired":    {store.RunFilter{Decision: rules.DecisionFired}, "30"},
			"shadowed": {store.RunFilter{Decision: rules.DecisionShadowed}, "2"},
			"cooldown": {store.RunFilter{Decision: rules.DecisionCooldown}, "1"},
			"since":    {store.RunFilter{Since: began.Add(3 * time.Minute)}, "32"},
			"until":    {store.RunFilter{Until: began.Add(3 * time.Minute)}, "10"},
			"both":     {store.RunFilter{RuleID: "rule_0", Decision: rules.DecisionFired}, "0"},
		} {
			var got strings.Builder
			for _, r := range runs(t, s, c.filter) {
				got.WriteString(strings.TrimPrefix(string(r.ID), "run_"))
			}
			if got.String() != c.want {
				t.Errorf("%s: got %s, want %s", name, got.String(), c.want)
			}
		}
		page, err := s.Runs(t.Context(), busbar.Sandbox, store.RunFilter{}, busbar.PageRequest{Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all[3], page.Items[0]); diff != "" {
			t.Errorf("run changed on its way (-written +read):\n%s", diff)
		}
		page, err = s.Runs(t.Context(), busbar.Sandbox, store.RunFilter{}, busbar.PageRequest{Limit: 3, Cursor: page.NextCursor})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != "run_0" || page.NextCursor != "" {
			t.Errorf("second page %+v, %v", page, err)
		}
	})
}

// A run that went on holding moves nothing, so it may still wait to be listed when the hold ends.
func TestARunThatHeldIsListedAsWhatItBecame(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		mustRule(t, s, newRule(s, "rule_0"))
		const key = "site:site_home"
		began := busbar.Run{
			ID: "run_began", Environment: busbar.Sandbox, RuleID: "rule_0", RuleVersion: 2, Key: key, Trigger: "event", EventID: "evt_1",
			Decision: "holding", DecidedAt: s.clock.now(), HoldID: "hold_1", Detail: json.RawMessage(`{}`),
		}
		edge := func(h *rules.Hold) []store.RuleKey {
			ref := store.RuleKeyRef{Environment: busbar.Sandbox, Key: key, RuleID: "rule_0"}
			return []store.RuleKey{{RuleKeyRef: ref, Edge: rules.EdgeState{Version: 2, Hold: h}}}
		}
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error {
			if err := tx.SaveRuleKeys(edge(&rules.Hold{ID: "hold_1", Version: 2, Since: s.clock.now(), Due: s.clock.now().Add(time.Hour)})); err != nil {
				return err
			}
			return tx.InsertRuns([]busbar.Run{began})
		})
		early := packed(t, s, rules.DecisionHolding)
		list(t, s.Store, false)
		if got := decisionOf(t, s, packedID("rule_0", &early)); got != "holding" {
			t.Errorf("while it holds it is %s", got)
		}
		late := packed(t, s, rules.DecisionHolding)
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error {
			if err := tx.SaveRuleKeys(edge(nil)); err != nil {
				return err
			}
			return tx.EndHoldRuns(busbar.Sandbox, "hold_1", rules.DecisionFired, s.clock.now())
		})
		before, err := s.RunsOfEvent(t.Context(), &late)
		if err != nil || len(before) != 1 || before[0].Decision != "fired" {
			t.Errorf("not listed yet it is %+v, %v", before, err)
		}
		list(t, s.Store, false)
		for _, e := range []busbar.Event{early, late} {
			if got := decisionOf(t, s, packedID("rule_0", &e)); got != "fired" {
				t.Errorf("once the hold has ended it is %s", got)
			}
		}
	})
}

func TestOnlyTheNewestIdleRunsOfARuleStay(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		ref := store.RuleRef{Environment: busbar.Sandbox, ID: "rule_a"}
		var all []busbar.Run
		add := func(n int, rule busbar.RuleID, decision string) {
			for range n {
				s.clock.advance(time.Millisecond)
				all = append(all, busbar.Run{
					ID: busbar.RunID(fmt.Sprint("run_", len(all))), Environment: busbar.Sandbox, RuleID: rule, Key: "rule", Trigger: "event", EventID: "evt_1",
					Decision: decision, DecidedAt: s.clock.now(),
				})
			}
		}
		add(2, "rule_a", "fired")
		add(600, "rule_a", "false")
		add(3, "rule_b", "false")
		add(600, "rule_a", "already_true")
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error { return tx.InsertRuns(all) })
		if err := s.TrimRuns(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		counts := map[string]int{}
		req := busbar.PageRequest{Limit: 200}
		var oldest busbar.Run
		for {
			page, err := s.Runs(t.Context(), busbar.Sandbox, store.RunFilter{}, req)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Items {
				counts[string(r.RuleID)+" "+r.Decision]++
				if r.Decision == "false" && r.RuleID == "rule_a" {
					oldest = r
				}
			}
			if req.Cursor = page.NextCursor; req.Cursor == "" {
				break
			}
		}
		want := map[string]int{"rule_a fired": 2, "rule_a false": 400, "rule_a already_true": 600, "rule_b false": 3}
		if diff := cmp.Diff(want, counts); diff != "" {
			t.Errorf("what stays (-want +got):\n%s", diff)
		}
		if oldest.ID != "run_202" {
			t.Errorf("the oldest that stays is %s, want the 1,000th newest", oldest.ID)
		}
	})
}

func TestTwoProcessesListEachRunOnce(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		other := s.reopen(t)
		const events = 150
		for range events {
			s.clock.advance(time.Millisecond)
			packed(t, s, rules.DecisionFalse, rules.DecisionLate)
		}
		counts := make(chan int, 2)
		for _, one := range []*store.Store{s.Store, other} {
			go func() {
				n := 0
				for range events {
					listed, err := one.ListRuns(t.Context(), false)
					if err != nil {
						t.Errorf("list runs: %v", err)
					}
					n += listed.Packs
				}
				counts <- n
			}()
		}
		if n := <-counts + <-counts; n != events {
			t.Errorf("two processes listed %d events, want %d", n, events)
		}
		seen := 0
		for i := range 2 {
			req := busbar.PageRequest{Limit: 200}
			page, err := s.Runs(t.Context(), busbar.Sandbox, store.RunFilter{RuleID: busbar.RuleID(fmt.Sprint("rule_", i))}, req)
			if err != nil {
				t.Fatal(err)
			}
			seen += len(page.Items)
		}
		if seen != 2*events {
			t.Errorf("%d runs are listed, want %d", seen, 2*events)
		}
	})
}

func TestPurgeDeletesOldRunsThatHaveEnded(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		var all []busbar.Run
		add := func(id busbar.RunID, decision string, status busbar.RunStatus, e busbar.EventID) {
			all = append(all, busbar.Run{
				ID: id, Environment: busbar.Sandbox, RuleID: "rule_a", Key: "rule", Trigger: "event", EventID: e, Decision: decision, Status: status,
				DecidedAt: s.clock.now(), Detail: json.RawMessage(`{}`),
			})
		}
		idle, firing, holding := packed(t, s, rules.DecisionFalse), packed(t, s), packed(t, s)
		add("run_done", "fired", busbar.RunDone, idle.ID)
		add("run_open", "fired", busbar.RunOpen, firing.ID)
		add("run_holding", "holding", "", holding.ID)
		add("run_false", "false", "", idle.ID)
		s.clock.advance(31 * 24 * time.Hour)
		add("run_new", "false", "", "evt_new")
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error { return tx.InsertRuns(all) })
		var total store.Purged
		for range 6 {
			p, err := s.Purge(t.Context(), busbar.Retention{}, 1)
			if err != nil {
				t.Fatal(err)
			}
			total = total.Plus(p)
		}
		if total.Runs != 2 || total.Events != 1 {
			t.Errorf("purged %+v", total)
		}
		var left []string
		for _, r := range runs(t, s, store.RunFilter{}) {
			left = append(left, string(r.ID))
		}
		if diff := cmp.Diff([]string{"run_new", "run_open", "run_holding"}, left); diff != "" {
			t.Errorf("runs that stay (-want +got):\n%s", diff)
		}
		// The pack went with its event: nothing is left to list, and nothing to show.
		if got, err := s.RunsOfEvent(t.Context(), &idle); err != nil || len(got) != 0 {
			t.Errorf("the purged event still has %+v, %v", got, err)
		}
		for range 4 {
			if n := list(t, s.Store, false).Packs; n == 0 {
				break
			}
		}
		if n := len(runs(t, s, store.RunFilter{RuleID: "rule_0"})); n != 0 {
			t.Errorf("%d runs of a purged event were listed", n)
		}
	})
}
