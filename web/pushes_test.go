package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/intake"
)

// push sends a command, and gives the action.
func (a *app) push(path, body string, headers ...string) object {
	a.t.Helper()
	return want[object](a, http.StatusAccepted, http.MethodPost, path, body, headers...)
}

// taken does what a worker does when a driver has answered 202: the result is now awaited.
func (a *app) taken(id string) {
	a.t.Helper()
	ctx, action := a.t.Context(), busbar.ActionID(id)
	begun, err := a.intake.BeginTry(ctx, busbar.Sandbox, action)
	must(a.t, err)
	_, err = a.intake.EndTry(ctx, busbar.Sandbox, action, intake.TryEnd{Number: begun.Action.Tries, Outcome: busbar.TryPending})
	must(a.t, err)
}

func (a *app) action(id string) object {
	a.t.Helper()
	return want[object](a, http.StatusOK, http.MethodGet, "/v1/actions/"+id, "")
}

func TestPushIsTaken(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	got := a.push("/v1/battery/battery", `{"action":{"command":"charge","parameters":{"power":{"value":2500,"unit":"watts"}}},"sandbox":{}}`)
	id := got["id"].(string)
	if !strings.HasPrefix(id, "act_") || !milliseconds.MatchString(got["createdAt"].(string)) {
		t.Errorf("pushed: %v", got)
	}
	delete(got, "createdAt")
	wanted := object{
		"id": id, "deviceId": "battery", "deviceType": "battery", "command": "charge", "parameters": object{"power": object{"value": 2.5, "unit": "kw"}},
		"state": "acknowledged", "queued": false,
		"links": object{"self": "http://busbar.example/v1/actions/" + id, "workflow": "http://temporal.example/action-sandbox-" + id},
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if seen := a.action(id); seen["state"] != "acknowledged" || len(seen["tries"].([]any)) != 0 {
		t.Errorf("seen: %v", seen)
	}
	idle := a.push("/v1/ev-charger/ev-charger", `{"action":{"command":"idle","parameters":null,"start":null},"onConflict":null}`)
	if none, ok := idle["parameters"].(map[string]any); !ok || len(none) > 0 {
		t.Errorf("parameters of a command without any: %v", idle["parameters"])
	}
}

func TestPushAtAWallClock(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	berlin, err := time.LoadLocation("Europe/Berlin")
	must(t, err)
	start := a.now().In(berlin).AddDate(0, 0, 2).Format("2006-01-02") + "T22:00:00"
	end := a.now().In(berlin).AddDate(0, 0, 3).Format("2006-01-02") + "T05:00:00"
	got := a.push("/v1/battery/battery", fmt.Sprintf(`{"action":{"command":"charge","start":%q,"end":%q},"holdFor":"2h"}`, start, end))
	from, err := busbar.LocalTime(start, berlin)
	must(t, err)
	to, err := busbar.LocalTime(end, berlin)
	must(t, err)
	const utc = "2006-01-02T15:04:05.000Z"
	if got["state"] != "scheduled" || got["start"] != from.Format(utc) || got["end"] != to.Format(utc) {
		t.Errorf("pushed: %v, want from %s to %s", got, from.Format(utc), to.Format(utc))
	}
	if seen := a.action(got["id"].(string)); seen["holdFor"] != "2h0m0s" || seen["start"] != got["start"] {
		t.Errorf("seen: %v", seen)
	}
}

func TestPushAgainUnderItsKeyIsTheSameAction(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	const body = `{"action":{"command":"idle"}}`
	first := a.push("/v1/battery/battery", body, "Idempotency-Key: once")
	if diff := cmp.Diff(first, a.push("/v1/battery/battery", body, "Idempotency-Key: once")); diff != "" {
		t.Errorf("the same request (-first +again):\n%s", diff)
	}
	got := a.send(http.MethodPost, "/v1/battery/battery", body+" ", "Idempotency-Key: once")
	if got.Error.Code != busbar.CodeIdempotencyConflict {
		t.Errorf("another body: %s", got.Body)
	}
	if n := len(a.items("/v1/actions")); n != 1 {
		t.Errorf("%d actions", n)
	}
}

func TestConflictsOfPushes(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	path := "/v1/battery/battery"
	first := a.push(path, `{"action":{"command":"charge"}}`)
	conflict := func(onConflict string, ids ...any) {
		t.Helper()
		got := a.send(http.MethodPost, path, `{"action":{"command":"idle"}`+onConflict+`}`)
		var body struct{ Error struct{ Details object } }
		must(t, json.Unmarshal([]byte(got.Body), &body))
		if got.Status != http.StatusConflict || got.Error.Code != busbar.CodeConflict {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		if diff := cmp.Diff(ids, body.Error.Details["conflictingActionIds"]); diff != "" {
			t.Errorf("conflicting (-want +got):\n%s", diff)
		}
	}
	conflict("", first["id"])
	queued := a.push(path, `{"action":{"command":"idle"},"onConflict":"queue_after"}`)
	if queued["queued"] != true || queued["state"] != "scheduled" {
		t.Errorf("queued: %v", queued)
	}
	conflict(`,"onConflict":"queue_after"`, first["id"], queued["id"])
	third := a.push(path, `{"action":{"command":"discharge"},"onConflict":"cancel_and_replace"}`)
	if third["replaces"] != first["id"] || third["queued"] != false {
		t.Errorf("the one that replaces: %v", third)
	}
	replaced := a.action(first["id"].(string))
	if replaced["state"] != "cancelled" || replaced["cancelReason"] != "replaced" || replaced["replacedBy"] != third["id"] {
		t.Errorf("the one that was replaced: %v", replaced)
	}
	cancelled := want[object](a, http.StatusOK, http.MethodPost, "/v1/actions/"+third["id"].(string)+"/cancel", "")
	if cancelled["state"] != "cancelled" || cancelled["cancelReason"] != "requested" || cancelled["completedAt"] == nil {
		t.Errorf("cancelled: %v", cancelled)
	}
	// What waited has its turn: it begins as soon as its workflow looks.
	if turn := a.action(queued["id"].(string)); turn["queued"] != false || turn["expiresAt"] == nil {
		t.Errorf("the queued one: %v", turn)
	}
	if got := a.send(http.MethodDelete, "/v1/devices/battery", ""); got.Error.Code != busbar.CodeConflict || !strings.Contains(got.Body, queued["id"].(string)) {
		t.Errorf("deletion with an open action: %s", got.Body)
	}
}

func TestAGatewayAsksAndReports(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	_, gateway := a.createKey(busbar.ScopeActions, busbar.ScopeDevices)
	key := "x-api-key: " + gateway
	for name, tc := range map[string]struct{ result, state, event string }{
		"battery":    {`{"success":true,"message":"Charging"}`, "completed", "push.completed"},
		"ev-charger": {`{"success":false,"errorCode":"CABLE_LOOSE","message":"The cable is loose"}`, "failed", "push.failed"},
	} {
		pushed := a.push("/v1/"+name+"/"+name, `{"action":{"command":"charge"}}`)
		id := pushed["id"].(string)
		result := func(body string) answer {
			return a.send(http.MethodPost, "/v1/actions/"+id+"/result", body, key)
		}
		if got := result(tc.result); got.Error.Code != busbar.CodeConflict {
			t.Errorf("%s: a result before it was sent: %d %s", name, got.Status, got.Body)
		}
		a.taken(id)
		list := a.items("/v1/actions?state=acknowledged&deviceId="+name, key)
		if len(list) != 1 || list[0]["dispatch"].(object)["key"] != id {
			t.Fatalf("%s: to do: %v", name, list)
		}
		if got := a.send(http.MethodPost, "/v1/actions/"+id+"/cancel", ""); got.Error.Code != busbar.CodeActionNotCancellable {
			t.Errorf("%s: cancelled what was taken: %s", name, got.Body)
		}
		if got := result(tc.result); got.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, got.Status, got.Body)
		}
		ended := a.action(id)
		if ended["state"] != tc.state || ended["dispatch"] != nil || ended["completedAt"] == nil || ended["result"] == nil {
			t.Errorf("%s: ended: %v", name, ended)
		}
		if tc.state == "failed" && (ended["errorCode"] != "CABLE_LOOSE" || ended["errorMessage"] != "The cable is loose") {
			t.Errorf("%s: ended: %v", name, ended)
		}
		if got := result(`{"success":true}`); got.Status != http.StatusOK {
			t.Errorf("%s: a result that comes again: %d %s", name, got.Status, got.Body)
		}
		if again := a.action(id); again["state"] != tc.state {
			t.Errorf("%s: after a late result: %v", name, again)
		}
		events := a.items("/v1/events?type=push.*&deviceId=" + name)
		if len(events) != 1 || events[0]["type"] != tc.event || events[0]["data"].(object)["actionId"] != id {
			t.Fatalf("%s: events: %v", name, events)
		}
		graph := want[object](a, http.StatusOK, http.MethodGet, fmt.Sprint("/v1/events/", events[0]["id"], "/graph"), "")
		text, err := json.Marshal(graph)
		must(t, err)
		edge := fmt.Sprintf(`{"from":%q,"kind":"caused","to":%q}`, id, events[0]["id"])
		if !strings.Contains(string(text), `"kind":"action"`) || !strings.Contains(string(text), edge) {
			t.Errorf("%s: graph: %s", name, text)
		}
	}
}

func TestRefusalsOfPushes(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	a.createDevice(`{"id":"busy","type":"battery","siteId":"home","driver":{"kind":"simulator"}}`)
	busy := a.push("/v1/battery/busy", `{"action":{"command":"charge"}}`)["id"].(string)
	ended := a.push("/v1/hvac/hvac", `{"action":{"command":"idle"}}`)["id"].(string)
	want[object](a, http.StatusOK, http.MethodPost, "/v1/actions/"+ended+"/cancel", "")
	_, device := a.createKey(busbar.ScopeDevices)
	before := a.state()
	const (
		post    = http.MethodPost
		battery = "/v1/battery/battery"
		hvac    = "/v1/hvac/hvac"
		invalid = busbar.CodeValidationFailed
	)
	action := func(fields string) string { return `{"action":{` + fields + `}}` }
	charge := func(parameters string) string {
		return action(`"command":"charge","parameters":{` + parameters + `}`)
	}
	for _, tc := range []scenario{
		{"no device", post, "/v1/battery/none", action(`"command":"charge"`), nil, 404, busbar.CodeDeviceNotFound, ""},
		{"no device, and no command", post, "/v1/battery/none", `{}`, nil, 404, busbar.CodeDeviceNotFound, ""},
		{"another family", post, "/v1/hvac/battery", action(`"command":"idle"`), nil, 404, busbar.CodeDeviceNotFound, ""},
		{"another family, and no command", post, "/v1/hvac/battery", `{}`, nil, 404, busbar.CodeDeviceNotFound, ""},
		{"another environment", post, battery, action(`"command":"charge"`), []string{"x-api-key: " + liveKey}, 404, busbar.CodeDeviceNotFound, ""},
		{"another scope", post, battery, action(`"command":"charge"`), []string{"x-api-key: " + device}, 403, busbar.CodeInsufficientPermission, ""},
		{"no JSON", post, battery, `{"action"`, nil, 400, busbar.CodeInvalidJSON, ""},

		{"no action", post, battery, `{}`, nil, 422, invalid, "action"},
		{"action that is none", post, battery, `{"action":"charge"}`, nil, 422, invalid, "action"},
		{"no command", post, battery, action(``), nil, 422, invalid, "action.command"},
		{"older words", post, battery, `{"action":"set_operation_mode","mode":"charge"}`, nil, 422, busbar.CodeUnknownField, "action mode"},
		{"unknown beside the command", post, battery, action(`"command":"charge","power":5`), nil, 422, busbar.CodeUnknownField, "action.power"},
		{"unknown in the sandbox", post, battery, `{"action":{"command":"idle"},"sandbox":{"fail":true}}`, nil, 422, busbar.CodeUnknownField, "sandbox.fail"},
		{"bare number", post, battery, charge(`"power":5`), nil, 422, invalid, "action.parameters.power"},
		{"half a quantity", post, battery, charge(`"power":{"value":5},"target":{"unit":"percent"}`), nil, 422, invalid, "action.parameters.power.unit action.parameters.target.value"},
		{"quantity with more", post, battery, charge(`"power":{"value":5,"unit":"kw","max":6}`), nil, 422, busbar.CodeUnknownField, "action.parameters.power.max"},
		{"no strategy", post, battery, `{"action":{"command":"idle"},"onConflict":"ignore"}`, nil, 422, invalid, "onConflict"},
		{"expires at once", post, battery, `{"action":{"command":"idle"},"expiresIn":"0s"}`, nil, 422, invalid, "expiresIn"},
		{"expires never", post, battery, `{"action":{"command":"idle"},"expiresIn":"25h","holdFor":"169h"}`, nil, 422, invalid, "expiresIn holdFor"},
		{"no duration", post, battery, `{"action":{"command":"idle"},"expiresIn":"soon","holdFor":"-1s"}`, nil, 422, invalid, "expiresIn holdFor"},

		{"family that takes none", post, "/v1/meter/meter", action(`"command":"charge"`), nil, 422, busbar.CodeDirectAction, "action.command"},
		{"family that takes none, nor a body", post, "/v1/vehicle/vehicle", `{}`, nil, 422, busbar.CodeDirectAction, "action.command"},
		{"command of another family", post, battery, action(`"command":"heat"`), nil, 422, busbar.CodeUnsupportedMode, "action.command"},
		{"parameter of another command", post, battery, charge(`"current":{"value":16,"unit":"amps"}`), nil, 422, busbar.CodeUnsupportedParameter, "action.parameters.current"},
		{"unit of another kind", post, battery, charge(`"power":{"value":5,"unit":"kwh"}`), nil, 422, busbar.CodeUnsupportedUnit, "action.parameters.power.unit"},
		{"unit that is none", post, battery, charge(`"power":{"value":5,"unit":"kW"}`), nil, 422, busbar.CodeUnsupportedUnit, "action.parameters.power.unit"},
		{"too much", post, battery, charge(`"power":{"value":5.1,"unit":"kw"}`), nil, 422, busbar.CodeParameterOutOfRange, "action.parameters.power.value"},
		{"too little", post, battery, charge(`"target":{"value":9,"unit":"percent"}`), nil, 422, busbar.CodeParameterOutOfRange, "action.parameters.target.value"},
		{"what it needs", post, hvac, action(`"command":"heat"`), nil, 422, invalid, "action.parameters.target"},
		{"not in a window", post, hvac, action(`"command":"idle","start":"1m","end":"2m"`), nil, 422, busbar.CodeExecutionNotSupported, "action.end"},
		{"not later", post, hvac, action(`"command":"follow_schedule","start":"1m"`), nil, 422, busbar.CodeExecutionNotSupported, "action.start"},
		{"no time", post, battery, action(`"command":"charge","start":"22:00"`), nil, 422, invalid, "action.start"},
		{"empty times", post, battery, action(`"command":"charge","start":"","end":""`), nil, 422, invalid, "action.start action.end"},
		{"past", post, battery, action(`"command":"charge","start":"2020-01-01T00:00:00Z"`), nil, 422, busbar.CodeStartInPast, "action.start"},
		{"past by the wall clock", post, battery, action(`"command":"charge","start":"2020-01-01T00:00:00"`), nil, 422, busbar.CodeStartInPast, "action.start"},
		{"far", post, battery, action(`"command":"charge","start":"721h"`), nil, 422, busbar.CodeStartOutOfRange, "action.start"},
		{"end without start", post, battery, action(`"command":"charge","end":"1h"`), nil, 422, busbar.CodeInvalidTimeWindow, "action.end"},
		{"end before start", post, battery, action(`"command":"charge","start":"2h","end":"1h"`), nil, 422, busbar.CodeInvalidTimeWindow, "action.end"},
		{"end too far", post, battery, action(`"command":"charge","start":"2h","end":"721h"`), nil, 422, busbar.CodeInvalidTimeWindow, "action.end"},

		{"checks before the conflict", post, "/v1/battery/busy", charge(`"power":{"value":9,"unit":"kw"}`), nil, 422, busbar.CodeParameterOutOfRange, "action.parameters.power.value"},
		{"conflict", post, "/v1/battery/busy", action(`"command":"charge"`), nil, 409, busbar.CodeConflict, ""},
		{"cancel of none", post, "/v1/actions/act_none/cancel", "", nil, 404, busbar.CodeNotFound, ""},
		{"cancel of what has ended", post, "/v1/actions/" + ended + "/cancel", "", nil, 409, busbar.CodeActionNotCancellable, ""},
		{"cancel with a body", post, "/v1/actions/" + busy + "/cancel", `{"why":"x"}`, nil, 422, busbar.CodeUnknownField, "why"},
		{"result of none", post, "/v1/actions/act_none/result", `{"success":true}`, nil, 404, busbar.CodeNotFound, ""},
		{"result without success", post, "/v1/actions/" + busy + "/result", `{}`, nil, 422, invalid, "success"},
		{"result of success with an error", post, "/v1/actions/" + busy + "/result", `{"success":true,"errorCode":"X"}`, nil, 422, invalid, "errorCode"},
		{"result with prose for a code", post, "/v1/actions/" + busy + "/result", `{"success":false,"errorCode":"it broke","message":"` + strings.Repeat("x", 501) + `"}`, nil, 422, invalid, "message errorCode"},
		{"result before it was sent", post, "/v1/actions/" + busy + "/result", `{"success":true}`, nil, 409, busbar.CodeConflict, ""},
	} {
		got := a.refuses(tc)
		aboutDevice := tc.status == http.StatusUnprocessableEntity && !strings.HasPrefix(tc.path, "/v1/actions")
		if tells := strings.Contains(got.Body, `"deviceCapabilities":{"deviceType":`); tells != aboutDevice {
			t.Errorf("%s: the answer tells what the device can do: %v: %s", tc.name, tells, got.Body)
		}
	}
	if diff := cmp.Diff(before, a.state()); diff != "" {
		t.Errorf("refused requests changed something:\n%s", diff)
	}
}
