package web_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
)

// chargeRule charges the car when the battery is full.
func (a *app) chargeRule(id, mode string) {
	a.t.Helper()
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules?id="+id, ruleFile+"mode: "+mode+"\n", isYAML)
}

// filling has the battery of the home become full, with a car at the charger, and gives the event of that.
func (a *app) filling() string {
	a.t.Helper()
	a.report("ev-charger", `{"isConnected":true}`)
	a.report("battery", `{"level":98}`)
	a.advance(time.Second)
	return a.report("battery", `{"level":100}`)["eventId"].(string)
}

func (a *app) listNow() {
	a.t.Helper()
	for {
		listed, err := a.store.ListRuns(a.t.Context(), false)
		must(a.t, err)
		if listed.Packs == 0 {
			return
		}
	}
}

func TestRunsSayWhatWasDecidedAndWhy(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	a.chargeRule("real", "active")
	a.chargeRule("trial", "shadow")
	id := a.filling()
	ofEvent := want[struct{ Runs []object }](a, http.StatusOK, http.MethodGet, "/v1/events/"+id, "").Runs
	decisions := map[any]any{}
	for _, r := range ofEvent {
		decisions[r["ruleId"]] = r["decision"]
	}
	if diff := cmp.Diff(map[any]any{"real": "fired", "trial": "shadowed"}, decisions); diff != "" {
		t.Fatalf("decisions (-want +got):\n%s", diff)
	}
	fired := a.items("/v1/rules/real/runs?decision=fired")[0]
	if diff := cmp.Diff([]object{fired}, slices.DeleteFunc(ofEvent, func(r object) bool { return r["ruleId"] != "real" })); diff != "" {
		t.Errorf("the event and the list differ:\n%s", diff)
	}
	if diff := cmp.Diff(fired, want[object](a, http.StatusOK, http.MethodGet, "/v1/runs/"+fired["id"].(string), "")); diff != "" {
		t.Errorf("the list and the run differ:\n%s", diff)
	}
	action := a.items("/v1/actions")[0]["id"]
	for name, value := range map[string]any{
		"ruleVersion": 1.0, "eventId": id, "rootEventId": id, "siteId": "home", "key": "device:battery", "trigger": "event", "status": "open",
	} {
		if fired[name] != value {
			t.Errorf("%s is %v, want %v", name, fired[name], value)
		}
	}
	clause := object{"source": "state.level >= 99", "value": true, "operands": []any{object{"source": "state.level", "value": 100.0}}}
	if diff := cmp.Diff([]any{clause}, fired["clauses"]); diff != "" {
		t.Errorf("clauses (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{object{"deviceId": "ev-charger", "taken": true}}, fired["targets"]); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{action}, fired["actionIds"]); diff != "" {
		t.Errorf("actions (-want +got):\n%s", diff)
	}
	shadowed := a.items("/v1/rules/trial/runs?decision=shadowed")[0]
	wanted := object{"status": "ready", "commands": []any{object{"deviceId": "ev-charger", "deviceType": "ev_charger", "command": "charge"}}}
	if diff := cmp.Diff(wanted, shadowed["plan"]); diff != "" || shadowed["shadow"] != true || len(shadowed["actionIds"].([]any)) != 0 {
		t.Errorf("in shadow %v (-want plan +got):\n%s", shadowed, diff)
	}
	for _, c := range []struct {
		run      object
		workflow any
	}{{fired, "http://temporal.example/run-sandbox-" + fired["id"].(string)}, {shadowed, nil}} {
		links := object{"self": "http://busbar.example/v1/runs/" + c.run["id"].(string), "workflow": c.workflow}
		if diff := cmp.Diff(links, c.run["links"]); diff != "" {
			t.Errorf("links of %s (-want +got):\n%s", c.run["decision"], diff)
		}
	}
	if at := want[object](a, http.StatusOK, http.MethodGet, "/v1/rules/real", "")["lastFiredAt"]; at != fired["decidedAt"] {
		t.Errorf("last fired at %v, want %v", at, fired["decidedAt"])
	}
}

func TestRunsThatMovedNothingAreInTheListsAfterAMoment(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	a.chargeRule("real", "active")
	a.filling()
	a.advance(time.Second)
	idle := a.report("battery", `{"level":99.5}`)["eventId"].(string)
	runs := want[struct{ Runs []object }](a, http.StatusOK, http.MethodGet, "/v1/events/"+idle, "").Runs
	if len(runs) != 1 || runs[0]["decision"] != "already_true" || len(runs[0]["clauses"].([]any)) != 1 {
		t.Fatalf("runs of the event: %v", runs)
	}
	if n := len(a.items("/v1/runs?decision=already_true")); n != 0 {
		t.Errorf("%d runs are in the list at once", n)
	}
	a.listNow()
	if diff := cmp.Diff(runs, a.items("/v1/rules/real/runs?decision=already_true")); diff != "" {
		t.Errorf("the event and the list differ:\n%s", diff)
	}
	for _, c := range []struct {
		query string
		n     int
	}{
		{"?ruleId=real", 3},
		{"?siteId=home", 3},
		{"?siteId=hut", 0},
		{"?ruleId=other", 0},
		{"?decision=fired", 1},
		{"?since=" + a.now().Add(time.Hour).UTC().Format(time.RFC3339), 0},
		{"?until=" + a.now().Add(time.Hour).UTC().Format(time.RFC3339), 3},
	} {
		if n := len(a.items("/v1/runs" + c.query)); n != c.n {
			t.Errorf("%s gives %d runs, want %d", c.query, n, c.n)
		}
	}
	if n := len(a.items("/v1/runs", "x-api-key: "+liveKey)); n != 0 {
		t.Errorf("live sees %d runs of the sandbox", n)
	}
	for path, code := range map[string]busbar.Code{
		"/v1/runs?decision=maybe": busbar.CodeValidationFailed, "/v1/runs?since=then": busbar.CodeValidationFailed, "/v1/runs?mode=x": busbar.CodeUnknownField,
		"/v1/runs/run_none": busbar.CodeNotFound, "/v1/rules/none/runs": busbar.CodeNotFound,
	} {
		if got := a.send(http.MethodGet, path, ""); got.Error.Code != code {
			t.Errorf("%s: %s, want %s", path, got.Body, code)
		}
	}
	want[object](a, http.StatusOK, http.MethodDelete, "/v1/rules/real", "")
	if n := len(a.items("/v1/rules/real/runs")); n != 3 {
		t.Errorf("the deleted rule has %d runs, want 3", n)
	}
}

func TestGraphShowsWhatRulesDidAtAnEvent(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	a.chargeRule("real", "active")
	id := a.filling()
	run, action := a.items("/v1/runs?decision=fired")[0], a.items("/v1/actions")[0]
	want[object](a, http.StatusOK, http.MethodPost, "/v1/actions/"+action["id"].(string)+"/cancel", "")
	told := a.items("/v1/events?type=push.cancelled")[0]["id"]
	for _, from := range []string{id, told.(string)} {
		g := want[object](a, http.StatusOK, http.MethodGet, "/v1/events/"+from+"/graph", "")
		for _, n := range g["nodes"].([]any) {
			delete(n.(object), "at")
		}
		wanted := object{
			"nodes": []any{
				object{"id": id, "kind": "event", "label": "device.updated", "status": "accepted"},
				object{"id": told, "kind": "event", "label": "push.cancelled", "status": "accepted"},
				object{"id": run["id"], "kind": "run", "label": "real", "status": "fired"},
				object{"id": action["id"], "kind": "action", "label": "charge", "status": "cancelled"},
			},
			"edges": []any{
				object{"from": action["id"], "to": told, "kind": "caused"},
				object{"from": id, "to": run["id"], "kind": "decided"},
				object{"from": run["id"], "to": action["id"], "kind": "caused"},
			},
			"limit": 200.0, "truncated": false,
		}
		sortNodes(wanted["nodes"].([]any))
		sortNodes(g["nodes"].([]any))
		if diff := cmp.Diff(wanted, g); diff != "" {
			t.Errorf("from %s (-want +got):\n%s", from, diff)
		}
	}
}

func sortNodes(nodes []any) {
	slices.SortFunc(nodes, func(a, b any) int {
		return slices.Compare([]byte(a.(object)["id"].(string)), []byte(b.(object)["id"].(string)))
	})
}
