package rules_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/rules"
)

// named is a rule among others.
func named(t *testing.T, id string, lines ...string) *rules.Standing {
	t.Helper()
	return &rules.Standing{Compiled: compiled(t, append([]string{"name: " + id}, lines...)...), ID: id, Version: 1}
}

// TestConflicts has a rule, another one, and what is said of the two.
func TestConflicts(t *testing.T) {
	t.Parallel()
	const (
		charge   = "then: [{push: {device: 'site.evChargers', command: charge}}]"
		idle     = "then: [{push: {device: 'site.evChargers', command: idle}}]"
		battery  = "then: [{push: {device: 'site.batteries', command: charge}}]"
		whatever = "then: [{push: {device: 'find(site.evChargers, .id == \"x\") ?? first(site.batteries)', command: idle}}]"
		clash    = `warning then[0].push.device: "other" (other) commands devices of the type ev_charger otherwise, with the same priority of 50: the second of them is held until the first one's command has ended`
		trigger  = `warning then[0].push: what this does can trigger "other" (other)`
		emitted  = `warning then[0].emit: what this does can trigger "other" (other)`
		circle   = `warning then: rules can trigger one another in a circle: this one, then "other" (other), then this one again`
	)
	for name, c := range map[string]struct {
		rule, other []string
		want        []string
	}{
		"another device":                      {[]string{charge}, []string{battery}, nil},
		"the same, otherwise":                 {[]string{charge}, []string{idle}, []string{clash}},
		"the same, the same":                  {[]string{charge}, []string{charge}, nil},
		"another parameter":                   {[]string{charge}, []string{strings.Replace(charge, "charge}", "charge, parameters: {current: {value: 6}}}", 1)}, []string{clash}},
		"a number as a text":                  {[]string{strings.Replace(charge, "charge}", "charge, parameters: {current: {value: 6}}}", 1)}, []string{strings.Replace(charge, "charge}", "charge, parameters: {current: {value: '6'}}}", 1)}, nil},
		"a device of any family":              {[]string{idle}, []string{strings.Replace(charge, "site.evChargers", "device", 1), "deviceType: ev_charger", "if: state.isConnected", "on: [device.connected]"}, []string{clash}},
		"another priority":                    {[]string{charge, "priority: 60"}, []string{idle}, nil},
		"another site":                        {[]string{charge, "siteIds: [a, b]"}, []string{idle, "siteIds: [c]"}, nil},
		"a site of both":                      {[]string{charge, "siteIds: [a, b]"}, []string{idle, "siteIds: [b]"}, []string{clash}},
		"one that is off":                     {[]string{charge}, []string{idle, "mode: disabled"}, nil},
		"one in shadow":                       {[]string{charge}, []string{idle, "mode: shadow"}, nil},
		"windows that do not meet":            {[]string{charge, `window: {from: "08:00", to: "12:00"}`}, []string{idle, `window: {from: "12:00", to: "08:00"}`}, nil},
		"windows that meet over midnight":     {[]string{charge, `window: {from: "22:00", to: "02:00", days: [sat]}`}, []string{idle, `window: {from: "01:00", to: "03:00", days: [sun]}`}, []string{clash}},
		"windows of other days":               {[]string{charge, `window: {from: "22:00", to: "02:00", days: [sat]}`}, []string{idle, `window: {from: "01:00", to: "03:00", days: [mon, sat]}`}, nil},
		"conditions that exclude each other":  {[]string{charge, "if: state.level > 5 and site.meter.state.price < 0.1"}, []string{idle, "if: site.meter.state.price >= 0.1"}, nil},
		"prices that exclude each other":      {[]string{charge, "deviceType: meter", "if: state.price < 0.1"}, []string{idle, "deviceType: meter", "if: state.price > 0.4"}, nil},
		"conditions that may be true at once": {[]string{charge, "if: site.meter.state.price < 0.2"}, []string{idle, "if: site.meter.state.price > 0.1"}, []string{clash}},
		"of other batteries, maybe":           {[]string{charge, "if: state.level > 90"}, []string{idle, "if: state.level < 10"}, []string{clash}},
		"an effect that the other looks at":   {[]string{battery, "deviceType: meter", "if: state.price < 0.1"}, []string{charge, "if: state.level > 99"}, []string{trigger}},
		"an effect that only rearm looks at":  {[]string{battery, "deviceType: meter", "if: state.price < 0.1"}, []string{charge, "if: site.meter.state.price > 1", "rearm: state.level < 9"}, []string{trigger}},
		"an effect on another field":          {[]string{battery, "deviceType: meter", "if: state.price < 0.1"}, []string{charge, "if: state.temperature > 40"}, nil},
		"an effect on another device":         {[]string{battery, "deviceType: meter", "if: state.price < 0.1"}, []string{charge, "deviceType: ev_charger", "if: any(site.batteries, .state.level > 1)"}, nil},
		"asked at other events":               {[]string{battery, "deviceType: meter", "if: state.price < 0.1"}, []string{charge, "on: [device.connected]"}, nil},
		"asked at the ends of commands":       {[]string{battery, "deviceType: meter", "if: state.price < 0.1"}, []string{"on: [push.*]", "deviceType: battery", "if: 'true'", "then: [{emit: {type: a.b}}]"}, []string{trigger}},
		"a circle":                            {[]string{battery, "deviceType: ev_charger", "if: state.isCharging"}, []string{charge}, []string{circle}},
		"a circle of events":                  {[]string{"on: [a.a]", "deviceType: battery", "if: 'true'", "then: [{emit: {type: a.b}}]"}, []string{"on: [a.b]", "if: 'true'", "deviceType: battery", "then: [{emit: {type: a.a}}]"}, nil},
		"either family":                       {[]string{whatever}, []string{idle, "on: [device.connected]"}, nil},
		"in the other branch":                 {[]string{"then: [{emit: {type: a.b}}]", "else_failed: [{push: {device: 'site.evChargers', command: idle}}]"}, []string{charge}, []string{strings.Replace(clash, "then[0]", "else_failed[0]", 1)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, d := range rules.Conflicts(named(t, "rule", c.rule...), []*rules.Standing{named(t, "other", c.other...), named(t, "rule", c.other...)}) {
				got = append(got, string(d.Severity)+" "+d.Field+": "+d.Message)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("events", func(t *testing.T) {
		t.Parallel()
		chain := func(id, on, emit string) *rules.Standing {
			r, err := rules.ParseYAML([]byte("name: " + id + "\non: [" + on + "]\nif: 'true'\nthen: [{emit: {type: " + emit + "}}]\n"))
			if err != nil {
				t.Fatal(err)
			}
			c, err := rules.Compile(r)
			if err != nil {
				t.Fatal(err)
			}
			return &rules.Standing{Compiled: c, ID: id}
		}
		others := []*rules.Standing{chain("b", "a.b", "a.c"), chain("other", "a.b", "a.z"), chain("c", "a.*", "a.a"), chain("c2", "a.c", "a.d")}
		var got []string
		for _, d := range rules.Conflicts(chain("rule", "a.a", "a.b"), others) {
			got = append(got, string(d.Severity)+" "+d.Field+": "+d.Message)
		}
		want := []string{
			`warning then[0].emit: what this does can trigger "b" (b)`, emitted,
			`warning then: rules can trigger one another in a circle: this one, then "c" (c), then this one again`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		others = others[:2]
		others = append(others, chain("d", "a.c", "a.d"), chain("e", "a.d", "a.a"))
		found := rules.Conflicts(chain("rule", "a.a", "a.b"), others)
		last := found[len(found)-1].Message
		if want := `rules can trigger one another in a circle: this one, then "b" (b), then "d" (d), then "e" (e), then this one again`; last != want {
			t.Errorf("got %s, want %s", last, want)
		}
	})
}

// TestConflictsAreBounded holds that a rule among thousands is looked at quickly, and little is said.
func TestConflictsAreBounded(t *testing.T) {
	t.Parallel()
	rule := named(t, "rule", "then: [{push: {device: 'site.evChargers', command: idle}}]")
	other := named(t, "other")
	others := make([]*rules.Standing, 2000)
	for i := range others {
		one := *other
		one.ID = strings.Repeat("x", i%7) + string(rune('a'+i%20))
		others[i] = &one
	}
	if found := rules.Conflicts(rule, others); len(found) != 20 {
		t.Errorf("%d warnings", len(found))
	}
}

// TestLacking has what a home lacks for a rule.
func TestLacking(t *testing.T) {
	t.Parallel()
	can := func(commands ...string) []busbar.Device {
		d := busbar.Device{Commands: busbar.Commands{}}
		for _, name := range commands {
			d.Commands[name] = busbar.Capability{}
		}
		return []busbar.Device{{}, d}
	}
	for name, c := range map[string]struct {
		lines   []string
		devices map[busbar.Family][]busbar.Device
		want    []string
	}{
		"all there":     {nil, map[busbar.Family][]busbar.Device{busbar.Battery: can(), busbar.EVCharger: can("charge")}, nil},
		"not looked at": {nil, nil, nil},
		"none": {
			[]string{"siteIds: [a]"},
			map[busbar.Family][]busbar.Device{busbar.Battery: nil, busbar.EVCharger: nil},
			[]string{"deviceType: there is no device of the type battery at its sites", "then[0].push.device: there is no device at its sites that this could be"},
		},
		"it cannot do that": {nil, map[busbar.Family][]busbar.Device{busbar.EVCharger: can("idle")}, []string{"then[0].push.command: no device takes the command charge"}},
		"one of two families can": {
			[]string{"deviceType: meter", "if: state.price < 1", "then: [{push: {device: 'find(site.evChargers, .state.isConnected) ?? first(site.batteries)', command: idle}}]"},
			map[busbar.Family][]busbar.Device{busbar.Meter: can(), busbar.Battery: can("idle"), busbar.EVCharger: can()},
			nil,
		},
		"an event only": {[]string{"then: [{emit: {type: a.b}}]"}, map[busbar.Family][]busbar.Device{busbar.Battery: can()}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, d := range rules.Lacking(compiled(t, c.lines...), c.devices) {
				got = append(got, d.Field+": "+d.Message)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if diff := cmp.Diff([]busbar.Family{busbar.Battery, busbar.EVCharger}, compiled(t).Families()); diff != "" {
		t.Errorf("families (-want +got):\n%s", diff)
	}
}
