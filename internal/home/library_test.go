package home_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/home"
	"busbar/rules"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestLibraryOverADay has each rule of the library keep a simulated home for a day on which it is of use: the home reports each
// minute, the rule decides at what changed, and the home does what it is told. What the rule does, and what the home did on the way,
// are golden files: to be read by somebody who would live there.
func TestLibraryOverADay(t *testing.T) {
	t.Parallel()
	library, err := rules.Library()
	if err != nil {
		t.Fatal(err)
	}
	days := map[string]day{
		"battery-full-charge-car":    {date: "2026-06-10", seed: 1},
		"battery-full-precondition":  {date: "2026-07-25", seed: 2},
		"car-at-limit-stop":          {date: "2026-03-10", seed: 1, carLimit: 65},
		"cheap-price-charge-battery": {date: "2026-01-14", seed: 1, dynamic: true},
		"disconnected-notify": {date: "2026-05-05", seed: 1, person: map[string]string{
			"10:00": "ev_charger leaves", "10:25": "ev_charger returns", "15:00": "hvac leaves", "15:06": "hvac returns", "22:00": "hvac leaves",
		}},
		"evening-back-to-balanced": {date: "2026-05-05", seed: 1, person: map[string]string{"14:00": "battery auto.export", "21:30": "battery idle"}},
		"import-limit-lower-car":   {date: "2026-01-14", seed: 2, person: map[string]string{"17:00": "ev_charger charge"}},
		"peak-price-discharge":     {date: "2026-06-10", seed: 1},
	}
	for _, l := range library {
		t.Run(l.Slug, func(t *testing.T) {
			t.Parallel()
			d, ok := days[l.Slug]
			if !ok {
				t.Fatal("there is no day for this rule")
			}
			c, err := rules.Compile(l.Rule)
			if err != nil {
				t.Fatal(err)
			}
			lived := live(t, c, l.Slug, d)
			file := filepath.Join("testdata", "library", l.Slug+".golden")
			got := strings.Join(lived.log, "\n") + "\n"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if lived.fired == 0 {
				t.Error("the day was chosen for the rule to fire on it")
			}
		})
	}
}

// day is a day of a home.
type day struct {
	date string
	seed uint64
	// dynamic: a tariff with cheap nights.
	dynamic bool
	// carLimit is what somebody has set in the car, which the charger knows nothing of; 0 is the home's own.
	carLimit float64
	// person is what somebody does at a time of the clock: a device that leaves or returns, or a command for it.
	person map[string]string
}

// lived is a home that a rule looks after.
type lived struct {
	t       *testing.T
	day     day
	home    *home.Home
	rule    *rules.Standing
	site    *busbar.Site
	devices []*busbar.Device
	began   map[string]*busbar.Event
	opens   time.Time
	reverts []revert
	seq     int64
	fired   int
	log     []string
}

// revert is the end of a command for a while.
type revert struct {
	at     time.Time
	family busbar.Family
	to     home.Control
}

func live(t *testing.T, c *rules.Compiled, id string, d day) *lived {
	t.Helper()
	start, err := time.ParseInLocation(time.DateOnly, d.date, berlin.Zone)
	if err != nil {
		t.Fatal(err)
	}
	latitude, longitude := berlin.Latitude, berlin.Longitude
	l := &lived{
		t: t, day: d, home: newHome(t, d.seed, start), rule: &rules.Standing{Compiled: c, ID: id, Version: 1, Keys: make(map[string]rules.EdgeState)},
		site:  &busbar.Site{ID: "home", Environment: busbar.Sandbox, Name: "Home", Timezone: berlin.Zone.String(), Latitude: &latitude, Longitude: &longitude},
		began: make(map[string]*busbar.Event), opens: c.NextOpening(start, berlin.Zone),
	}
	for _, family := range busbar.Families() {
		l.devices = append(l.devices, &busbar.Device{
			ID: busbar.DeviceID(family), Environment: busbar.Sandbox, Family: family, SiteID: l.site.ID, Name: string(family), StaleAfter: busbar.DefaultStaleAfter,
			Commands: family.Spec().DefaultCommands(), Connection: busbar.Connected, WasConnected: true, State: busbar.State{}, Announced: busbar.State{},
		})
	}
	slices.SortFunc(l.devices, func(a, b *busbar.Device) int { return strings.Compare(string(a.ID), string(b.ID)) })
	end := start.AddDate(0, 0, 1)
	for step := 0; l.home.Now().Before(end); step++ {
		l.home.Step()
		l.due()
		if step%2 == 1 {
			l.minute()
		}
		if local := l.home.Now(); local.Minute() == 0 && local.Second() == 0 && local.Hour()%4 == 0 {
			l.note("· " + l.weather())
		}
	}
	return l
}

func (l *lived) note(text string) {
	l.log = append(l.log, l.home.Now().In(berlin.Zone).Format("15:04:05")+" "+text)
}

// weather is a line for who reads the file.
func (l *lived) weather() string {
	get := func(f busbar.Family, field string) any { return f.Spec().Round(l.state(f))[field] }
	return fmt.Sprintf("sun %v kW, grid %v kW at %v, battery %v %% %v, car %v %% %v, rooms %v °C",
		get(busbar.SolarInverter, "currentPower"), get(busbar.Meter, "importPower"), get(busbar.Meter, "price"), get(busbar.Battery, "level"),
		get(busbar.Battery, "currentMode"), get(busbar.Vehicle, "batteryLevel"), get(busbar.EVCharger, "status"), get(busbar.HVAC, "temperature"))
}

// state is what a device reports. Under the dynamic tariff, power costs less than half of that by night.
func (l *lived) state(f busbar.Family) busbar.State {
	s := l.home.State(f)
	if hour := l.home.Now().In(berlin.Zone).Hour(); f == busbar.Meter && l.day.dynamic && hour >= 1 && hour < 5 {
		s["price"] = 0.12
	}
	if f == busbar.Vehicle && l.day.carLimit > 0 {
		s["chargeLimit"] = l.day.carLimit
	}
	return s
}

// due ends what is due: holds, commands for a while, and the time before the window.
func (l *lived) due() {
	now := l.home.Now()
	for _, key := range slices.Sorted(maps.Keys(l.rule.Keys)) {
		h := l.rule.Keys[key].Hold
		if h == nil || h.Due.After(now) || l.began[h.ID] == nil {
			continue
		}
		e := l.began[h.ID]
		run, err := rules.EndHold(l.snapshot(nil), l.rule, key, h.ID, e, now)
		if err != nil {
			l.t.Fatal(err)
		}
		if next := run.After.Hold; next == nil || next.Due.Equal(h.Due) {
			delete(l.began, h.ID) // what stays due tries again at an event
		}
		l.keep(&run, e)
	}
	if !l.opens.IsZero() && !l.opens.After(now) {
		l.opens = l.rule.NextOpening(now, berlin.Zone)
		for _, key := range slices.Sorted(maps.Keys(l.rule.Keys)) {
			var device *busbar.Device
			if id, ok := rules.KeyDevice(key); ok {
				device = l.devices[l.find(busbar.Family(id))]
			}
			run := rules.OpenWindow(l.snapshot(nil), l.rule, key, device, now)
			l.keep(&run, nil)
		}
	}
	for len(l.reverts) > 0 && !l.reverts[0].at.After(now) {
		l.home.GoBack(l.reverts[0].family, l.reverts[0].to)
		l.note(string(l.reverts[0].family) + " goes back to what it did before")
		l.reverts = l.reverts[1:]
	}
}

func (l *lived) find(f busbar.Family) int {
	return slices.IndexFunc(l.devices, func(d *busbar.Device) bool { return d.Family == f })
}

// minute has somebody do what they do, and the devices report.
func (l *lived) minute() {
	if does, ok := l.day.person[l.home.Now().In(berlin.Zone).Format("15:04")]; ok {
		l.note("(" + does + ")")
		family, what, _ := strings.Cut(does, " ")
		switch what {
		case "leaves":
			l.connect(l.find(busbar.Family(family)), busbar.Disconnected, busbar.TypeDeviceDisconnected)
		case "returns":
			l.connect(l.find(busbar.Family(family)), busbar.Connected, busbar.TypeDeviceReconnected)
		default:
			if err := l.home.Do(busbar.Family(family), busbar.Instruction{Command: what}); err != nil {
				l.t.Fatal(err)
			}
		}
	}
	for i, before := range l.devices {
		if before.Connection == busbar.Disconnected {
			continue
		}
		spec := before.Family.Spec()
		after := *before
		after.State = l.state(before.Family)
		after.Announced, after.ObservedAt = spec.Round(after.State), make(map[string]time.Time)
		for name := range after.State {
			after.ObservedAt[name] = l.home.Now()
		}
		l.devices[i] = &after
		if changed := spec.Changed(before.Announced, after.Announced); len(changed) > 0 {
			l.happen(busbar.TypeDeviceUpdated, before, map[string]any{"changed": changed, "state": after.Announced, "previous": before.Announced})
		}
	}
}

func (l *lived) connect(i int, to busbar.Connection, kind string) {
	before, after := l.devices[i], *l.devices[i]
	after.Connection = to
	l.devices[i] = &after
	l.happen(kind, before, map[string]any{"deviceId": after.ID})
}

func (l *lived) snapshot(before *busbar.Device) *rules.Snapshot {
	return &rules.Snapshot{Environment: busbar.Sandbox, Site: l.site, Devices: l.devices, Before: before, Rules: []*rules.Standing{l.rule}}
}

func (l *lived) happen(kind string, before *busbar.Device, data map[string]any) {
	text, err := json.Marshal(data)
	if err != nil {
		l.t.Fatal(err)
	}
	l.seq++
	e := &busbar.Event{
		ID: busbar.EventID("evt_" + strconv.FormatInt(l.seq, 10)), Environment: busbar.Sandbox, Type: kind, DeviceID: before.ID, SiteID: l.site.ID, Seq: l.seq,
		Timestamp: l.home.Now(), ReceivedAt: l.home.Now(), Data: text,
	}
	e.Causation.RootEventID = e.ID
	runs, err := rules.Decide(l.snapshot(before), e, false)
	if err != nil {
		l.t.Fatal(err)
	}
	for i := range runs {
		l.keep(&runs[i], e)
	}
}

// keep notes a run, and has the home do what came of it. What changed nothing is not told.
func (l *lived) keep(run *rules.Run, e *busbar.Event) {
	l.rule.Keys[run.Key] = run.After
	if h := run.After.Hold; h != nil && (run.Before.Hold == nil || run.Before.Hold.ID != h.ID) {
		l.began[h.ID] = e
	}
	if run.Error != "" {
		l.t.Errorf("%s: %s", run.Decision, run.Error)
	}
	if began := run.Decision == rules.DecisionHolding && run.Before.Hold == nil; began || run.Ended != nil {
		l.note(fmt.Sprintf("%s %s", run.Key, either(run.Ended, run.Decision)))
	}
	if run.Firing == nil {
		return
	}
	l.fired++
	l.note(fmt.Sprintf("%s fires", run.Key))
	for step := range l.rule.Rule.Then {
		plan, err := l.rule.Resolve(l.snapshot(nil), &rules.Place{Branch: rules.BranchThen, Step: step, Key: run.Key, Event: e}, l.home.Now())
		if err != nil {
			l.t.Fatal(err)
		}
		for i := range plan.Commands {
			l.obey(&plan.Commands[i])
		}
		if plan.Emission != nil {
			text, err := json.Marshal(plan.Emission.Data)
			if err != nil {
				l.t.Fatal(err)
			}
			l.note("→ tells " + plan.Emission.Type + " " + string(text))
		}
	}
}

func either(ended *rules.HoldEnd, decision rules.Decision) rules.Decision {
	if ended != nil {
		return ended.Decision
	}
	return decision
}

// obey has the home do what it is told, for as long as it is told.
func (l *lived) obey(c *rules.Command) {
	text := "→ " + string(c.DeviceID) + " " + c.Command
	for _, name := range slices.Sorted(maps.Keys(c.Parameters)) {
		text += fmt.Sprintf(" %s=%v%s", name, c.Parameters[name].Value, c.Parameters[name].Unit)
	}
	before := l.home.Control()
	if err := l.home.Do(c.Family, busbar.Instruction{Command: c.Command, Parameters: c.Parameters}); err != nil {
		l.t.Fatalf("%s: %v", text, err)
	}
	if !c.End.IsZero() {
		text += " until " + c.End.In(berlin.Zone).Format("15:04")
		l.reverts = append(l.reverts, revert{c.End, c.Family, before})
	}
	l.note(text)
}
