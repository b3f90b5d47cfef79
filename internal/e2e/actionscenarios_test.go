package e2e_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
)

// Histories of actions in each state that their workflow can be in; each way that an action may take is checked on it.
func TestWriteHistoriesOfActions(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	d.site(t)
	keepHistories(t, d, actionStates, "run_action_*")
}

var actionStates = []state{
	{"run_action_completed", completedAction},
	{"run_action_retried", retriedAction},
	{"run_action_refused", refusedAction},
	{"run_action_expired", expiredAction},
	{"run_action_reported", reportedAction},
	{"run_action_reverted", revertedAction},
	{"run_action_cancelled_early", cancelledScheduled},
	{"run_action_cancelled_between_tries", cancelledBetweenTries},
	{"run_action_replaced", replacedAction},
	{"run_action_queued", queuedAction},
	{"run_action_crashed", crashedAction},
	{"run_action_waiting_for_start", waitingForStart},
	{"run_action_waiting_for_turn", waitingForTurn},
	{"run_action_waiting_for_try", waitingForTry},
	{"run_action_waiting_for_result", waitingForResult},
	{"run_action_waiting_for_end", waitingForEnd},
}

// scene is a charger behind a gateway of its own.
type scene struct {
	*dev
	*gateway
	t      *testing.T
	device string
}

func newScene(t *testing.T, d *dev, answer func(order) verdict) *scene {
	t.Helper()
	s := &scene{dev: d, gateway: newGateway(t), t: t, device: "dev_" + strings.TrimPrefix(strings.ToLower(address(t)), "127.0.0.1:")}
	s.behave(answer)
	d.charger(t, s.gateway, s.device)
	return s
}

func (s *scene) push(command string, more map[string]any) action {
	s.t.Helper()
	return s.dev.push(s.t, s.device, command, more)
}

// ended waits for the end of an action and of its workflow, and checks the tries that it took.
func (s *scene) ended(id, state, errorCode string, tries ...string) string {
	s.t.Helper()
	a := s.awaitState(s.t, id, state)
	if a.ErrorCode != errorCode {
		s.t.Errorf("action %s failed with %q, want %q", id, a.ErrorCode, errorCode)
	}
	if diff := cmp.Diff(tries, a.outcomes()); diff != "" && len(tries)+len(a.Tries) > 0 {
		s.t.Errorf("tries of an action that is %s (-want +got):\n%s", state, diff)
	}
	awaitWorkflow(s.t, s.dev, workflowOf(id))
	return workflowOf(id)
}

func workflowOf(id string) string { return "action-sandbox-" + id }

// rests waits until a workflow has nothing to do but to wait itself.
func (s *scene) rests(id string, last enums.EventType) string {
	s.t.Helper()
	c := s.temporalClient(s.t)
	await(s.t, "the workflow to wait", func() bool {
		return lastEvent(s.t, c, workflowOf(id)) == last
	})
	return workflowOf(id)
}

// lastEvent is the newest event of a workflow that may not have started yet.
func lastEvent(t *testing.T, c client.Client, workflowID string) enums.EventType {
	t.Helper()
	last := enums.EVENT_TYPE_UNSPECIFIED
	events := c.GetWorkflowHistory(t.Context(), workflowID, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if _, unknown := errors.AsType[*serviceerror.NotFound](err); unknown {
			return last
		}
		if err != nil {
			t.Fatalf("read history of %s: %v", workflowID, err)
		}
		last = e.GetEventType()
	}
	return last
}

func carriesOut(order) verdict { return verdict{} }
func takes(order) verdict      { return verdict{status: http.StatusAccepted} }
func broken(order) verdict     { return verdict{status: http.StatusBadGateway, idle: true} }

func completedAction(t *testing.T, d *dev) string {
	t.Helper()
	s := newScene(t, d, carriesOut)
	return s.ended(s.push("charge", nil).ID, "completed", "", "push accepted")
}

func retriedAction(t *testing.T, d *dev) string {
	t.Helper()
	s := newScene(t, d, func(o order) verdict {
		if o.time < 3 {
			return broken(o)
		}
		return verdict{}
	})
	return s.ended(s.push("charge", nil).ID, "completed", "", "push failed", "push failed", "push accepted")
}

func refusedAction(t *testing.T, d *dev) string {
	t.Helper()
	s := newScene(t, d, func(order) verdict {
		return verdict{body: `{"success":false,"errorCode":"NO_VEHICLE","message":"nothing is plugged in"}`, idle: true}
	})
	return s.ended(s.push("charge", nil).ID, "failed", "NO_VEHICLE", "push refused")
}

func expiredAction(t *testing.T, d *dev) string {
	t.Helper()
	s := newScene(t, d, takes)
	return s.ended(s.push("charge", map[string]any{"expiresIn": "2s"}).ID, "failed", "EXPIRED", "push pending")
}

func reportedAction(t *testing.T, d *dev) string {
	t.Helper()
	s := newScene(t, d, takes)
	a := s.push("charge", nil)
	s.rests(a.ID, enums.EVENT_TYPE_TIMER_STARTED)
	s.report(t, a.ID)
	return s.ended(a.ID, "completed", "", "push pending")
}

func revertedAction(t *testing.T, d *dev) string {
	t.Helper()
	s := newScene(t, d, carriesOut)
	a := s.push("charge", map[string]any{"start": "0s", "end": "2s"})
	id := s.ended(a.ID, "completed", "", "push accepted", "revert accepted")
	orders := s.await("the way back", func(o []order) bool { return len(o) == 2 })
	if orders[1].Command != "idle" || orders[1].key != a.ID+"-revert" {
		t.Errorf("the way back = %+v", orders[1])
	}
	return id
}

func (s *scene) cancel(id string) {
	s.t.Helper()
	if a := must[action](s.t, s.api, http.MethodPost, "/v1/actions/"+id+"/cancel", nil, http.StatusOK); a.State != "cancelled" {
		s.t.Errorf("cancelled: %+v", a)
	}
}

func cancelledScheduled(t *testing.T, d *dev) string {
	t.Helper()
	s := newScene(t, d, carriesOut)
	a := s.push("charge", map[string]any{"start": "1h"})
	s.rests(a.ID, enums.EVENT_TYPE_TIMER_STARTED)
	s.cancel(a.ID)
	return s.ended(a.ID, "cancelled", "")
}

func cancelledBetweenTries(t *testing.T, d *dev) string {
	t.Helper()
	s := newScene(t, d, broken)
	a := s.push("charge", nil)
	s.awaitAction(t, a.ID, "tried twice", func(a action) bool {
		return slices.Equal(a.outcomes(), []string{"push failed", "push failed"})
	})
	s.cancel(a.ID)
	return s.ended(a.ID, "cancelled", "GATEWAY_UNAVAILABLE", "push failed", "push failed")
}

// A result of the one that was replaced is put on record, and changes nothing.
func replacedAction(t *testing.T, d *dev) string {
	t.Helper()
	s := newScene(t, d, func(o order) verdict {
		if o.Command == "charge" {
			return takes(o)
		}
		return verdict{}
	})
	a := s.push("charge", nil)
	s.rests(a.ID, enums.EVENT_TYPE_TIMER_STARTED)
	by := s.push("idle", map[string]any{"onConflict": "cancel_and_replace"})
	s.ended(by.ID, "completed", "", "push accepted")
	s.report(t, a.ID)
	return s.ended(a.ID, "cancelled", "", "push pending", "ended accepted")
}

func queuedAction(t *testing.T, d *dev) string {
	t.Helper()
	s := newScene(t, d, func(o order) verdict {
		if o.Command == "charge" {
			return takes(o)
		}
		return verdict{}
	})
	before := s.push("charge", nil)
	a := s.push("idle", map[string]any{"onConflict": "queue_after"})
	if a.State != "scheduled" {
		t.Errorf("a queued action is %s", a.State)
	}
	s.asked(s.device, "charge", 1)
	s.awaitAction(t, before.ID, "taken", func(a action) bool { return slices.Equal(a.outcomes(), []string{"push pending"}) })
	s.report(t, before.ID)
	return s.ended(a.ID, "completed", "", "push accepted")
}

func crashedAction(t *testing.T, d *dev) string {
	t.Helper()
	s := newScene(t, d, func(o order) verdict { return verdict{hang: o.time == 1} })
	a := s.push("charge", nil)
	s.asked(s.device, "charge", 1)
	d.kill(t)
	d.start(t)
	return s.ended(a.ID, "completed", "", "push interrupted", "push accepted")
}

func waitingForStart(t *testing.T, d *dev) string {
	t.Helper()
	s := newScene(t, d, carriesOut)
	return s.rests(s.push("charge", map[string]any{"start": "24h"}).ID, enums.EVENT_TYPE_TIMER_STARTED)
}

func waitingForTurn(t *testing.T, d *dev) string {
	t.Helper()
	s := newScene(t, d, carriesOut)
	s.push("charge", map[string]any{"start": "24h"})
	a := s.push("idle", map[string]any{"onConflict": "queue_after"})
	return s.rests(a.ID, enums.EVENT_TYPE_MARKER_RECORDED)
}

func waitingForTry(t *testing.T, d *dev) string {
	t.Helper()
	s := newScene(t, d, broken)
	a := s.push("charge", nil)
	s.awaitAction(t, a.ID, "tried twice", func(a action) bool { return len(a.Tries) == 2 })
	return s.rests(a.ID, enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
}

func waitingForResult(t *testing.T, d *dev) string {
	t.Helper()
	s := newScene(t, d, takes)
	return s.rests(s.push("charge", nil).ID, enums.EVENT_TYPE_TIMER_STARTED)
}

func waitingForEnd(t *testing.T, d *dev) string {
	t.Helper()
	s := newScene(t, d, carriesOut)
	a := s.push("charge", map[string]any{"start": "0s", "end": "24h"})
	s.awaitAction(t, a.ID, "in force", func(a action) bool { return slices.Equal(a.outcomes(), []string{"push accepted"}) })
	return s.rests(a.ID, enums.EVENT_TYPE_TIMER_STARTED)
}
