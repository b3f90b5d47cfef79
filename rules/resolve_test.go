package rules_test

import (
	"strings"
	"testing"
	"time"

	"busbar"
	"busbar/rules"
)

// later is a rule whose later steps look at all that they may.
const later = `then:
  - push: {device: "site.evChargers[0]", command: charge, guard: "state.level >= 95", onConflict: cancel_and_replace}
  - push: {device: "filter(site.evChargers, .state.isConnected)", command: charge, guard: "%s", parameters: {current: {value: "%s", unit: amps}}}
  - emit: {type: battery.full, data: {level: state.level, first: "steps[0].status", second: "steps[1].message", was: previous.level, moved: "len(changed)", said: event.data.state.level, at: now.hour}}
else_failed:
  - emit: {type: automation.failed, data: {reason: error.message, code: error.code, step: error.step}}
`

// silent are the chargers that the home's list of chargers knows nothing of.
const silent = `{"name":"dev_charger2.isConnected","deviceId":"dev_charger2","reason":"missing"},{"name":"dev_charger3.isConnected","deviceId":"dev_charger3","reason":"stale"}`

func laterRule(t *testing.T, guard, current string) *rules.Standing {
	t.Helper()
	text := withoutKey("name: full\non: [device.updated]\ndeviceType: battery\nif: state.level >= 99\n", "then") +
		strings.Replace(strings.Replace(later, "%s", guard, 1), "%s", current, 1)
	r, err := rules.ParseYAML([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c, err := rules.Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	return &rules.Standing{Compiled: c, ID: "rule_1", Version: 2}
}

// TestResolve has what a step after the first may come to.
func TestResolve(t *testing.T) {
	t.Parallel()
	done := []rules.StepResult{{Status: "done"}, {Status: "failed", Message: "busy"}}
	for name, c := range map[string]struct {
		guard, current string
		place          rules.Place
		level          any
		after          time.Duration
		edit           func(s *rules.Snapshot)
		window         bool
		want           string
	}{
		"a list of devices": {
			place: rules.Place{Branch: rules.BranchThen, Step: 1},
			want:  `{"status":"ready","targets":[{"deviceId":"dev_charger1","taken":true}],"commands":[{"deviceId":"dev_charger1","deviceType":"ev_charger","command":"charge","parameters":{"current":{"value":10,"unit":"amps"}}}],"leftOut":[` + silent + `]}`,
		},
		"all devices are stale by now": {
			place: rules.Place{Branch: rules.BranchThen, Step: 1}, after: time.Hour, guard: "true",
			want: `{"status":"no_target","leftOut":[{"name":"dev_charger1.isConnected","deviceId":"dev_charger1","reason":"stale"},{"name":"dev_charger2.isConnected","deviceId":"dev_charger2","reason":"missing"},{"name":"dev_charger3.isConnected","deviceId":"dev_charger3","reason":"stale"}]}`,
		},
		"a guard that is false by now": {
			place: rules.Place{Branch: rules.BranchThen, Step: 1}, level: 90.0,
			want: `{"status":"no_longer_wanted","leftOut":[` + silent + `]}`,
		},
		"the step before": {
			place: rules.Place{Branch: rules.BranchThen, Step: 1, Results: done[1:]}, guard: "steps[0].status == 'done'",
			want: `{"status":"no_longer_wanted","leftOut":[` + silent + `]}`,
		},
		"a parameter that is not known": {
			place: rules.Place{Branch: rules.BranchThen, Step: 1}, current: "state.capacity",
			want: `{"status":"unknown","unknown":[{"name":"dev_battery.capacity","deviceId":"dev_battery","reason":"missing"}],"leftOut":[` + silent + `]}`,
		},
		"a parameter without bounds": {
			place: rules.Place{Branch: rules.BranchThen, Step: 1}, current: "count(1..9000, any(1..9000, false))",
			want: `{"status":"error","leftOut":[` + silent + `],"error":"current: false: the limit of steps was reached here","limit":"steps"}`,
		},
		"another rule holds the device": {
			place: rules.Place{Branch: rules.BranchThen, Step: 1},
			edit: func(s *rules.Snapshot) {
				s.Open = map[busbar.DeviceID]rules.OpenAction{"dev_charger1": {ActionID: "act_1", RuleID: "other", Priority: 70}}
			},
			want: `{"status":"held","targets":[{"deviceId":"dev_charger1","taken":false,"reason":"held","holder":"act_1"}],"leftOut":[` + silent + `]}`,
		},
		"what an event tells": {
			place: rules.Place{Branch: rules.BranchThen, Step: 2, Results: done}, level: 97.0, after: time.Hour, edit: freshBattery(time.Hour),
			want: `{"status":"ready","emission":{"type":"battery.full","data":{"at":13,"first":"done","level":97,"moved":0,"said":100,"second":"busy","was":97}}}`,
		},
		"there was no event": {
			place: rules.Place{Branch: rules.BranchThen, Step: 2, Results: done, Key: "device:dev_battery"}, window: true, level: 97.0,
			want: `{"status":"ready","emission":{"type":"battery.full","data":{"at":12,"first":"done","level":97,"moved":0,"said":null,"second":"busy","was":97}},"unknown":[{"name":"event","reason":"missing"}]}`,
		},
		"a step has failed": {
			place: rules.Place{Branch: rules.BranchElseFailed, Results: done[1:], Failure: &rules.Failure{Code: "DEVICE_BUSY", Message: "busy", Step: 1}},
			want:  `{"status":"ready","emission":{"type":"automation.failed","data":{"code":"DEVICE_BUSY","reason":"busy","step":1}}}`,
		},
		"the first one again": {
			place: rules.Place{Branch: rules.BranchThen},
			want:  `{"status":"ready","targets":[{"deviceId":"dev_charger1","taken":true}],"commands":[{"deviceId":"dev_charger1","deviceType":"ev_charger","command":"charge","onConflict":"cancel_and_replace"}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.level == nil {
				c.level = 100.0
			}
			s, e := moment(t, situation{level: c.level, previous: 98.0})
			e.Data = []byte(`{"state": {"level": 100}, "changed": ["level"]}`)
			if c.edit != nil {
				c.edit(s)
			}
			if !c.window {
				c.place.Event = e
			}
			rule := laterRule(t, either(c.guard, "state.level >= 95"), either(c.current, "10"))
			plan, err := rule.Resolve(s, &c.place, noon.Add(c.after))
			if err != nil {
				t.Fatal(err)
			}
			if got := toJSON(t, plan); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func either(given, otherwise string) string {
	if given != "" {
		return given
	}
	return otherwise
}

// freshBattery has the battery observed so long after noon.
func freshBattery(after time.Duration) func(*rules.Snapshot) {
	return func(s *rules.Snapshot) {
		for name := range s.Devices[0].ObservedAt {
			s.Devices[0].ObservedAt[name] = noon.Add(after)
		}
	}
}

// TestGuard asks the guard of the second step again before a try.
func TestGuard(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		guard string
		step  int
		after time.Duration
		want  string
	}{
		"true":           {guard: "state.level >= 95", step: 1, want: `{"status":"ready"}`},
		"false":          {guard: "state.level < 95", step: 1, want: `{"status":"no_longer_wanted"}`},
		"missing":        {guard: "state.capacity > 5", step: 1, want: `{"status":"not_now","unknown":[{"name":"dev_battery.capacity","deviceId":"dev_battery","reason":"missing"}]}`},
		"stale by now":   {guard: "state.level >= 95", step: 1, after: time.Hour, want: `{"status":"not_now","unknown":[{"name":"dev_battery.level","deviceId":"dev_battery","reason":"stale"}]}`},
		"without bounds": {guard: "any(1..9000, all(1..9000, true) and false)", step: 1, want: `{"status":"error","error":"guard: true: the limit of steps was reached here","limit":"steps"}`},
		"no boolean":     {guard: "event.data.n > 5", step: 1, want: `{"status":"error","error":"guard: event.data.n \u003e 5: a string and a number cannot be compared"}`},
		"none":           {guard: "true", step: 2, want: `{"status":"ready"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, e := moment(t, situation{level: 100.0, previous: 98.0})
			e.Data = []byte(`{"n": "text"}`)
			plan, err := laterRule(t, c.guard, "10").Guard(s, &rules.Place{Branch: rules.BranchThen, Step: c.step, Event: e}, noon.Add(c.after))
			if err != nil {
				t.Fatal(err)
			}
			if got := toJSON(t, plan); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestNoSuchStep(t *testing.T) {
	t.Parallel()
	s, e := moment(t, situation{level: 100.0, previous: 98.0})
	rule := laterRule(t, "true", "10")
	for _, place := range []rules.Place{{Branch: rules.BranchThen, Step: 3, Event: e}, {Branch: rules.BranchThen, Step: -1, Event: e}, {Branch: rules.BranchElseFailed, Step: 1, Event: e}} {
		if _, err := rule.Resolve(s, &place, noon); err == nil || !strings.Contains(err.Error(), "rule rule_1, version 2, has no step") {
			t.Errorf("resolve %+v: %v", place, err)
		}
		if _, err := rule.Guard(s, &place, noon); err == nil {
			t.Errorf("guard %+v: no error", place)
		}
	}
}

// TestFirstStepIsTheOneThatWasDecided holds that working the first step out again, at the same moment, gives what Decide did.
func TestFirstStepIsTheOneThatWasDecided(t *testing.T) {
	t.Parallel()
	s, e := moment(t, situation{level: 100.0, previous: 98.0})
	rule := laterRule(t, "true", "10")
	s.Rules = []*rules.Standing{rule}
	runs, err := rules.Decide(s, e, false)
	if err != nil || len(runs) != 1 || runs[0].Firing == nil {
		t.Fatalf("runs %+v, error %v", runs, err)
	}
	plan, err := rule.Resolve(s, &rules.Place{Branch: rules.BranchThen, Key: runs[0].Key, Event: e}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := toJSON(t, plan), toJSON(t, runs[0].Firing.First); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestCut holds which of the rules that are cut at the depth limit would have fired.
func TestCut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		situation
		edge string
		want bool
	}{
		"true and armed":             {situation{level: 100.0, previous: 98.0}, "armed", true},
		"true and spent":             {situation{level: 100.0, previous: 98.0}, "spent", false},
		"true and re-armed by it":    {situation{level: 100.0, previous: 98.0, lines: []string{"rearm: state.level > 50"}}, "spent", true},
		"true, edge from before":     {situation{level: 100.0, previous: 98.0}, "unset", true},
		"true before, too":           {situation{level: 100.0, previous: 99.0}, "unset", false},
		"seen for the first time":    {situation{level: 100.0}, "unset", false},
		"false":                      {situation{level: 98.0, previous: 100.0}, "armed", false},
		"unknown":                    {situation{level: nil, previous: 98.0}, "armed", false},
		"every time":                 {situation{level: 100.0, previous: 100.0, lines: []string{"edge: every"}}, "armed", true},
		"begins a hold":              {situation{level: 100.0, previous: 98.0, lines: []string{"for: 10m"}}, "armed", true},
		"outside the window":         {situation{level: 100.0, previous: 98.0, lines: []string{`window: {from: "13:00", to: "14:00"}`}}, "armed", false},
		"late":                       {situation{level: 100.0, previous: 98.0, late: true}, "armed", false},
		"stopped":                    {situation{level: 100.0, previous: 98.0, edit: func(s *rules.Snapshot, _ *busbar.Event, _ *rules.Standing) { s.Stopped = true }}, "armed", false},
		"paused":                     {situation{level: 100.0, previous: 98.0, edit: func(_ *rules.Snapshot, _ *busbar.Event, r *rules.Standing) { r.Paused = true }}, "armed", false},
		"a condition with a mistake": {situation{level: 100.0, previous: 98.0, lines: []string{"if: event.data.state > 5"}}, "armed", false},
		"cooling down": {situation{level: 100.0, previous: 98.0, lines: []string{"cooldown: 1h"}, edit: func(_ *rules.Snapshot, _ *busbar.Event, r *rules.Standing) {
			edge := r.Keys["device:dev_battery"]
			edge.FiredAt = noon.Add(-time.Minute)
			r.Keys["device:dev_battery"] = edge
		}}, "armed", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, e := moment(t, c.situation)
			e.Causation.Depth = 9
			rule := &rules.Standing{Compiled: compiled(t, c.lines...), ID: "rule_1", Version: 2, Keys: map[string]rules.EdgeState{"device:dev_battery": edges[c.edge](noon)}}
			s.Rules = []*rules.Standing{rule}
			if c.edit != nil {
				c.edit(s, e, rule)
			}
			runs, err := rules.Decide(s, e, c.late)
			if err != nil || len(runs) != 1 || runs[0].Decision != rules.DecisionDepthLimit {
				t.Fatalf("runs %+v, error %v", runs, err)
			}
			if runs[0].Cut != c.want {
				t.Errorf("cut %v, want %v", runs[0].Cut, c.want)
			}
			if runs[0].Firing != nil || runs[0].Error != "" {
				t.Errorf("run %+v", runs[0])
			}
		})
	}
}

// TestLimitOfARun holds that a run tells a limit from another error, wherever it was reached.
func TestLimitOfARun(t *testing.T) {
	t.Parallel()
	const endless = "any(1..9000, all(1..9000, true) and false)"
	for name, c := range map[string]struct{ line, decision, limit, error string }{
		"steps":            {"if: " + endless, "error", "steps", "true: the limit of steps was reached here"},
		"memory":           {"if: len(1..9999999999) > 0", "error", "memory", "1..9999999999: the limit of memory, 16 MiB, was reached here"},
		"another":          {"if: event.data.state > 5", "error", "", "event.data.state > 5: an object and a number cannot be compared"},
		"in the guard":     {"then: [{push: {device: device, command: idle, guard: '" + endless + "'}}]", "error", "steps", "then[0]: guard: true: the limit of steps was reached here"},
		"in the parameter": {"then: [{push: {device: device, command: charge, parameters: {power: {value: 'count(1..9000, any(1..9000, false))'}}}}]", "error", "steps", "then[0]: power: false: the limit of steps was reached here"},
		"in the data":      {"then: [{emit: {type: a.b, data: {x: ['" + endless + "']}}}]", "error", "steps", "then[0]: data.x[0]: true: the limit of steps was reached here"},
		"in rearm":         {"rearm: " + endless, "fired", "steps", "rearm: true: the limit of steps was reached here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, e := moment(t, situation{level: 100.0, previous: 98.0})
			s.Rules = []*rules.Standing{{Compiled: compiled(t, c.line), ID: "rule_1", Version: 2, Keys: map[string]rules.EdgeState{"device:dev_battery": edges["armed"](noon)}}}
			runs, err := rules.Decide(s, e, false)
			if err != nil || len(runs) != 1 {
				t.Fatalf("runs %+v, error %v", runs, err)
			}
			if run := runs[0]; string(run.Decision) != c.decision || run.Limit != c.limit || run.Error != c.error {
				t.Errorf("%s, limit %q, error %q", run.Decision, run.Limit, run.Error)
			}
		})
	}
}
