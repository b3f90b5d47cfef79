package dispatch_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"busbar"
	"busbar/internal/dispatch"
	"busbar/internal/intake"
	"busbar/internal/store"
)

// SignalWithStartWorkflow wakes a workflow, or starts it.
func (c *cluster) SignalWithStartWorkflow(
	_ context.Context, id, _ string, _ any, o client.StartWorkflowOptions, _ any, _ ...any,
) (client.WorkflowRun, error) {
	if c.away {
		return nil, errAway
	}
	again := o.WorkflowIDReusePolicy == enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	if window := strings.HasPrefix(id, "window-"); id != o.ID || again != window {
		return nil, serviceerror.NewInvalidArgument("would run an action or a run twice, or a window only once")
	}
	switch status, known := c.known[id]; {
	case !known:
		c.started = append(c.started, id)
	case status == running:
		c.woken = append(c.woken, id)
	default:
		return nil, serviceerror.NewWorkflowExecutionAlreadyStarted("it has ended", "", "")
	}
	return nil, nil
}

// abandoned notes which actions are given up.
type abandoned struct{ list []string }

// Abandon gives an action up.
func (a *abandoned) Abandon(_ context.Context, _ busbar.Environment, id busbar.ActionID, code, _ string) (bool, error) {
	a.list = append(a.list, string(id)+" "+code)
	return true, nil
}

// open stores an open action of a device of its own.
func (w *world) open(t *testing.T, id busbar.ActionID, change func(*busbar.Action)) string {
	t.Helper()
	plan := busbar.Action{
		Environment: busbar.Sandbox, DeviceID: busbar.DeviceID("dev_" + id), Family: busbar.EVCharger, SiteID: "site_home", Command: "charge",
		ExpiresIn: 10 * time.Minute,
	}
	a := plan.Place(id, busbar.SlotCurrent, w.now)
	if change != nil {
		change(&a)
	}
	must(t, w.store.Decide(t.Context(), []busbar.Environment{busbar.Sandbox}, func(tx *store.DecisionTx) error {
		return tx.InsertAction(&a)
	}))
	return a.WorkflowID()
}

func TestOpenActionsAreLookedAfter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	later := func(a *busbar.Action) { a.Start = w.now.Add(time.Hour) }
	trying := func(a *busbar.Action) {
		a.State, a.Phase, a.ExpiresAt = busbar.ActionAcknowledged, busbar.PhasePush, w.now.Add(time.Hour)
	}
	lost, ended := w.open(t, "act_lost", later), w.open(t, "act_ended", nil)
	waiting, busy := w.open(t, "act_waiting", later), w.open(t, "act_busy", trying)
	asleep := w.open(t, "act_asleep", nil)
	w.cluster.known[ended] = terminated
	for _, id := range []string{waiting, busy, asleep} {
		w.cluster.known[id] = running
	}
	gone := &abandoned{}
	r := dispatch.NewActionReconciler(w.Dispatcher, gone, func() time.Time { return w.now }, slog.New(slog.DiscardHandler))
	must(t, r.Round(t.Context()))
	w.check(t, nil, nil)
	w.now = w.now.Add(2 * time.Minute)
	must(t, r.Round(t.Context()))
	w.check(t, []string{asleep}, []string{lost})
	if diff := cmp.Diff([]string{"act_ended " + busbar.ActionWorkflowLost}, gone.list); diff != "" {
		t.Errorf("given up (-want +got):\n%s", diff)
	}
	w.cluster.away = true
	if err := r.Round(t.Context()); err == nil {
		t.Error("a round without Temporal succeeded")
	}
}

func TestAnActionIsStartedOnceAndWokenAfterwards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := intake.Launch{Environment: busbar.Sandbox, ActionID: "act_1", DeviceID: "dev_1", Command: "charge"}
	id := busbar.ActionWorkflowID(busbar.Sandbox, "act_1")
	fresh := l
	fresh.Fresh = true
	must(t, w.LaunchAction(t.Context(), fresh))
	w.check(t, nil, []string{id})
	w.cluster.known[id] = running
	must(t, w.LaunchAction(t.Context(), l))
	w.check(t, []string{id}, nil)
	w.cluster.known[id] = terminated
	must(t, w.LaunchAction(t.Context(), l))
	w.check(t, nil, nil)
	w.cluster.away = true
	if err := w.LaunchAction(t.Context(), l); err == nil {
		t.Error("woken without Temporal")
	}
}
