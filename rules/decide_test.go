package rules_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"busbar"
	"busbar/rules"
)

// compiled reads and checks a rule; extra lines are added to it.
func compiled(t testing.TB, lines ...string) *rules.Compiled {
	t.Helper()
	const base = `
name: full
on: [device.updated]
deviceType: battery
if: state.level >= 99
then:
  - push: {device: "find(site.evChargers, .state.isConnected)", command: charge, onConflict: cancel_and_replace}
`
	text := base
	for _, line := range lines {
		if key, _, ok := strings.Cut(line, ":"); ok {
			text = withoutKey(text, key)
		}
		text += line + "\n"
	}
	r, err := rules.ParseYAML([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c, err := rules.Compile(r)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// withoutKey drops a key with what belongs to it.
func withoutKey(text, key string) string {
	var kept []string
	dropping := false
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, " ") {
			dropping = strings.HasPrefix(line, key+":")
		}
		if !dropping {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// situation is what a cell of the table begins with.
type situation struct {
	lines           []string
	level, previous any
	edit            func(s *rules.Snapshot, e *busbar.Event, rule *rules.Standing)
	late            bool
}

// The edges that a cell may begin with.
var edges = map[string]func(now time.Time) rules.EdgeState{
	"unset": func(time.Time) rules.EdgeState { return rules.EdgeState{} },
	"armed": func(time.Time) rules.EdgeState { return rules.EdgeState{Version: 2, Number: 4} },
	"spent": func(time.Time) rules.EdgeState { return rules.EdgeState{Version: 2, Number: 4, Spent: true} },
	"holding": func(now time.Time) rules.EdgeState {
		return rules.EdgeState{Version: 2, Number: 4, Hold: &rules.Hold{ID: "hold_1", Version: 2, Since: now.Add(-time.Minute), Due: now.Add(9 * time.Minute)}}
	},
	"due": func(now time.Time) rules.EdgeState {
		return rules.EdgeState{Version: 2, Number: 4, Hold: &rules.Hold{ID: "hold_1", Version: 2, Since: now.Add(-10 * time.Minute), Due: now}}
	},
	"edited armed": func(time.Time) rules.EdgeState { return rules.EdgeState{Version: 1, Number: 4} },
	"edited spent": func(time.Time) rules.EdgeState { return rules.EdgeState{Version: 1, Number: 4, Spent: true} },
	"edited holding": func(now time.Time) rules.EdgeState {
		return rules.EdgeState{Version: 1, Number: 4, Hold: &rules.Hold{ID: "hold_1", Version: 1, Since: now.Add(-time.Minute), Due: now.Add(9 * time.Minute)}}
	},
}

// edgeName says what an edge has become.
func edgeName(e rules.EdgeState) string {
	switch {
	case e.Version != 2:
		return "unset"
	case e.Spent:
		return "spent"
	case e.Hold != nil:
		return "running"
	}
	return "armed"
}

// TestGatesAndEdges has a row for each gate in the order of the contract and, in it, what becomes of each edge:
// decision, edge afterwards, and the end of the hold that was running.
func TestGatesAndEdges(t *testing.T) {
	t.Parallel()
	stop := func(s *rules.Snapshot, _ *busbar.Event, _ *rules.Standing) { s.Stopped = true }
	pause := func(_ *rules.Snapshot, _ *busbar.Event, r *rules.Standing) { r.Paused = true }
	const hold, everyTime = "for: 10m", "edge: every"
	nobody := "then: [{push: {device: 'find(site.evChargers, .id == \"none\")', command: charge}}]"
	unsure := "then: [{push: {device: 'site.evChargers[0]', command: charge, parameters: {current: {value: state.capacity}}}}]"
	impossible := "then: [{push: {device: 'site.evChargers[0]', command: charge, parameters: {current: {value: 99, unit: amps}}}}]"
	busy := func(priority int, rule string) func(*rules.Snapshot, *busbar.Event, *rules.Standing) {
		return func(s *rules.Snapshot, _ *busbar.Event, _ *rules.Standing) {
			s.Open = map[busbar.DeviceID]rules.OpenAction{"dev_charger1": {ActionID: "act_1", RuleID: rule, Priority: priority}}
		}
	}
	for name, row := range map[string]struct {
		situation
		want map[string]string
	}{
		"depth": {situation{level: 100.0, previous: 98.0, edit: func(_ *rules.Snapshot, e *busbar.Event, _ *rules.Standing) { e.Causation.Depth = 9 }}, map[string]string{
			"unset": "depth_limit spent", "armed": "depth_limit spent", "spent": "depth_limit spent", "holding": "depth_limit spent hold_broken",
		}},
		"depth of 8 is not over 8": {situation{level: 100.0, previous: 98.0, edit: func(_ *rules.Snapshot, e *busbar.Event, _ *rules.Standing) { e.Causation.Depth = 8 }}, map[string]string{
			"armed": "fired spent",
		}},
		"stopped, true": {situation{level: 100.0, previous: 98.0, edit: stop, lines: []string{hold}}, map[string]string{
			"unset": "disabled armed", "armed": "disabled armed", "spent": "disabled spent", "holding": "disabled running", "due": "disabled running",
		}},
		"stopped, false re-arms": {situation{level: 98.0, previous: 100.0, edit: stop, lines: []string{hold}}, map[string]string{
			"unset": "disabled armed", "armed": "disabled armed", "spent": "disabled armed", "holding": "disabled armed hold_broken",
		}},
		"stopped, rearm is followed": {situation{level: 94.0, previous: 100.0, edit: stop, lines: []string{"rearm: state.level < 95"}}, map[string]string{
			"armed": "disabled armed", "spent": "disabled armed",
		}},
		"stopped, not yet re-armed": {situation{level: 96.0, previous: 100.0, edit: stop, lines: []string{"rearm: state.level < 95"}}, map[string]string{
			"armed": "disabled armed", "spent": "disabled spent", "unset": "disabled spent",
		}},
		"paused": {situation{level: 100.0, previous: 98.0, edit: pause}, map[string]string{
			"armed": "disabled armed", "spent": "disabled spent",
		}},
		"late": {situation{level: 100.0, previous: 98.0, late: true, lines: []string{hold}}, map[string]string{
			"unset": "late unset", "armed": "late armed", "spent": "late spent", "holding": "late running",
		}},
		"too old": {situation{level: 98.0, previous: 100.0, lines: []string{hold}, edit: func(_ *rules.Snapshot, e *busbar.Event, _ *rules.Standing) {
			e.ReceivedAt = e.Timestamp.Add(15*time.Minute + time.Millisecond)
		}}, map[string]string{
			"unset": "too_old unset", "armed": "too_old armed", "spent": "too_old spent", "holding": "too_old running",
		}},
		"just in time": {situation{level: 100.0, previous: 98.0, edit: func(_ *rules.Snapshot, e *busbar.Event, _ *rules.Standing) {
			e.ReceivedAt = e.Timestamp.Add(15 * time.Minute)
		}}, map[string]string{"armed": "fired spent"}},
		"rearm comes before if": {situation{level: 100.0, previous: 98.0, lines: []string{"rearm: state.level > 50"}}, map[string]string{
			"spent": "fired spent",
		}},
		"rearm is unknown": {situation{level: 98.0, previous: 100.0, lines: []string{"rearm: state.capacity < 95"}}, map[string]string{
			"spent": "false spent", "armed": "false armed",
		}},
		"false": {situation{level: 98.0, previous: 97.0, lines: []string{hold}}, map[string]string{
			"unset": "false armed", "armed": "false armed", "spent": "false armed", "holding": "false armed hold_broken", "due": "false armed hold_broken",
			"edited armed": "false armed", "edited spent": "false armed", "edited holding": "false armed superseded",
		}},
		"false, but not re-armed": {situation{level: 98.0, previous: 100.0, lines: []string{"rearm: state.level < 95"}}, map[string]string{
			"unset": "false spent", "armed": "false armed", "spent": "false spent",
		}},
		"unknown": {situation{level: nil, previous: 98.0, lines: []string{hold}}, map[string]string{
			"unset": "unknown armed", "armed": "unknown armed", "spent": "unknown spent", "holding": "unknown armed unknown",
		}},
		"unknown within grace": {situation{level: nil, previous: 98.0, lines: []string{hold, "grace: 1m"}}, map[string]string{
			"holding": "unknown running",
		}},
		"already true": {situation{level: 100.0, previous: 99.0}, map[string]string{
			"unset": "already_true spent", "spent": "already_true spent", "edited armed": "already_true spent", "edited spent": "already_true spent",
		}},
		"first sight": {situation{level: 100.0}, map[string]string{
			"unset": "first_sight spent", "armed": "fired spent", "spent": "already_true spent", "edited armed": "first_sight spent",
		}},
		"first sight of false":   {situation{level: 50.0}, map[string]string{"unset": "false armed"}},
		"first sight of nothing": {situation{level: nil}, map[string]string{"unset": "unknown unset"}},
		"unknown just before":    {situation{level: 100.0, previous: nil, lines: []string{"if: state.level >= 99 and state.status == 'idle'"}}, map[string]string{"unset": "fired spent"}},
		"outside the window": {situation{level: 100.0, previous: 98.0, lines: []string{hold, `window: {from: "13:00", to: "18:00"}`}}, map[string]string{
			"unset": "outside_window armed", "armed": "outside_window armed", "spent": "already_true spent", "holding": "outside_window running",
		}},
		"inside the window": {situation{level: 100.0, previous: 98.0, lines: []string{`window: {from: "12:00", to: "18:00", days: [mon]}`}}, map[string]string{"armed": "fired spent"}},
		"another day":       {situation{level: 100.0, previous: 98.0, lines: []string{`window: {from: "12:00", to: "18:00", days: [tue]}`}}, map[string]string{"armed": "outside_window armed"}},
		"cooldown": {situation{level: 100.0, previous: 98.0, lines: []string{"cooldown: 30m"}, edit: func(_ *rules.Snapshot, e *busbar.Event, r *rules.Standing) {
			for key, edge := range r.Keys {
				edge.FiredAt = e.Timestamp.Add(-29 * time.Minute)
				r.Keys[key] = edge
			}
		}}, map[string]string{
			"unset": "cooldown spent", "armed": "cooldown spent", "spent": "already_true spent", "edited armed": "cooldown spent",
		}},
		"cooldown is over": {situation{level: 100.0, previous: 98.0, lines: []string{"cooldown: 30m"}, edit: func(_ *rules.Snapshot, e *busbar.Event, r *rules.Standing) {
			for key, edge := range r.Keys {
				edge.FiredAt = e.Timestamp.Add(-30 * time.Minute)
				r.Keys[key] = edge
			}
		}}, map[string]string{"armed": "fired spent"}},
		"hold": {situation{level: 100.0, previous: 98.0, lines: []string{hold}}, map[string]string{
			"unset": "holding running", "armed": "holding running", "spent": "already_true spent", "holding": "holding running", "due": "fired spent",
			"edited holding": "holding running superseded",
		}},
		"no target": {situation{level: 100.0, previous: 98.0, lines: []string{nobody}}, map[string]string{
			"unset": "no_target armed", "armed": "no_target armed", "spent": "already_true spent",
		}},
		"a parameter that is unknown": {situation{level: 100.0, previous: 98.0, lines: []string{unsure}}, map[string]string{"armed": "unknown armed"}},
		"held by a higher priority": {situation{level: 100.0, previous: 98.0, edit: busy(60, "rule_other")}, map[string]string{
			"unset": "held armed", "armed": "held armed", "spent": "already_true spent",
		}},
		"held by the same priority": {situation{level: 100.0, previous: 98.0, edit: busy(50, "rule_other")}, map[string]string{"armed": "held armed"}},
		"held by a person":          {situation{level: 100.0, previous: 98.0, edit: busy(0, "")}, map[string]string{"armed": "held armed"}},
		"held by a person's hold": {situation{level: 100.0, previous: 98.0, edit: func(s *rules.Snapshot, e *busbar.Event, _ *rules.Standing) {
			for _, d := range s.Devices {
				d.HeldUntil = e.ReceivedAt.Add(time.Hour)
			}
		}}, map[string]string{"armed": "held armed"}},
		"replaces a lower priority": {situation{level: 100.0, previous: 98.0, edit: busy(49, "rule_other")}, map[string]string{"armed": "fired spent"}},
		"its own action":            {situation{level: 100.0, previous: 98.0, edit: busy(50, "rule_1")}, map[string]string{"armed": "fired spent"}},
		"fired": {situation{level: 100.0, previous: 98.0}, map[string]string{
			"unset": "fired spent", "armed": "fired spent", "spent": "already_true spent", "edited armed": "fired spent", "edited spent": "fired spent",
		}},
		"shadowed":      {situation{level: 100.0, previous: 98.0, lines: []string{"mode: shadow"}}, map[string]string{"armed": "shadowed spent", "spent": "already_true spent"}},
		"every":         {situation{level: 100.0, previous: 99.5, lines: []string{everyTime}}, map[string]string{"unset": "fired unset", "spent": "fired spent"}},
		"no device can": {situation{level: 100.0, previous: 98.0, lines: []string{impossible}}, map[string]string{"armed": "error spent"}},
		"if cannot be decided": {situation{level: 100.0, previous: 98.0, lines: []string{"if: event.data.state > 5", hold}}, map[string]string{
			"unset": "error spent", "armed": "error spent", "spent": "error spent", "holding": "error spent hold_broken",
		}},
		"if takes too many steps": {situation{level: 100.0, previous: 98.0, lines: []string{"if: any(1..9000, all(1..9000, true) and false)"}}, map[string]string{"armed": "error spent"}},
	} {
		for edge, want := range row.want {
			t.Run(name+", "+edge, func(t *testing.T) {
				t.Parallel()
				s, e := moment(t, row.situation)
				rule := &rules.Standing{Compiled: compiled(t, row.lines...), ID: "rule_1", Version: 2, Keys: map[string]rules.EdgeState{}}
				rule.Keys["device:dev_battery"] = edges[edge](noon)
				s.Rules = []*rules.Standing{rule}
				if row.edit != nil {
					row.edit(s, e, rule)
				}
				runs, err := rules.Decide(s, e, row.late)
				if err != nil || len(runs) != 1 {
					t.Fatalf("%d runs, error %v", len(runs), err)
				}
				got := string(runs[0].Decision) + " " + edgeName(runs[0].After)
				if runs[0].Ended != nil {
					got += " " + string(runs[0].Ended.Decision)
				}
				if got != want {
					t.Errorf("%s, want %s (%+v)", got, want, runs[0])
				}
				fires := runs[0].Decision == rules.DecisionFired || runs[0].Decision == rules.DecisionShadowed
				if (runs[0].Firing != nil) != fires {
					t.Errorf("firing %+v with the decision %s", runs[0].Firing, runs[0].Decision)
				}
				if fires && runs[0].After.Number != runs[0].Before.Number+1 || !fires && runs[0].After.Number != runs[0].Before.Number {
					t.Errorf("number %d, before %d", runs[0].After.Number, runs[0].Before.Number)
				}
				again, err := rules.Decide(s, e, row.late)
				if err != nil || toJSON(t, again) != toJSON(t, runs) {
					t.Errorf("decided otherwise the second time: %+v", again)
				}
			})
		}
	}
}

func toJSON(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// moment is the home of the language's tests at an event of its battery.
func moment(t testing.TB, c situation) (*rules.Snapshot, *busbar.Event) {
	t.Helper()
	in := home(t)
	before := *in.Device
	before.Announced, before.ObservedAt = busbar.State{}, map[string]time.Time{}
	if c.previous != nil || c.level == nil || len(c.lines) > 0 && strings.Contains(c.lines[0], "status") {
		before.Announced = busbar.State{"level": c.previous, "status": "idle"}
	}
	if c.level == nil && c.previous == nil {
		before.Announced = busbar.State{}
	}
	in.Device.Announced = busbar.State{"level": c.level, "status": "idle"}
	in.Device.ObservedAt = map[string]time.Time{"level": noon, "status": noon}
	data := toJSON(t, map[string]any{"changed": []string{"level"}, "state": in.Device.Announced, "previous": before.Announced})
	e := &busbar.Event{
		ID: "evt_1", Type: busbar.TypeDeviceUpdated, DeviceID: "dev_battery", SiteID: "site_home", Timestamp: noon, ReceivedAt: noon,
		Data: json.RawMessage(data), Causation: busbar.Causation{RootEventID: "evt_1"},
	}
	return &rules.Snapshot{Environment: busbar.Sandbox, Site: in.Site, Devices: in.Devices, Location: in.Location, Before: &before}, e
}
