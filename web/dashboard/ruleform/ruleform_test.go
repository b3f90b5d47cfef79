package ruleform_test

import (
	"errors"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/rules"
	"busbar/web/dashboard/ruleform"
)

// every is a rule that has all that a rule can have.
const every = `
name: Everything
id: every_thing
mode: shadow
on: [device.updated, push.*]
deviceType: battery
siteIds: [home, cabin]
scope: site
if: |-
  state.level >= 99
  and "<>&" != ""
rearm: state.level < 95
for: 10m
grace: 1h30m
cooldown: 30m
window: {from: "22:00", to: "06:00", days: [mon, sun], timezone: Europe/Berlin}
actWithin: 5m
priority: 70
then:
  - push:
      device: find(site.evChargers, .state.isConnected)
      command: charge
      parameters: {current: {value: "clamp(state.level, 6, 16)", unit: amps}}
      start: 5m
      end: 1h
      guard: state.level > 90
      onConflict: queue_after
      expiresIn: 20m
      retries: 2
  - push: {device: device, command: discharge, parameters: {reserve: {value: 20}, power: {value: 1500, unit: watts}}}
  - emit: {type: battery.full, data: {level: state.level, list: [1, {deep: '"text"'}], on: true}}
else_failed:
  - emit: {type: automation.failed}
tests:
  - name: fires
    given: [{at: "2026-12-24T20:00:00", device: battery, state: {level: 98}}, {after: 1m, type: device.updated, state: {level: 100}}]
    expect: [{push: {deviceType: ev_charger, command: charge, parameters: {current: 16}}}, {emit: {type: battery.full, data: {level: 100}}}]
  - name: nothing
    given: [{device: battery, state: {level: 5}}]
    expect: []
`

func read(t *testing.T, text string) *rules.Rule {
	t.Helper()
	r, err := rules.ParseYAML([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func values(t *testing.T, r *rules.Rule) url.Values {
	t.Helper()
	v, err := ruleform.Values(r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAFormIsTheSameRule(t *testing.T) {
	t.Parallel()
	library, err := rules.Library()
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"every": every}
	for _, l := range library {
		texts[l.Slug] = l.YAML
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := read(t, text)
			got, _, err := ruleform.Read(values(t, r))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(r, got); diff != "" {
				t.Errorf("rule changed by its form (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAFormTakesWhatNumbersLookLikeForExpressions(t *testing.T) {
	t.Parallel()
	v := values(t, read(t, every))
	for typed, number := range map[string]bool{"7": true, "-7.5": true, "1e1": true, "NaN": false, "Inf": false, "0x10": false, "7 + 1": false} {
		v.Set("then[0].push.parameters.current.value", typed)
		r, _, err := ruleform.Read(v)
		if err != nil {
			t.Fatalf("%s: %v", typed, err)
		}
		if got := r.Then[0].Push.Parameters["current"]; got.Number != number || !number && got.Value != typed {
			t.Errorf("%s is %+v", typed, got)
		}
		if _, err := r.YAML(); err != nil {
			t.Errorf("%s: %v", typed, err)
		}
	}
}

func TestACommandIsThatOfTheDeviceNamed(t *testing.T) {
	t.Parallel()
	v := values(t, read(t, every))
	for field, want := range map[string]string{
		"then[0].push.command": "ev_charger charge", "then[1].push.command": "battery discharge", "then[2].emit.type": "battery.full",
		"then[0].push.parameters.current.unit": "amps", "priority": "70", "grace": "1h30m",
	} {
		if got := v.Get(field); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
}

func TestWhatIsWrongNamesItsField(t *testing.T) {
	t.Parallel()
	for field, value := range map[string]string{
		"for": "soon", "priority": "high", "window.from": "25:00", "then[0].push.retries": "many", "then[2].emit.data": "{", "tests": "a: [",
		"deviceType": "toaster", "name": " ", "if": "",
	} {
		v := values(t, read(t, every))
		v.Set(field, value)
		_, _, err := ruleform.Read(v)
		if busbar.CodeOf(err) != busbar.CodeValidationFailed {
			t.Errorf("%s = %q: %v", field, value, err)
			continue
		}
		if known, ok := errors.AsType[*busbar.Error](err); !ok || len(known.Fields) == 0 || known.Fields[0].Path != field {
			t.Errorf("%s = %q: %+v", field, value, known)
		}
	}
}

func TestStepsAreAddedMovedAndRemoved(t *testing.T) {
	t.Parallel()
	v := values(t, read(t, every))
	commands := func() []string {
		var all []string
		for i := range ruleform.Steps(v, ruleform.Then) {
			path := ruleform.StepPath(ruleform.Then, i)
			all = append(all, v.Get(path+".push.command")+v.Get(path+".emit.type"))
		}
		return all
	}
	for _, step := range []struct {
		name string
		do   func()
		want []string
	}{
		{"up", func() { ruleform.Up(v, ruleform.Then, 2) }, []string{"ev_charger charge", "battery.full", "battery discharge"}},
		{"the first up", func() { ruleform.Up(v, ruleform.Then, 0) }, []string{"ev_charger charge", "battery.full", "battery discharge"}},
		{"remove", func() { ruleform.Remove(v, ruleform.Then, 0) }, []string{"battery.full", "battery discharge"}},
		{"remove none", func() { ruleform.Remove(v, ruleform.Then, 7) }, []string{"battery.full", "battery discharge"}},
		{"add", func() { ruleform.Add(v, ruleform.Then, ruleform.KindEmit) }, []string{"battery.full", "battery discharge", ""}},
		{"add rubbish", func() { ruleform.Add(v, ruleform.Then, "x") }, []string{"battery.full", "battery discharge", ""}},
	} {
		step.do()
		if diff := cmp.Diff(step.want, commands()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	for i := range 30 {
		ruleform.Add(v, ruleform.ElseFailed, ruleform.KindPush)
		if n := ruleform.Steps(v, ruleform.ElseFailed); n > rules.MaxRuleSteps {
			t.Fatalf("%d steps after %d were added", n, i)
		}
	}
}
