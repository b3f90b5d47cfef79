package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/rules"
	"busbar/web/api"
)

// full is a rule about the home of these tests.
const full = `{"name":"Full","on":["device.updated"],"deviceType":"battery","if":"state.level >= 99 and previous.level < 99 and state.temperature < 40",` +
	`"then":[{"push":{"device":"find(site.evChargers, .state.isConnected)","command":"charge","parameters":{"current":{"value":"state.level / 10","unit":"amps"}}}},` +
	`{"emit":{"type":"battery.full","data":{"level":"state.level"}}}]}`

func TestExplainShowsWhatARuleMakesOfAnEvent(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	a.report("ev-charger", `{"isConnected":true}`)
	a.report("battery", `{"level":98}`)
	event := a.report("battery", `{"level":99.5}`)["eventId"].(string)
	a.report("battery", `{"level":40}`)
	got := want[api.RuleExplanation](a, http.StatusOK, http.MethodPost, "/v1/rules/explain", `{"rule":`+full+`,"eventId":"`+event+`"}`)
	level := []rules.Operand{{Source: "state.level", Value: 99.5}}
	missing := []rules.Unknown{{Name: "battery.temperature", Device: "battery", Reason: "missing"}}
	wanted := []rules.Clause{
		{Source: "state.level >= 99 and previous.level < 99 and state.temperature < 40", Unknown: missing},
		{Source: "state.level >= 99 and previous.level < 99", Value: true},
		{Source: "state.level >= 99", Value: true, Operands: level},
		{Source: "previous.level < 99", Value: true, Operands: []rules.Operand{{Source: "previous.level", Value: 98.0}}},
		{Source: "state.temperature < 40", Unknown: missing, Operands: []rules.Operand{{Source: "state.temperature"}}},
	}
	if diff := cmp.Diff(wanted, got.Clauses); diff != "" {
		t.Errorf("clauses (-want +got):\n%s", diff)
	}
	if len(got.Steps) != 2 || len(got.Steps[0].Commands) != 1 {
		t.Fatalf("steps %+v", got.Steps)
	}
	command := got.Steps[0].Commands[0]
	if command.DeviceID != "ev-charger" || command.Command != "charge" || command.Parameters["current"] != (busbar.Quantity{Value: 9.95, Unit: busbar.Amps}) {
		t.Errorf("command %+v", command)
	}
	if e := got.Steps[1].Emission; e == nil || e.Type != "battery.full" || e.Data["level"] != 99.5 {
		t.Errorf("event %+v", e)
	}
	if n := len(a.items("/v1/actions")); n != 0 {
		t.Errorf("explaining a rule made %d actions", n)
	}
}

func TestExplainSaysWhoHoldsADevice(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	a.report("ev-charger", `{"isConnected":true}`)
	event := a.report("battery", `{"level":99}`)["eventId"].(string)
	action := a.push("/v1/ev-charger/ev-charger", `{"action":{"command":"idle"}}`)["id"]
	got := want[api.RuleExplanation](a, http.StatusOK, http.MethodPost, "/v1/rules/explain", `{"rule":`+full+`,"eventId":"`+event+`"}`)
	if targets := got.Steps[0].Targets; got.Steps[0].Status != "held" || len(targets) != 1 || targets[0].Holder != action {
		t.Errorf("step %+v, want it held by %v", got.Steps[0], action)
	}
}

func TestExplainRefusesWhatItCannotExplain(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	for body, code := range map[string]busbar.Code{
		`{"rule":` + full + `,"eventId":"evt_none"}`: busbar.CodeNotFound,
		`{"eventId":"evt_none"}`:                     busbar.CodeValidationFailed,
		`{"rule":` + full + `}`:                      busbar.CodeValidationFailed,
		`{"rule":{"name":"x","on":["a.b"],"if":"nope","then":[{"emit":{"type":"x.y"}}]},"eventId":"evt_none"}`: busbar.CodeInvalidExpression,
		`{"rule":[],"eventId":"evt_none"}`: busbar.CodeValidationFailed,
		`{"rule":` + full + `,"event":1}`:  busbar.CodeUnknownField,
	} {
		if got := a.send(http.MethodPost, "/v1/rules/explain", body); got.Error.Code != code {
			t.Errorf("%.60s: %d %s, want %s", body, got.Status, got.Body, code)
		}
	}
	var event struct{ EventID string }
	must(t, json.Unmarshal(a.send(http.MethodPost, "/v1/events", `{"type":"device.updated","deviceId":"nowhere","data":{"state":{}}}`).Data, &event))
	got := want[api.RuleExplanation](a, http.StatusOK, http.MethodPost, "/v1/rules/explain", `{"rule":`+full+`,"eventId":"`+event.EventID+`"}`)
	if got.Clauses[0].Value != nil || got.Steps[0].Status != "unknown" {
		t.Errorf("an event without a device: %+v", got)
	}
}

func TestExplainForgetsWhatWasReportedAfterTheEvent(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	must(t, json.Unmarshal(a.send(http.MethodPost, "/v1/event-types", `{"name":"door.opened","schema":{}}`).Data, &struct{}{}))
	a.report("battery", `{"level":98}`)
	first := a.report("battery", `{"level":97,"temperature":20}`)["eventId"].(string)
	var door struct{ EventID string }
	must(t, json.Unmarshal(a.send(http.MethodPost, "/v1/events", `{"type":"door.opened","deviceId":"battery","data":{}}`).Data, &door))
	a.report("battery", `{"chargeRate":3}`)
	for name, c := range map[string]struct {
		event, condition string
		want             any
	}{
		"a field that came with the event":    {first, "previous.temperature > 0", nil},
		"a field that was there before":       {first, "previous.level == 98", true},
		"a field that came later":             {first, "state.chargeRate > 0", nil},
		"an event that says nothing of state": {door.EventID, "state.level == previous.level", true},
	} {
		rule := `{"name":"x","on":["*"],"deviceType":"battery","if":"` + c.condition + `","then":[{"push":{"device":"device","command":"idle"}}]}`
		got := want[api.RuleExplanation](a, http.StatusOK, http.MethodPost, "/v1/rules/explain", `{"rule":`+rule+`,"eventId":"`+c.event+`"}`)
		if got.Clauses[0].Value != c.want {
			t.Errorf("%s: %s gave %v, want %v", name, c.condition, got.Clauses[0].Value, c.want)
		}
	}
}

func TestMistakesInARuleThatIsPartOfABodySayWhereTheyAre(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	for rule, path := range map[string]string{
		`{"name":"x","zap":1}`: "rule.zap",
		`{"name":"x","on":["a.b"],"if":"true","priority":100,"then":[{"emit":{"type":"a.b"}}]}`: "rule.priority",
		`[]`: "rule",
	} {
		for _, route := range []string{"backtest", "explain"} {
			got := a.send(http.MethodPost, "/v1/rules/"+route, `{"rule":`+rule+`,`+map[string]string{
				"backtest": `"since":"2026-01-01T00:00:00Z"}`, "explain": `"eventId":"evt_none"}`,
			}[route])
			if len(got.Error.Details.Fields) == 0 || got.Error.Details.Fields[0].Path != path || !strings.HasPrefix(got.Error.Message, path+": ") {
				t.Errorf("%s %s: %s, want it to be about %s", route, rule, got.Body, path)
			}
		}
	}
	for _, route := range []string{"/v1/rules", "/v1/rules/check"} {
		if got := a.send(http.MethodPost, route, `[]`); got.Error.Message != "body: must be an object, not an array" {
			t.Errorf("%s: %s", route, got.Body)
		}
	}
}
