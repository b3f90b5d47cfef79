package web_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
)

// A gateway that nobody can call finds what it is to do in the list of acknowledged actions.
func TestCommandsCanBeAskedFor(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	act := openAction(a, "battery")
	a.addAction(act)
	dispatch := func() any {
		t.Helper()
		list := a.items("/v1/actions?state=acknowledged&deviceId=battery")
		if len(list) != 1 || list[0]["id"] != "act_open" {
			t.Fatalf("open actions: %v", list)
		}
		d, ok := list[0]["dispatch"].(object)
		if !ok {
			return nil
		}
		if !milliseconds.MatchString(d["at"].(string)) {
			t.Errorf("at %v", d["at"])
		}
		delete(d, "at")
		return d
	}
	power := object{"power": object{"value": 3.0, "unit": "kw"}}
	for _, step := range []struct {
		phase busbar.Phase
		want  any
	}{
		{busbar.PhaseWaiting, nil},
		{busbar.PhasePush, nil},
		{busbar.PhaseAwait, object{"key": "act_open", "phase": "push", "command": "charge", "parameters": power}},
		{busbar.PhaseWindow, nil},
		{busbar.PhaseRevert, nil},
		{busbar.PhaseAwaitRevert, object{"key": "act_open-revert", "phase": "revert", "command": "auto.balanced", "parameters": object{}}},
	} {
		act.Phase, act.Before = step.phase, &busbar.Instruction{Command: busbar.ModeBalanced}
		must(t, a.store.Decide(t.Context(), []busbar.Environment{busbar.Sandbox}, func(tx *store.DecisionTx) error { return tx.SaveAction(&act) }))
		if diff := cmp.Diff(step.want, dispatch()); diff != "" {
			t.Errorf("in the phase %s (-want +got):\n%s", step.phase, diff)
		}
	}
}

func TestActionAsItIsSeen(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	act := openAction(a, "battery")
	act.Phase = busbar.PhasePush
	a.addAction(act)
	must(t, a.store.Decide(t.Context(), []busbar.Environment{busbar.Sandbox}, func(tx *store.DecisionTx) error {
		return tx.SaveTry(&busbar.Try{
			ActionID: act.ID, Number: 1, Phase: busbar.PhasePush, At: a.now(), Outcome: busbar.TryFailed, ErrorCode: "TIMEOUT", Message: "no answer", NextTryAt: a.now(),
		})
	}))
	got := want[object](a, http.StatusOK, http.MethodGet, "/v1/actions/act_open", "")
	tries := got["tries"].([]any)
	if len(tries) != 1 || tries[0].(object)["errorCode"] != "TIMEOUT" || tries[0].(object)["outcome"] != "failed" || tries[0].(object)["nextTryAt"] == nil {
		t.Errorf("tries: %v", tries)
	}
	for _, name := range []string{"createdAt", "updatedAt", "acknowledgedAt", "expiresAt"} {
		if at, _ := got[name].(string); !milliseconds.MatchString(at) {
			t.Errorf("%s: %v", name, got[name])
		}
		delete(got, name)
	}
	delete(got, "tries")
	wanted := object{
		"id": "act_open", "deviceId": "battery", "deviceType": "battery", "siteId": "home", "command": "charge", "state": "acknowledged", "queued": false,
		"parameters": object{"power": object{"value": 3.0, "unit": "kw"}}, "completedAt": nil, "start": nil, "end": nil, "holdFor": "1h0m0s",
		"result": nil, "errorCode": nil, "errorMessage": nil, "causation": nil,
		"links": object{"self": "http://busbar.example/v1/actions/act_open", "workflow": "http://temporal.example/action-sandbox-act_open"},
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	last := want[object](a, http.StatusOK, http.MethodGet, "/v1/battery/battery", "")["lastAction"].(object)
	if last["id"] != "act_open" || last["state"] != "acknowledged" || last["links"].(object)["self"] != "http://busbar.example/v1/actions/act_open" {
		t.Errorf("last action: %v", last)
	}
	for path, n := range map[string]int{
		"/v1/actions": 1, "/v1/actions?siteId=home": 1, "/v1/actions?deviceId=hvac": 0, "/v1/actions?state=completed": 0, "/v1/actions?ruleId=r": 0,
	} {
		if list := a.items(path); len(list) != n {
			t.Errorf("%s: %d, want %d", path, len(list), n)
		}
	}
}
