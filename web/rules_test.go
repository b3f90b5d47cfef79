package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/web/api"
)

func TestCheckRule(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	for name, c := range map[string]struct {
		body   string
		status int
		code   busbar.Code
		valid  bool
		want   []api.RuleDiagnostic
	}{
		"good": {
			body: `{"name":"x","on":["device.updated"],"deviceType":"battery","if":"state.level >= 99",
				"then":[{"push":{"device":"find(site.evChargers, .state.isConnected)","command":"charge"}}]}`,
			status: http.StatusOK, valid: true,
		},
		"a typo and a suspicion": {
			body: `{"name":"x","on":["device.updated"],"deviceType":"battery","if":"\"ä\" == state.status or state.lvl > 1","rearm":"state.level in 1..5",
				"then":[{"push":{"device":"device","command":"idle"}}]}`,
			status: http.StatusOK,
			want: []api.RuleDiagnostic{
				{Field: "if", Severity: "error", Message: `state.status is never "ä"; there is charging, discharging, idle, standby`, From: 0, To: 3},
				{
					Field: "if", Severity: "error", From: 29, To: 32,
					Message: "the state of a battery has no lvl; did you mean level?",
				},
				{
					Field: "rearm", Severity: "warning", From: 0, To: 19,
					Message: "only whole numbers lie in a range, and state.level may be none; write between(state.level, 1, 5)",
				},
			},
		},
		"an event that is not registered": {
			body: `{"name":"x","on":["device.updated"],"if":"true","then":[{"emit":{"type":"battery.full"}}]}`, status: http.StatusOK, valid: true,
			want: []api.RuleDiagnostic{{
				Field: "then[0].emit.type", Severity: "warning",
				Message: `there is no event type "battery.full" yet; register it with POST /v1/event-types`,
			}},
		},
		"unknown field": {body: `{"name":"x","on":["a"],"iff":"true","then":[]}`, status: http.StatusUnprocessableEntity, code: busbar.CodeUnknownField},
		"missing field": {body: `{"name":"x"}`, status: http.StatusUnprocessableEntity, code: busbar.CodeValidationFailed},
		"an array":      {body: `[]`, status: http.StatusUnprocessableEntity, code: busbar.CodeValidationFailed},
		"no JSON":       {body: `{"name":`, status: http.StatusBadRequest, code: busbar.CodeInvalidJSON},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := a.send(http.MethodPost, "/v1/rules/check", c.body)
			if got.Status != c.status || got.Error.Code != c.code {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
			if c.status != http.StatusOK {
				return
			}
			var check api.RuleCheck
			must(t, json.Unmarshal(got.Data, &check))
			if check.Valid != c.valid || len(check.Diagnostics) != len(c.want) {
				t.Fatalf("%s", got.Body)
			}
			for i := range c.want {
				if check.Diagnostics[i] != c.want[i] {
					t.Errorf("got %+v, want %+v", check.Diagnostics[i], c.want[i])
				}
			}
		})
	}
}

// A check looks at the devices and the other rules, too.
func TestCheckRuleAmongOthers(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	check := func(rule string) []api.RuleDiagnostic {
		t.Helper()
		return want[api.RuleCheck](a, http.StatusOK, http.MethodPost, "/v1/rules/check", rule).Warnings
	}
	expect := func(what, rule string, messages ...string) {
		t.Helper()
		var got []string
		for _, w := range check(rule) {
			got = append(got, w.Field+": "+w.Message)
		}
		if diff := cmp.Diff(messages, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	const stop = `{"name":"Stop","on":["device.updated"],"deviceType":"vehicle","if":"state.batteryLevel > 80",
		"then":[{"push":{"device":"site.evChargers","command":"idle"}}]}`
	atHome := strings.Replace(stop, `"name"`, `"siteIds":["home"],"name"`, 1)
	expect("without devices", stop)
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/sites", `{"id":"home","name":"Home","timezone":"Europe/Berlin"}`)
	expect("without devices at the site", atHome)
	a.createDevice(`{"id":"dev_battery","type":"battery","siteId":"home","driver":{"kind":"manual"}}`)
	expect("with a battery only", stop, "deviceType: there is no device of the type vehicle", "then[0].push.device: there is no device that this could be")
	expect("with a battery only at the site", atHome, "deviceType: there is no device of the type vehicle at its sites",
		"then[0].push.device: there is no device at its sites that this could be")
	a.createDevice(`{"id":"car","type":"vehicle","siteId":"home","driver":{"kind":"manual"}}`)
	a.createDevice(`{"id":"box","type":"ev_charger","siteId":"home","driver":{"kind":"manual"},"commands":{"charge":{"execution":["immediate"],"parameters":{}}}}`)
	expect("with a charger that cannot", stop, "then[0].push.command: no device takes the command idle")
	a.createDevice(`{"id":"box2","type":"ev_charger","siteId":"home","driver":{"kind":"manual"}}`)
	expect("with another one", stop)
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", plainRule)
	clash := `then[0].push.device: "Charge the car" (car) commands devices of the type ev_charger otherwise, with the same priority of 50: the second of them is held until the first one's command has ended`
	expect("with another rule", stop, clash)
	expect("the other rule itself", plainRule)
	want[object](a, http.StatusOK, http.MethodPost, "/v1/rules/car/mode", `{"mode":"shadow"}`)
	expect("with a rule in shadow", stop)
	want[object](a, http.StatusOK, http.MethodPost, "/v1/rules/car/mode", `{"mode":"active"}`)
	saved := want[struct {
		Warnings []api.RuleDiagnostic `json:"warnings"`
	}](a, http.StatusCreated, http.MethodPost, "/v1/rules", stop)
	if len(saved.Warnings) != 1 || !strings.HasPrefix(clash, saved.Warnings[0].Field+": "+saved.Warnings[0].Message) {
		t.Errorf("saved with %+v", saved.Warnings)
	}
}

func TestRuleSchemaAndLibrary(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	got := a.send(http.MethodGet, "/v1/rules/schema?deviceType=battery", "")
	var schema api.RuleSchema
	must(t, json.Unmarshal(got.Data, &schema))
	if got.Status != http.StatusOK || len(schema.Variables) < 8 || len(schema.Functions) < 20 || len(schema.Objects) < 10 {
		t.Errorf("schema %.500s", got.Body)
	}
	if got := a.send(http.MethodGet, "/v1/rules/schema?deviceType=toaster", ""); got.Error.Code != busbar.CodeValidationFailed {
		t.Errorf("schema of a toaster: %s", got.Body)
	}
	got = a.send(http.MethodGet, "/v1/rules/library", "")
	var library struct {
		Items []struct {
			Slug string          `json:"slug"`
			Rule json.RawMessage `json:"rule"`
			YAML string          `json:"yaml"`
		} `json:"items"`
		NextCursor *string `json:"nextCursor"`
	}
	must(t, json.Unmarshal(got.Data, &library))
	if len(library.Items) != 8 || library.NextCursor != nil {
		t.Fatalf("library %.500s", got.Body)
	}
	for _, item := range library.Items {
		check := a.send(http.MethodPost, "/v1/rules/check", string(item.Rule))
		var result api.RuleCheck
		must(t, json.Unmarshal(check.Data, &result))
		if check.Status != http.StatusOK || !result.Valid || item.YAML == "" {
			t.Errorf("%s: %s", item.Slug, check.Body)
		}
	}
}
