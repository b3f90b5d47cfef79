package rules_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/rules"
)

// live is a home of six devices that report each minute as chance has it, with rules that decide at what changes. It keeps
// what an account keeps: events, each with the state after it.
type live struct {
	t       testing.TB
	rand    *rand.Rand
	site    *busbar.Site
	devices []*busbar.Device
	silent  map[busbar.DeviceID]int
	rules   []*rules.Standing
	began   map[string]*busbar.Event
	ended   map[rules.Hold]bool
	opens   map[*rules.Standing]time.Time
	now     time.Time
	events  []busbar.Event
	// log is what was decided.
	log []string
	// twice is how many events, from the first, are decided twice; fired is what came of all, by the runs, when it is kept.
	twice int
	fired map[string]string
}

func newLive(t testing.TB, seed uint64, compiled []*rules.Compiled) *live {
	t.Helper()
	l := &live{
		t: t, rand: rand.New(rand.NewPCG(seed, 7)), site: home(t).Site, silent: make(map[busbar.DeviceID]int), began: make(map[string]*busbar.Event),
		ended: make(map[rules.Hold]bool), opens: make(map[*rules.Standing]time.Time), now: time.Date(2026, 3, 28, 20, 0, 0, 0, time.UTC), // a clock change lies ahead
	}
	for _, family := range busbar.Families() {
		d := &busbar.Device{
			ID: busbar.DeviceID("dev_" + string(family)), Environment: busbar.Sandbox, Family: family, SiteID: l.site.ID, StaleAfter: 15 * time.Minute,
			Connection: busbar.Connected, Commands: family.Spec().DefaultCommands(), Announced: busbar.State{},
		}
		l.devices = append(l.devices, d)
	}
	slices.SortFunc(l.devices, func(a, b *busbar.Device) int { return strings.Compare(string(a.ID), string(b.ID)) })
	for i, c := range compiled {
		rule := &rules.Standing{Compiled: c, ID: fmt.Sprintf("rule_%d", i), Version: 1, Keys: make(map[string]rules.EdgeState)}
		l.rules = append(l.rules, rule)
	}
	return l
}

// recording is what was kept, with the devices as they have become.
func (l *live) recording() *rules.Recording {
	return &rules.Recording{Environment: busbar.Sandbox, Sites: []*busbar.Site{l.site}, Devices: l.devices, Events: l.events, Until: l.now}
}

// minute lets a minute pass, in which each device reports, falls silent, goes, or comes back.
func (l *live) minute() {
	begin := l.now
	for i := range l.devices {
		l.pass(begin.Add(time.Duration(i+1) * 7 * time.Second))
		d := l.devices[i]
		switch chance := l.rand.IntN(400); {
		case l.silent[d.ID] > 0:
			l.silent[d.ID]--
		case chance == 0:
			l.silent[d.ID] = 5 + l.rand.IntN(40)
		case chance < 4:
			l.connect(i)
		default:
			l.report(i)
		}
	}
	l.pass(begin.Add(time.Minute))
}

// report has a device tell its state. What it says of a field seldom jumps.
func (l *live) report(i int) {
	before, after := l.devices[i], *l.devices[i]
	after.State = maps.Clone(after.State)
	if after.State == nil {
		after.State = busbar.State{}
	}
	spec := after.Family.Spec()
	for at := range spec.Fields {
		after.State[spec.Fields[at].Name] = l.value(&spec.Fields[at], after.State[spec.Fields[at].Name])
	}
	if before.SyncLost {
		after.SyncLost = false
		l.sync(i, before.Announced, true)
		before = l.devices[i]
	}
	after.Announced = spec.Round(after.State)
	changed := spec.Changed(before.Announced, after.Announced)
	after.ObservedAt = make(map[string]time.Time)
	for name := range after.State {
		after.ObservedAt[name] = l.now
	}
	after.StateAt, after.ReportedAt = l.now, l.now
	l.devices[i] = &after
	if len(changed) > 0 {
		l.emit(busbar.TypeDeviceUpdated, before, map[string]any{"changed": changed, "state": after.Announced, "previous": before.Announced})
	}
}

// value is what a field becomes.
func (l *live) value(f *busbar.Field, was any) any {
	if l.rand.IntN(3) > 0 && was != nil {
		return was
	}
	switch f.Kind {
	case busbar.KindBool:
		return l.rand.IntN(8) > 0
	case busbar.KindText:
		return f.Enum[l.rand.IntN(len(f.Enum))]
	case busbar.KindNumber:
	}
	switch f.Name {
	case "importPower":
		return float64(l.rand.IntN(160)-80) / 10
	case "price":
		return float64(l.rand.IntN(50)) / 100
	case "temperature", "heatSetpoint", "coolSetpoint":
		return float64(16 + l.rand.IntN(12))
	}
	return float64(80 + l.rand.IntN(21))
}

func (l *live) connect(i int) {
	before, after := l.devices[i], *l.devices[i]
	kind := busbar.TypeDeviceDisconnected
	after.Connection = busbar.Disconnected
	if before.Connection == busbar.Disconnected {
		kind, after.Connection = busbar.TypeDeviceReconnected, busbar.Connected
	}
	l.devices[i] = &after
	l.emit(kind, before, map[string]any{"deviceId": after.ID})
}

// sync tells that a device fell silent, or is back, with the state that it had.
func (l *live) sync(i int, state busbar.State, available bool) {
	before, after := l.devices[i], *l.devices[i]
	after.SyncLost = !available
	if available {
		after.ObservedAt = make(map[string]time.Time)
		for name := range after.Announced {
			after.ObservedAt[name] = l.now
		}
	}
	l.devices[i] = &after
	l.emit(busbar.TypeDeviceUpdated, before, map[string]any{
		"changed": []string{"sync"}, "state": state, "previous": state, "sync": map[string]any{"available": available},
	})
}

// pass lets time go on, with the holds that end, the windows that open, and the devices that fall silent on the way.
func (l *live) pass(until time.Time) {
	for {
		var act func()
		at := until
		sooner := func(t time.Time, do func()) {
			if !t.After(at) && (act == nil || t.Before(at)) {
				at, act = t, do
			}
		}
		for _, rule := range l.rules {
			if next, ok := l.opens[rule]; ok && !next.IsZero() {
				sooner(next, func() { l.open(rule) })
			}
			for _, key := range slices.Sorted(maps.Keys(rule.Keys)) {
				if h := rule.Keys[key].Hold; h != nil && !h.Due.Before(l.now) && !l.ended[*h] {
					sooner(h.Due, func() { l.end(rule, key, h) })
				}
			}
		}
		for i, d := range l.devices {
			if !d.ReportedAt.IsZero() && !d.SyncLost {
				sooner(d.ReportedAt.Add(d.StaleAfter), func() { l.sync(i, d.Announced, false) })
			}
		}
		l.now = at
		if act == nil {
			return
		}
		act()
	}
}

func (l *live) snapshot(before *busbar.Device) *rules.Snapshot {
	return &rules.Snapshot{Environment: busbar.Sandbox, Site: l.site, Devices: l.devices, Before: before, Rules: l.rules}
}

func (l *live) end(rule *rules.Standing, key string, h *rules.Hold) {
	l.ended[*h] = true
	e := l.began[h.ID]
	run, err := rules.EndHold(l.snapshot(nil), rule, key, h.ID, e, l.now)
	if err != nil {
		l.t.Fatal(err)
	}
	l.keep(rule, &run, e)
}

func (l *live) open(rule *rules.Standing) {
	l.opens[rule] = rule.NextOpening(l.now, l.site.Location())
	for _, key := range slices.Sorted(maps.Keys(rule.Keys)) {
		var device *busbar.Device
		if id, ok := rules.KeyDevice(key); ok {
			device = l.devices[slices.IndexFunc(l.devices, func(d *busbar.Device) bool { return d.ID == id })]
		}
		run := rules.OpenWindow(l.snapshot(nil), rule, key, device, l.now)
		l.keep(rule, &run, nil)
	}
}

func (l *live) emit(kind string, before *busbar.Device, data map[string]any) {
	e := busbar.Event{
		ID: busbar.EventID(fmt.Sprintf("evt_%05d", len(l.events)+1)), Environment: busbar.Sandbox, Type: kind, DeviceID: before.ID, SiteID: l.site.ID,
		Seq: int64(len(l.events) + 1), Timestamp: l.now, ReceivedAt: l.now, Data: []byte(toJSON(l.t, data)),
	}
	e.Causation.RootEventID = e.ID
	if len(l.events) == 0 {
		for _, rule := range l.rules {
			l.opens[rule] = rule.NextOpening(l.now, l.site.Location())
		}
	}
	l.events = append(l.events, e)
	s := l.snapshot(before)
	times := 1
	if len(l.events) <= l.twice {
		times = 2
	}
	for range times {
		runs, err := rules.Decide(s, &e, false)
		if err != nil {
			l.t.Fatal(err)
		}
		for i := range runs {
			rule := l.rules[slices.IndexFunc(l.rules, func(r *rules.Standing) bool { return r.ID == runs[i].RuleID })]
			l.keep(rule, &runs[i], &e)
		}
	}
}

func (l *live) keep(rule *rules.Standing, run *rules.Run, e *busbar.Event) {
	rule.Keys[run.Key] = run.After
	if h := run.After.Hold; h != nil && l.began[h.ID] == nil {
		l.began[h.ID] = e
	}
	if l.fired == nil {
		l.log = append(l.log, logLine(l.t, run))
		return
	}
	if run.Firing == nil {
		return
	}
	text := toJSON(l.t, run.Firing.First.Commands) + toJSON(l.t, run.Firing.First.Emission)
	if before, again := l.fired[run.ID]; again && before != text {
		l.t.Errorf("%s: first %s, then %s", run.ID, before, text)
	}
	l.fired[run.ID] = text
}

// logLine is all of a run that a back-test must give again.
func logLine(t testing.TB, run *rules.Run) string {
	t.Helper()
	return fmt.Sprintf("%s %s %s %s", run.DecidedAt.UTC().Format(time.RFC3339Nano), run.RuleID, run.ID, toJSON(t, run))
}

// manyRules are those of the library and some that use the rest of what rules have.
func manyRules(t testing.TB) []*rules.Compiled {
	t.Helper()
	library, err := rules.Library()
	if err != nil {
		t.Fatal(err)
	}
	var all []*rules.Compiled
	for _, l := range library {
		c, err := rules.Compile(l.Rule)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return append(
		all, compiled(t), compiled(t, "for: 3m", "grace: 2m"), compiled(t, "for: 20m", "grace: 10m", "cooldown: 1h"), compiled(t, "scope: rule", "for: 1m"),
		compiled(t, "edge: every", "cooldown: 5m"), compiled(t, `window: {from: "02:30", to: "09:00"}`),
		compiled(t, `window: {from: "22:00", to: "06:00", days: [sat, sun]}`, "for: 2m", "rearm: state.level < 85"),
		compiled(t, `window: {from: "08:00", to: "09:00", timezone: America/New_York}`, "if: fresh(state.level, \"5m\") and not (site.meter.state.importPower > 0)"),
		compiled(t, "on: [device.*]", "deviceType: ev_charger", "if: not device.connected", "then: [{push: {device: device, command: idle, guard: 'site.meter.state.price < 0.2'}}, {emit: {type: a.b, data: {x: 'steps[0].status'}}}]"),
		compiled(t, "if: crossedUp(state.level, 90) and \"level\" in changed", "then: [{push: {device: 'site.hvacs', command: cool, parameters: {target: {value: 'site.hvacs[0].state.coolSetpoint - 1'}}}}]"),
	)
}

// versions are the rules as they were before all.
func (l *live) versions() []*rules.Standing {
	versions := make([]*rules.Standing, len(l.rules))
	for i, rule := range l.rules {
		versions[i] = &rules.Standing{Compiled: rule.Compiled, ID: rule.ID, Version: rule.Version}
	}
	return versions
}

// TestBacktestGivesWhatWasDecided plays homes as chance has it, with rules that decide as it happens, and gives what was kept of
// it to a back-test: decision for decision it must be the same, with what was not known and what was commanded.
func TestBacktestGivesWhatWasDecided(t *testing.T) {
	t.Parallel()
	all := manyRules(t)
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			l := newLive(t, seed, all)
			for range 18 * 60 {
				l.minute()
			}
			versions := l.versions()
			got := make(map[string][]string)
			results, err := rules.Backtest(l.recording(), versions, func(run *rules.Run) { got[run.RuleID] = append(got[run.RuleID], logLine(t, run)) })
			if err != nil {
				t.Fatal(err)
			}
			if results[0].Truncated {
				t.Fatalf("it was cut at %s", results[0].Until)
			}
			seen := make(map[rules.Decision]int)
			for i, v := range versions {
				want := slices.DeleteFunc(slices.Clone(l.log), func(line string) bool { return !strings.Contains(line, " "+v.ID+" ") })
				if diff := cmp.Diff(want, got[v.ID]); diff != "" {
					t.Fatalf("rule %d (-live +back-test):\n%.3000s", i, diff)
				}
				for decision, n := range results[i].Decisions {
					seen[decision] += n
				}
			}
			for _, decision := range []rules.Decision{
				rules.DecisionFired, rules.DecisionHolding, rules.DecisionUnknown, rules.DecisionCooldown, rules.DecisionOutsideWindow, rules.DecisionNoTarget,
			} {
				if seen[decision] < 5 {
					t.Errorf("the history has too little in it: %v", seen)
				}
			}
		})
	}
}

// TestDeliveringTwiceChangesNoEffect has homes in which the events of a prefix are decided a second time: what fired, and what it
// commanded, stays the same. A firing is named by its run, and a run by its event.
func TestDeliveringTwiceChangesNoEffect(t *testing.T) {
	t.Parallel()
	all := manyRules(t)
	effects := func(t *testing.T, seed uint64, twice int) map[string]string {
		t.Helper()
		l := newLive(t, seed, all)
		l.twice, l.fired = twice, make(map[string]string)
		for range 3 * 60 {
			l.minute()
		}
		return l.fired
	}
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			want := effects(t, seed, 0)
			if len(want) < 15 {
				t.Fatalf("only %d firings", len(want))
			}
			for _, prefix := range []int{10, 1 << 30} {
				if diff := cmp.Diff(want, effects(t, seed, prefix)); diff != "" {
					t.Fatalf("the first %d events twice (-once +twice):\n%.3000s", prefix, diff)
				}
			}
		})
	}
}
