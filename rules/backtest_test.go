package rules_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/rules"
)

// recording is a home with what happened in it since noon.
type recording struct {
	*rules.Recording
	t testing.TB
}

func newRecording(t testing.TB) *recording {
	t.Helper()
	in := home(t)
	for _, d := range in.Devices {
		d.Environment = busbar.Sandbox
	}
	return &recording{&rules.Recording{Environment: busbar.Sandbox, Sites: []*busbar.Site{in.Site}, Devices: in.Devices, Until: noon.Add(24 * time.Hour)}, t}
}

// add appends an event so long after noon.
func (r *recording) add(after time.Duration, e busbar.Event, data map[string]any) *busbar.Event {
	r.t.Helper()
	n := len(r.Events) + 1
	e.ID, e.Environment, e.Data = busbar.EventID(fmt.Sprintf("evt_%d", n)), busbar.Sandbox, []byte(toJSON(r.t, data))
	if e.Type == "" {
		e.Type = busbar.TypeDeviceUpdated
	}
	if e.SiteID == "" && e.DeviceID != "" {
		e.SiteID = "site_home"
	}
	if e.SiteID != "" {
		e.Seq = int64(n)
	}
	e.ReceivedAt = noon.Add(after)
	if e.Timestamp.IsZero() {
		e.Timestamp = e.ReceivedAt
	}
	e.Causation.RootEventID = e.ID
	r.Events = append(r.Events, e)
	return &r.Events[n-1]
}

// level has the battery report a level after another.
func (r *recording) level(after time.Duration, previous, level any) *busbar.Event {
	r.t.Helper()
	return r.add(after, busbar.Event{DeviceID: "dev_battery"}, map[string]any{
		"changed": []string{"level"}, "state": map[string]any{"level": level, "status": "idle"}, "previous": map[string]any{"level": previous, "status": "idle"},
	})
}

// TestBacktest has what a rule decides at what was recorded, a line for each run, command and emitted event.
func TestBacktest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines  []string
		happen func(r *recording)
		want   []string
	}{
		"a rise fires once": {nil, func(r *recording) {
			r.level(0, 98, 100)
			r.level(time.Minute, 100, 99)
			r.level(2*time.Minute, 99, 90)
			r.level(3*time.Minute, 90, 99)
		}, []string{"+0s fired evt_1", "+0s charge dev_charger1", "+1m0s already_true evt_2", "+2m0s false evt_3", "+3m0s fired evt_4", "+3m0s charge dev_charger1"}},
		"the first state was true before": {nil, func(r *recording) { r.level(0, 99, 100) }, []string{"+0s already_true evt_1"}},
		"events of a site go by their number": {nil, func(r *recording) {
			r.level(0, 99, 98).Seq = 2
			r.level(0, 97, 99).Seq = 1
		}, []string{"+0s fired evt_2", "+0s charge dev_charger1", "+0s false evt_1"}},
		"a late reading changes nothing": {nil, func(r *recording) {
			r.level(0, 90, 91)
			r.level(time.Minute, 91, 100).Flags = []busbar.EventFlag{busbar.FlagLate}
			r.level(2*time.Minute, 91, 100)
		}, []string{"+0s false evt_1", "+1m0s late evt_2", "+2m0s fired evt_3", "+2m0s charge dev_charger1"}},
		"an event that came too late to act on": {nil, func(r *recording) { r.level(time.Hour, 90, 100).Timestamp = noon }, []string{"+1h0m0s too_old evt_1"}},
		"what another device said before its first event": {[]string{"if: state.level >= 99 and site.meter.state.importPower < -3"}, func(r *recording) {
			r.level(0, 98, 100)
			r.level(time.Minute, 100, 98)
			r.add(2*time.Minute, busbar.Event{DeviceID: "dev_meter"}, map[string]any{"state": map[string]any{"importPower": -2}, "previous": map[string]any{"importPower": -3.5}})
			r.level(3*time.Minute, 98, 100)
		}, []string{"+0s fired evt_1", "+0s charge dev_charger1", "+1m0s false evt_2", "+3m0s false evt_4"}},
		"what another device says that no event is about": {[]string{"if: state.level >= 99 and site.meter.state.importPower < -4"}, func(r *recording) {
			r.level(0, 98, 100)
		}, []string{"+0s fired evt_1", "+0s charge dev_charger1"}},
		"a device that fell silent": {[]string{"if: state.level >= 99 and site.meter.state.importPower < -3"}, func(r *recording) {
			meter := func(after time.Duration, synced bool) {
				state := map[string]any{"importPower": -3.5}
				r.add(after, busbar.Event{DeviceID: "dev_meter"}, map[string]any{"changed": []string{"sync"}, "state": state, "previous": state, "sync": map[string]any{"available": synced}})
			}
			r.level(0, 98, 100) // fresh until it is told otherwise, however long ago it spoke
			r.level(time.Minute, 100, 98)
			meter(2*time.Minute, false)
			r.level(3*time.Minute, 98, 100)
			r.level(4*time.Minute, 100, 98)
			meter(5*time.Minute, true)
			r.level(6*time.Minute, 98, 100)
		}, []string{
			"+0s fired evt_1", "+0s charge dev_charger1", "+1m0s false evt_2", "+3m0s unknown evt_4", "+4m0s false evt_5",
			"+6m0s fired evt_7", "+6m0s charge dev_charger1",
		}},
		"a device that had fallen silent before": {[]string{"if: state.level >= 99 and site.meter.state.importPower < -3"}, func(r *recording) {
			r.level(0, 98, 100)
			state := map[string]any{"importPower": -3.5}
			r.add(time.Minute, busbar.Event{DeviceID: "dev_meter"}, map[string]any{"changed": []string{"sync"}, "state": state, "previous": state, "sync": map[string]any{"available": true}})
		}, []string{"+0s unknown evt_1"}},
		"connections": {[]string{"on: [device.*]", "deviceType: ev_charger", "if: device.connected", "then: [{emit: {type: charger.there, data: {id: device.id}}}]"}, func(r *recording) {
			charger := func(after time.Duration, kind string) {
				r.add(after, busbar.Event{DeviceID: "dev_charger1", Type: kind}, map[string]any{"deviceId": "dev_charger1"})
			}
			charger(0, busbar.TypeDeviceReconnected) // so it was away
			charger(time.Minute, busbar.TypeDeviceDisconnected)
			charger(2*time.Minute, busbar.TypeDeviceReconnected)
		}, []string{
			"+0s fired evt_1", `+0s charger.there {"id":"dev_charger1"}`, "+1m0s false evt_2", "+2m0s fired evt_3", `+2m0s charger.there {"id":"dev_charger1"}`,
		}},
		"a hold ends by the time of receipt": {[]string{"for: 10m", "cooldown: 1h"}, func(r *recording) {
			r.level(0, 98, 100).Timestamp = noon.Add(-3 * time.Minute)
			r.level(30*time.Minute, 100, 98)
			r.level(45*time.Minute, 98, 100)
			r.level(90*time.Minute, 100, 97)
			r.level(91*time.Minute, 97, 100)
			r.level(92*time.Minute, 100, 97)
		}, []string{
			"+0s holding evt_1", "+10m0s fired evt_1", "+10m0s charge dev_charger1", "+30m0s false evt_2", "+45m0s cooldown evt_3",
			"+1h30m0s false evt_4", "+1h31m0s holding evt_5", "+1h32m0s false evt_6",
		}},
		"a hold that waits for what it does not know": {[]string{"for: 10m", "grace: 5m"}, func(r *recording) {
			r.level(0, 98, 100)
			r.level(8*time.Minute, 100, nil)
		}, []string{"+0s holding evt_1", "+8m0s unknown evt_2", "+10m0s holding evt_1", "+13m0.001s unknown evt_1"}},
		"a window opens": {[]string{`window: {from: "13:00", to: "15:00"}`}, func(r *recording) {
			r.level(0, 98, 100)
			r.add(90*time.Minute, busbar.Event{Type: "other.event"}, map[string]any{})
		}, []string{"+0s outside_window evt_1", "+1h0m0s fired window", "+1h0m0s charge dev_charger1"}},
		"a window opens for a rule of all sites": {[]string{"scope: rule", "deviceType: battery", "if: now.hour >= 11", `window: {from: "11:00", to: "15:00"}`, "then: [{emit: {type: a.b}}]"}, func(r *recording) {
			r.level(-70*time.Minute, 98, 100)
		}, []string{"-1h10m0s false evt_1", "+1h0m0s fired window", "+1h0m0s a.b {}"}},
		"each step, as if all succeed": {[]string{"then: [{push: {device: 'site.evChargers[0]', command: charge}}, {push: {device: 'site.evChargers[0]', command: idle, guard: 'steps[0].status == \"done\"'}}, {emit: {type: a.b, data: {n: event.data.state.level}}}]"}, func(r *recording) {
			r.level(0, 98, 100)
		}, []string{"+0s fired evt_1", "+0s charge dev_charger1", "+0s idle dev_charger1", `+0s a.b {"n":100}`}},
		"a device that came later": {[]string{"then: [{push: {device: 'last(site.evChargers)', command: charge}}]"}, func(r *recording) {
			r.Devices[3].CreatedAt = noon.Add(time.Minute)
			r.level(0, 98, 100)
			r.level(time.Minute, 100, 98)
			r.level(2*time.Minute, 98, 100)
		}, []string{"+0s fired evt_1", "+0s charge dev_charger2", "+1m0s false evt_2", "+2m0s fired evt_3", "+2m0s charge dev_charger3"}},
		"a person's hold is not repeated": {nil, func(r *recording) {
			for _, d := range r.Devices {
				d.HeldUntil = noon.Add(time.Hour)
			}
			r.level(0, 98, 100)
		}, []string{"+0s fired evt_1", "+0s charge dev_charger1"}},
		"a rule that is off": {[]string{"mode: disabled"}, func(r *recording) { r.level(0, 98, 100) }, []string{"+0s fired evt_1", "+0s charge dev_charger1"}},
		"an event without a site": {[]string{"on: [my.event]", "deviceType: battery"}, func(r *recording) {
			r.add(0, busbar.Event{Type: "my.event"}, map[string]any{})
			r.add(0, busbar.Event{Type: "my.event", DeviceID: "dev_unregistered", SiteID: "site_gone"}, map[string]any{})
		}, nil},
		"nothing happened": {nil, func(*recording) {}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRecording(t)
			c.happen(r)
			var got []string
			at := func(now time.Time) string {
				d := now.Sub(noon)
				if d < 0 {
					return d.String()
				}
				return "+" + d.String()
			}
			results, err := rules.Backtest(r.Recording, []*rules.Standing{{Compiled: compiled(t, c.lines...), ID: "rule_1", Version: 2}}, func(run *rules.Run) {
				about := string(run.EventID)
				if run.Trigger == rules.TriggerWindow {
					about = "window"
				}
				got = append(got, at(run.DecidedAt)+" "+string(run.Decision)+" "+about)
				if run.Firing == nil {
					return
				}
				for _, command := range run.Firing.First.Commands {
					got = append(got, at(run.DecidedAt)+" "+command.Command+" "+string(command.DeviceID))
				}
				if e := run.Firing.First.Emission; e != nil {
					got = append(got, at(run.DecidedAt)+" "+e.Type+" "+toJSON(t, e.Data))
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			result := &results[0]
			if name == "each step, as if all succeed" {
				got = got[:2]
				for _, command := range result.Commands[1:] {
					got = append(got, at(command.At)+" "+command.Command.Command+" "+string(command.DeviceID))
				}
				for _, e := range result.Emissions {
					got = append(got, at(e.At)+" "+e.Type+" "+toJSON(t, e.Data))
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if result.Truncated || !result.Until.Equal(r.Until) {
				t.Errorf("truncated %v at %s", result.Truncated, result.Until)
			}
			quiet := result.Decisions[rules.DecisionFalse] + result.Decisions[rules.DecisionAlreadyTrue]
			all := 0
			for _, n := range result.Decisions {
				all += n
			}
			if len(result.Runs) != all-quiet {
				t.Errorf("%d runs of %v", len(result.Runs), result.Decisions)
			}
		})
	}
}

// TestBacktestEndsAtItsBounds holds that two versions end at the same event, and say so.
func TestBacktestEndsAtItsBounds(t *testing.T) {
	t.Parallel()
	r := newRecording(t)
	for i := range 3 * rules.MaxBacktestCommands {
		r.level(time.Duration(i)*time.Second, 98, 100)
	}
	every, rising := compiled(t, "edge: every"), compiled(t)
	results, err := rules.Backtest(r.Recording, []*rules.Standing{{Compiled: every, ID: "rule_1", Version: 2}, {Compiled: rising, ID: "rule_1", Version: 1}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(results[0].Commands); n != rules.MaxBacktestCommands || len(results[1].Commands) != 1 {
		t.Errorf("%d and %d commands", n, len(results[1].Commands))
	}
	until := noon.Add((rules.MaxBacktestCommands - 1) * time.Second)
	for _, result := range results {
		if !result.Truncated || !result.Until.Equal(until) {
			t.Errorf("truncated %v, until %s, want %s", result.Truncated, result.Until, until)
		}
	}
	r.Events = r.Events[:0]
	for i := range rules.MaxBacktestEvents + 1 {
		r.add(time.Duration(i)*time.Second, busbar.Event{Type: "other.event"}, nil)
	}
	results, err = rules.Backtest(r.Recording, []*rules.Standing{{Compiled: rising, ID: "rule_1", Version: 1}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	until = noon.Add((rules.MaxBacktestEvents - 1) * time.Second)
	if got := results[0]; !got.Truncated || !got.Until.Equal(until) {
		t.Errorf("truncated %v, until %s, want %s", got.Truncated, got.Until, until)
	}
}

func TestBacktestOfBrokenData(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`5`, `[]`, `{"state": `} {
		r := newRecording(t)
		r.level(0, 98, 100)
		r.Events[0].Data = []byte(text)
		if _, err := rules.Backtest(r.Recording, []*rules.Standing{{Compiled: compiled(t), ID: "rule_1", Version: 1}}, nil); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

// An event that was taken in before its device was registered was held against no schema.
func TestBacktestOfAListWhereAFieldIsSaid(t *testing.T) {
	t.Parallel()
	r := newRecording(t)
	r.level(0, []any{98}, map[string]any{"percent": 100})
	r.level(time.Minute, map[string]any{"percent": 100}, map[string]any{"percent": 90})
	r.level(2*time.Minute, 90, 100)
	results, err := rules.Backtest(r.Recording, []*rules.Standing{{Compiled: compiled(t), ID: "rule_1", Version: 1}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[rules.Decision]int{rules.DecisionUnknown: 2, rules.DecisionFired: 1}
	if diff := cmp.Diff(want, results[0].Decisions); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
}

func TestDiffCommands(t *testing.T) {
	t.Parallel()
	command := func(after time.Duration, device busbar.DeviceID, amps float64) rules.PlayedCommand {
		return rules.PlayedCommand{At: noon.Add(after), Command: rules.Command{
			DeviceID: device, Command: "charge", Parameters: map[string]busbar.Quantity{"current": {Value: amps, Unit: busbar.Amps}},
		}}
	}
	was := []rules.PlayedCommand{command(0, "a", 6), command(0, "b", 6), command(0, "b", 7), command(time.Minute, "a", 6), command(time.Hour, "a", 6)}
	is := []rules.PlayedCommand{command(0, "b", 6), command(0, "b", 8), command(0, "b", 9), command(time.Minute, "a", 6), command(2*time.Minute, "a", 6)}
	want := rules.CommandDiff{
		Added:   []rules.PlayedCommand{command(0, "b", 9), command(2*time.Minute, "a", 6)},
		Removed: []rules.PlayedCommand{command(0, "a", 6), command(time.Hour, "a", 6)},
		Changed: []rules.ChangedCommand{{Was: command(0, "b", 7), Is: command(0, "b", 8)}},
	}
	if diff := cmp.Diff(want, rules.DiffCommands(was, is)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := rules.DiffCommands(was, was); got.Added != nil || got.Removed != nil || got.Changed != nil {
		t.Errorf("the same differs: %+v", got)
	}
}

// BenchmarkBacktest is 10,000 events of a home of six devices, with a version against another.
func BenchmarkBacktest(b *testing.B) {
	l := newLive(b, 1, nil)
	for len(l.events) < 10_000 {
		l.minute()
	}
	rec := l.recording()
	rec.Events = rec.Events[:10_000]
	library, err := rules.Library()
	if err != nil {
		b.Fatal(err)
	}
	c, err := rules.Compile(library[0].Rule)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rules.Backtest(rec, []*rules.Standing{{Compiled: c, ID: "rule_1", Version: 2}, {Compiled: c, ID: "rule_1", Version: 1}}, nil); err != nil {
			b.Fatal(err)
		}
	}
}
