package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/web/api"
)

const fullBattery = `{"name":"x","on":["device.updated"],"deviceType":"battery","if":"state.level >= 99","rearm":"state.level < 95",
	"then":[{"push":{"device":"find(site.evChargers, .state.isConnected)","command":"charge","parameters":{"current":{"value":"10","unit":"amps"}}}},
		{"emit":{"type":"battery.full","data":{"level":"state.level"}}}]}`

// A rule is tried on what its devices reported, and nothing comes of it.
func TestBacktestRule(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	begun := a.now()
	a.report("ev-charger", `{"isConnected":true,"status":"plugged"}`)
	for _, level := range []int{90, 100, 99, 94, 100} {
		a.advance(time.Minute)
		a.report("battery", fmt.Sprintf(`{"level":%d}`, level))
	}
	try := func(more string) api.Backtest {
		t.Helper()
		return want[api.Backtest](a, http.StatusOK, http.MethodPost, "/v1/rules/backtest", `{"rule":`+fullBattery+more+`}`)
	}
	since := fmt.Sprintf(`,"since":%q`, begun.Format(time.RFC3339Nano))
	got := try(since)
	if diff := cmp.Diff(map[string]int{"false": 2, "fired": 2, "already_true": 1}, counts(&got)); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
	if got.Truncated || got.Events != 6 || len(got.Runs) != 2 || len(got.Commands) != 2 || len(got.Emissions) != 2 {
		t.Errorf("%+v", got)
	}
	for i, c := range got.Commands {
		if c.DeviceID != "ev-charger" || c.DeviceType != busbar.EVCharger || c.Command != "charge" || c.Parameters["current"] != (busbar.Quantity{Value: 10, Unit: busbar.Amps}) {
			t.Errorf("command %+v", c)
		}
		if run := got.Runs[i]; run.At != c.At || run.Decision != "fired" || run.EventID == "" || len(run.Targets) != 1 || got.Emissions[i].Type != "battery.full" {
			t.Errorf("run %+v, emission %+v", run, got.Emissions[i])
		}
	}
	if len(got.Diff.Added) != 2 || len(got.Diff.Removed) != 0 || len(got.Diff.Changed) != 0 {
		t.Errorf("difference to nothing: %+v", got.Diff)
	}
	// What an event says was before it is known though it happened before the span.
	third := fmt.Sprintf(`,"since":%q`, begun.Add(2*time.Minute+30*time.Second).Format(time.RFC3339Nano))
	got = try(third)
	if diff := cmp.Diff(map[string]int{"already_true": 1, "false": 1, "fired": 1}, counts(&got)); diff != "" || got.Events != 3 {
		t.Errorf("the last three of %d (-want +got):\n%s", got.Events, diff)
	}
	// The charger was unplugged since, which is not known in the span.
	until := fmt.Sprintf(`,"until":%q`, a.now().Add(time.Second).Format(time.RFC3339Nano))
	a.advance(time.Minute)
	a.report("ev-charger", `{"isConnected":false,"status":"available"}`)
	if got = try(third + until); len(got.Commands) != 1 || got.Events != 3 {
		t.Errorf("%+v", got)
	}
	if actions := a.items("/v1/actions"); len(actions) != 0 {
		t.Errorf("it has commanded %v", actions)
	}
	if other := a.send(http.MethodPost, "/v1/rules/backtest", `{"rule":`+fullBattery+since+`}`, "X-Api-Key: "+liveKey); other.Status != http.StatusOK {
		t.Errorf("%d %s", other.Status, other.Body)
	}
}

// A rule is compared with what is saved of it.
func TestBacktestAgainstSavedRule(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	rule := strings.Replace(fullBattery, `{"name"`, `{"id":"car","mode":"disabled","name"`, 1)
	since := fmt.Sprintf(`,"since":%q`, a.now().Format(time.RFC3339Nano))
	a.report("ev-charger", `{"isConnected":true,"status":"plugged"}`)
	for _, level := range []int{90, 97, 100, 94, 97, 90} {
		a.advance(time.Minute)
		a.report("battery", fmt.Sprintf(`{"level":%d}`, level))
	}
	try := func(body string) string {
		t.Helper()
		got := want[api.Backtest](a, http.StatusOK, http.MethodPost, "/v1/rules/backtest", `{`+body+since+`}`)
		against := "nothing"
		if got.Against != nil {
			against = fmt.Sprintf("%s %d", got.Against.RuleID, got.Against.Version)
		}
		return fmt.Sprintf("against %s: %d commands, %d added, %d removed, %d changed", against, len(got.Commands), len(got.Diff.Added), len(got.Diff.Removed), len(got.Diff.Changed))
	}
	if got := try(`"rule":` + rule); got != "against nothing: 1 commands, 1 added, 0 removed, 0 changed" {
		t.Errorf("before it is saved: %s", got)
	}
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", rule)
	sooner := strings.Replace(rule, "level >= 99", "level >= 97", 1)
	stronger := strings.Replace(rule, `"value":"10"`, `"value":"12"`, 1)
	never := strings.Replace(rule, "level >= 99", "level >= 99 and now.hour > 24", 1)
	for name, c := range map[string]struct{ body, want string }{
		"saved":            {`"ruleId":"car"`, "against car 1: 1 commands, 0 added, 0 removed, 0 changed"},
		"the same":         {`"rule":` + rule, "against car 1: 1 commands, 0 added, 0 removed, 0 changed"},
		"sooner":           {`"rule":` + sooner, "against car 1: 2 commands, 2 added, 1 removed, 0 changed"},
		"stronger":         {`"rule":` + stronger, "against car 1: 1 commands, 0 added, 0 removed, 1 changed"},
		"never":            {`"rule":` + never, "against car 1: 0 commands, 0 added, 1 removed, 0 changed"},
		"without an id":    {`"rule":` + fullBattery, "against nothing: 1 commands, 1 added, 0 removed, 0 changed"},
		"named separately": {`"rule":` + fullBattery + `,"ruleId":"car"`, "against car 1: 1 commands, 0 added, 0 removed, 0 changed"},
	} {
		if got := try(c.body); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func counts(b *api.Backtest) map[string]int {
	n := make(map[string]int)
	for decision, times := range b.Decisions {
		n[string(decision)] = times
	}
	return n
}

func TestBacktestThatCannotBeMade(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	for name, c := range map[string]struct {
		body   string
		status int
		code   busbar.Code
	}{
		"a rule that is not there":              {`{"ruleId":"none","since":"2026-01-01T00:00:00Z"}`, 404, busbar.CodeNotFound},
		"one to compare with that is not there": {`{"rule":` + fullBattery + `,"ruleId":"none","since":"2026-01-01T00:00:00Z"}`, 404, busbar.CodeNotFound},
		"an id that is none":                    {`{"ruleId":"a/b","since":"2026-01-01T00:00:00Z"}`, 404, busbar.CodeNotFound},
		"no rule":                               {`{"since":"2026-01-01T00:00:00Z"}`, 422, busbar.CodeValidationFailed},
		"no since":                              {`{"rule":` + fullBattery + `}`, 422, busbar.CodeValidationFailed},
		"no time":                               {`{"rule":` + fullBattery + `,"since":"yesterday"}`, 422, busbar.CodeValidationFailed},
		"a time to come":                        {`{"rule":` + fullBattery + `,"since":"2100-01-01T00:00:00Z"}`, 422, busbar.CodeValidationFailed},
		"the end comes first":                   {`{"rule":` + fullBattery + `,"since":"2026-01-02T00:00:00Z","until":"2026-01-01T00:00:00Z"}`, 422, busbar.CodeValidationFailed},
		"a rule that is none":                   {`{"rule":{"name":"x"},"since":"2026-01-01T00:00:00Z"}`, 422, busbar.CodeValidationFailed},
		"a condition that does not compile": {
			`{"rule":{"name":"x","on":["a.b"],"if":"sate","then":[{"emit":{"type":"a.b"}}]},"since":"2026-01-01T00:00:00Z"}`, 422, busbar.CodeInvalidExpression,
		},
		"an unknown field": {`{"rules":{}}`, 422, busbar.CodeUnknownField},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := a.send(http.MethodPost, "/v1/rules/backtest", c.body); got.Status != c.status || got.Error.Code != c.code {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
}
