package dispatch_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/dispatch"
	"busbar/internal/intake"
	"busbar/internal/store"
	"busbar/rules"
)

// ended notes what is ended without a workflow.
type ended struct{ list []string }

// FailRun fails a run.
func (e *ended) FailRun(_ context.Context, _ busbar.Environment, id busbar.RunID, code, _ string) (bool, error) {
	e.list = append(e.list, string(id)+" "+code)
	return true, nil
}

// EndHold ends a hold.
func (e *ended) EndHold(_ context.Context, h intake.HoldRef) (intake.HoldState, error) {
	e.list = append(e.list, h.HoldID+" of "+string(h.RuleID)+" for "+h.Key)
	return intake.HoldState{}, nil
}

// fired stores a run whose steps have yet to be taken.
func (w *world) fired(t *testing.T, id busbar.RunID) string {
	t.Helper()
	r := busbar.Run{
		ID: id, Environment: busbar.Sandbox, RuleID: "rule_1", RuleVersion: 1, Key: "rule", Trigger: "event", Decision: "fired",
		DecidedAt: w.now, Number: 1, Status: busbar.RunOpen,
	}
	must(t, w.store.Decide(t.Context(), []busbar.Environment{busbar.Sandbox}, func(tx *store.DecisionTx) error {
		return tx.InsertRuns([]busbar.Run{r})
	}))
	return r.WorkflowID()
}

func (w *world) ruleRound(t *testing.T, e *ended) error {
	t.Helper()
	return dispatch.NewRuleReconciler(w.Dispatcher, e, func() time.Time { return w.now }, slog.New(slog.DiscardHandler)).Round(t.Context())
}

func TestOpenRunsAreLookedAfter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lost, gone, busy := w.fired(t, "run_lost"), w.fired(t, "run_gone"), w.fired(t, "run_busy")
	w.cluster.known[gone], w.cluster.known[busy] = terminated, running
	e := &ended{}
	must(t, w.ruleRound(t, e))
	w.check(t, nil, nil)
	w.now = w.now.Add(2 * time.Minute)
	must(t, w.ruleRound(t, e))
	w.check(t, nil, []string{lost})
	if diff := cmp.Diff([]string{"run_gone " + busbar.ActionWorkflowLost}, e.list); diff != "" {
		t.Errorf("ended (-want +got):\n%s", diff)
	}
	w.cluster.away = true
	if err := w.ruleRound(t, e); err == nil {
		t.Error("a round without Temporal succeeded")
	}
}

func TestARunIsStartedOnceAndToldAfterwards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := intake.RuleLaunch{RuleStart: store.RuleStart{Environment: busbar.Sandbox, Kind: store.StartRun, ID: "run_1", RuleID: "rule_1", Key: "rule"}}
	id := busbar.RunWorkflowID(busbar.Sandbox, "run_1")
	fresh := l
	fresh.Fresh = true
	must(t, w.LaunchRule(t.Context(), fresh))
	w.check(t, nil, []string{id})
	w.cluster.known[id] = running
	must(t, w.LaunchRule(t.Context(), l))
	w.check(t, []string{id}, nil)
	w.cluster.known[id] = terminated
	must(t, w.LaunchRule(t.Context(), l))
	w.check(t, nil, nil)
	w.cluster.away = true
	if err := w.LaunchRule(t.Context(), l); err == nil {
		t.Error("told without Temporal")
	}
}

func TestAHoldIsStarted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.LaunchRule(t.Context(), intake.RuleLaunch{RuleStart: store.RuleStart{
		Environment: busbar.Sandbox, Kind: store.StartHold, ID: "hold_1", RuleID: "rule_1", Key: "rule", Due: w.now.Add(time.Hour),
	}}))
	w.check(t, nil, []string{busbar.HoldWorkflowID(busbar.Sandbox, "hold_1")})
}

// ruled stores a rule, and has it hold for a key when there is one.
func (w *world) ruled(t *testing.T, id busbar.RuleID, windowed bool, key string) {
	t.Helper()
	_, err := w.store.Once(t.Context(), nil, func(tx *store.Tx) (store.Answer, error) {
		return store.Answer{}, tx.CreateRule(&busbar.Rule{
			ID: id, Environment: busbar.Sandbox, Name: "r", Mode: "active", Windowed: windowed, Text: []byte(`{}`), CreatedAt: w.now, UpdatedAt: w.now,
		})
	})
	must(t, err)
	if key == "" {
		return
	}
	must(t, w.store.Decide(t.Context(), []busbar.Environment{busbar.Sandbox}, func(tx *store.DecisionTx) error {
		return tx.SaveRuleKeys([]store.RuleKey{{
			RuleKeyRef: store.RuleKeyRef{Environment: busbar.Sandbox, Key: key, RuleID: id},
			Edge:       rules.EdgeState{Version: 1, Hold: &rules.Hold{ID: "hold_" + string(id), Version: 1, EventID: "evt_1", Since: w.now, Due: w.now}},
		}})
	}))
}

func TestHoldsThatAreOverdueAreEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ruled(t, "rule_lost", false, "rule")
	w.ruled(t, "rule_busy", false, "rule")
	w.cluster.known[busbar.HoldWorkflowID(busbar.Sandbox, "hold_rule_busy")] = running
	e := &ended{}
	must(t, w.ruleRound(t, e))
	if len(e.list) > 0 {
		t.Errorf("ended too early: %v", e.list)
	}
	w.now = w.now.Add(2 * time.Minute)
	must(t, w.ruleRound(t, e))
	if diff := cmp.Diff([]string{"hold_rule_lost of rule_lost for rule"}, e.list); diff != "" {
		t.Errorf("ended (-want +got):\n%s", diff)
	}
}

// A rule with a window has a workflow, which is told of a save even when whoever saved it has died before.
func TestWindowsAreWatched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ruled(t, "rule_1", true, "")
	w.ruled(t, "rule_2", false, "")
	id := busbar.WindowWorkflowID(busbar.Sandbox, "rule_1")
	must(t, w.ruleRound(t, &ended{}))
	w.check(t, nil, []string{id})
	w.cluster.known[id] = running
	must(t, w.ruleRound(t, &ended{}))
	w.check(t, []string{id}, nil)
	w.now = w.now.Add(time.Hour)
	must(t, w.ruleRound(t, &ended{}))
	w.check(t, nil, []string{id})
}

// A rule that is disabled, or deleted, has no window any more: its workflow is told, also when Temporal is away at first.
func TestAWindowThatIsNoMoreIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := make(map[busbar.RuleID]string)
	for _, rule := range []busbar.RuleID{"rule_disabled", "rule_deleted", "rule_ended", "rule_stays"} {
		w.ruled(t, rule, true, "")
		ids[rule] = busbar.WindowWorkflowID(busbar.Sandbox, rule)
		w.cluster.known[ids[rule]] = running
	}
	w.now = w.now.Add(time.Hour)
	r := dispatch.NewRuleReconciler(w.Dispatcher, &ended{}, func() time.Time { return w.now }, slog.New(slog.DiscardHandler))
	must(t, r.Round(t.Context()))
	w.check(t, nil, []string{ids["rule_deleted"], ids["rule_disabled"], ids["rule_ended"], ids["rule_stays"]})
	for _, rule := range []busbar.RuleID{"rule_disabled", "rule_ended"} {
		_, err := w.store.SetRuleMode(t.Context(), busbar.Sandbox, rule, rules.ModeDisabled, func(*busbar.Rule) error { return nil })
		must(t, err)
	}
	must(t, w.store.DeleteRule(t.Context(), busbar.Sandbox, "rule_deleted"))
	w.cluster.known[ids["rule_ended"]] = terminated
	w.cluster.away = true
	if err := r.Round(t.Context()); err == nil {
		t.Error("a round without Temporal succeeded")
	}
	w.cluster.away = false
	must(t, r.Round(t.Context()))
	slices.Sort(w.cluster.woken)
	w.check(t, []string{ids["rule_deleted"], ids["rule_disabled"]}, []string{ids["rule_stays"]})
	must(t, r.Round(t.Context()))
	w.check(t, nil, []string{ids["rule_stays"]})
}
