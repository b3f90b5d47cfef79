package rules_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/rules"
)

var noon = time.Date(2026, 6, 1, 10, 0, 0, 0, time.UTC)

func berlin(t testing.TB) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// home is a site at 12:00 in Berlin: a battery that became full, a charger with a car, one that says nothing of itself,
// one that has been silent for an hour, a meter.
func home(t testing.TB) *rules.Input {
	t.Helper()
	latitude, longitude := 52.52, 13.405
	site := &busbar.Site{ID: "site_home", Name: "Home", Timezone: "Europe/Berlin", Latitude: &latitude, Longitude: &longitude}
	seen := func(at time.Time, s busbar.State) map[string]time.Time {
		m := map[string]time.Time{}
		for name := range s {
			m[name] = at
		}
		return m
	}
	device := func(id string, f busbar.Family, at time.Time, s busbar.State) *busbar.Device {
		return &busbar.Device{
			ID: busbar.DeviceID(id), Family: f, SiteID: site.ID, StaleAfter: 15 * time.Minute, Connection: busbar.Connected,
			Commands: f.Spec().DefaultCommands(), Announced: s, State: s, ObservedAt: seen(at, s),
		}
	}
	battery := device("dev_battery", busbar.Battery, noon, busbar.State{"level": 100.0, "status": "charging", "temperature": nil, "chargeRate": 2.5})
	battery.Settings = map[string]busbar.Quantity{"backup_reserve": {Value: 20, Unit: busbar.Percent}}
	return &rules.Input{
		Event:  &busbar.Event{ID: "evt_1", Type: busbar.TypeDeviceUpdated, DeviceID: "dev_battery", SiteID: site.ID},
		Data:   map[string]any{"n": 3.0, "s": "text", "nothing": nil, "list": []any{1.0, nil, 3.0}, "deep": map[string]any{"x": true}},
		Device: battery, Previous: busbar.State{"level": 98.9, "status": "charging"}, Changed: []string{"level"}, Site: site,
		Devices: []*busbar.Device{
			battery,
			device("dev_charger1", busbar.EVCharger, noon.Add(-time.Minute), busbar.State{"isConnected": true, "currentPower": 3.6}),
			device("dev_charger2", busbar.EVCharger, noon, busbar.State{}),
			device("dev_charger3", busbar.EVCharger, noon.Add(-time.Hour), busbar.State{"isConnected": true, "currentPower": 11.0}),
			device("dev_meter", busbar.Meter, noon, busbar.State{"importPower": -4.1, "price": 0.31}),
		},
		Location: berlin(t), At: noon,
	}
}

// TestThreeValues has a row for each operator with an operand that is not known. U stands for a field that was never
// reported; want is nil where the result is unknown.
func TestThreeValues(t *testing.T) {
	t.Parallel()
	const unknownNumber, unknownBool, unknownText = "state.capacity", "site.evChargers[1].state.isConnected", "state.currentMode"
	const n, b, s = unknownNumber, unknownBool, unknownText
	for _, c := range []struct {
		source string
		want   any
	}{
		{"not " + b, nil},
		{"!" + b, nil},
		{"-" + n, nil},
		{"+" + n, nil},
		{"false and " + b, false},
		{b + " and false", false},
		{"true and " + b, nil},
		{b + " and true", nil},
		{b + " and " + b, nil},
		{"true or " + b, true},
		{b + " or true", true},
		{"false or " + b, nil},
		{b + " or false", nil},
		{b + " or " + b, nil},
		{"false && " + b, false},
		{b + " || true", true},
		{n + " == 1", nil},
		{"1 == " + n, nil},
		{n + " == " + n, nil},
		{n + " != 1", nil},
		{n + " == nil", nil},
		{n + " != nil", nil},
		{n + " < 1", nil},
		{n + " <= 1", nil},
		{n + " > 1", nil},
		{n + " >= 1", nil},
		{"1 < " + n, nil},
		{"0 < " + n + " < 5", nil},
		{n + " + 1", nil},
		{n + " - 1", nil},
		{n + " * 0", nil},
		{n + " / 2", nil},
		{n + " % 2", nil},
		{n + " ** 2", nil},
		{n + " ^ 0", nil},
		{"1 + " + n, nil},
		{"0 * " + n, nil},
		{s + ` + "x"`, nil},
		{`"x" + ` + s, nil},
		{"now - now > duration(" + s + ")", nil},
		{n + " ?? 7", 7.0},
		{n + " ?? " + n, nil},
		{n + " ?? " + n + " ?? 8", 8.0},
		{"state.level ?? 7", 100.0},
		{n + " in [1, 2]", nil},
		{"1 in [1, " + n + "]", true},
		{"3 in [1, " + n + "]", nil},
		{n + " not in [1]", nil},
		{n + " in 1..3", nil},
		{"3 in 1.." + n, nil},
		{"sum(1.." + n + ")", nil},
		{s + ` contains "x"`, nil},
		{s + ` startsWith "x"`, nil},
		{s + ` endsWith "x"`, nil},
		{s + ` matches "x"`, nil},
		{`"x" contains ` + s, nil},
		{b + " ? 1 : 2", nil},
		{"true ? 1 : " + n, 1.0},
		{"true ? " + n + " : 1", nil},
		{"let x = " + n + "; x > 1", nil},
		{"let x = " + n + "; true", true},
		{"[1, 2][" + n + "]", nil},
		{"[1, 2, 3][" + n + ":]", nil},
		{"[1, 2][9]", nil},
		{"any([" + b + ", true], #)", true},
		{"any([" + b + ", false], #)", nil},
		{"any([false], #)", false},
		{"any([], #)", false},
		{"all([" + b + ", false], #)", false},
		{"all([" + b + ", true], #)", nil},
		{"all([true], #)", true},
		{"all([], #)", true},
		{"none([" + b + ", true], #)", false},
		{"none([" + b + ", false], #)", nil},
		{"one([" + b + ", true, true], #)", false},
		{"one([" + b + ", true], #)", nil},
		{"one([true, false], #)", true},
		{"count([" + n + ", 1, 2], # > 0)", 2.0},
		{"count([" + b + ", true])", 1.0},
		{"sum([" + n + ", 1, 2])", 3.0},
		{"sum([" + n + ", 1, 2], # * 2)", 6.0},
		{"filter([" + n + ", 1, 2], # > 1)", []any{2.0}},
		{"map([" + n + ", 1, 2], # + 1)", []any{2.0, 3.0}},
		{"find([" + n + ", 1, 2], # > 1)", 2.0},
		{"findLast([1, 2, " + n + "], # > 0)", 2.0},
		{"sortBy([" + n + ", 2, 1], #)", []any{1.0, 2.0}},
		{"find([1], # > 1) == nil", true},
		{"find([1], # > 1) > 3", nil},
		{"find([1], # > 1) ?? 4", 4.0},
		{"clamp(" + n + ", 1, 2)", nil},
		{"clamp(1, " + n + ", 2)", nil},
		{"between(1, 0, " + n + ")", nil},
		{"abs(" + n + ")", nil},
		{"floor(" + n + ")", nil},
		{"min(1, " + n + ")", nil},
		{"max([1, " + n + "])", nil},
		{"mean([1, " + n + "])", nil},
		{"median([1, " + n + "])", nil},
		{"mean([])", nil},
		{"min([])", nil},
		{"sum([])", 0.0},
		{"len(" + s + ")", nil},
		{"upper(" + s + ")", nil},
		{"string(" + n + ")", nil},
		{"quantity(" + n + `, "kw").value`, nil},
		{"fresh(" + n + `, "5m")`, nil},
		{"crossedUp(" + n + ", 5)", nil},
		{"crossedUp(state.level, " + n + ")", nil},
		{"crossedDown(state.chargeRate, 1)", nil}, // there is no reading before
		{"1 / 0", nil},
		{"0 / 0 == 0 / 0", nil},
		{"-1 / 0 < 0", nil},
		{"10 ** 999", nil},
		{"(-1) ** 0.5", nil},
		{"5 % 0", nil},
		{"state.temperature > 1", nil},                     // null
		{"site.evChargers[2].state.currentPower > 1", nil}, // stale
		{"device.settings.charge_ceiling > 1", nil},        // never set
		{"event.data.missing == 1", nil},
		{"event.data.nothing == 1", nil},
		{"event.data.deep.y", nil},
		{"event.data.missing ?? 5", 5.0},
		{"any(site.evChargers, .state.isConnected)", true},
		{"all(site.evChargers, .state.isConnected)", nil},
		{"count(site.evChargers, .state.isConnected)", 1.0},
		{"find(site.evChargers, .state.currentPower > 5)", nil},
	} {
		t.Run(c.source, func(t *testing.T) {
			t.Parallel()
			got, diagnostics := rules.Evaluate(c.source, busbar.Battery, home(t))
			if errs := rules.Errors(diagnostics); len(errs) > 0 {
				t.Fatalf("does not compile: %+v", errs)
			}
			if got.Err != nil {
				t.Fatalf("error: %v", got.Err)
			}
			if diff := cmp.Diff(c.want, got.Value); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		source string
		want   any
	}{
		{"state.level >= 99", true},
		{"95 < state.level <= 100", true},
		{`state.status == "charging" and previous.level < 99`, true},
		{`"level" in changed`, true},
		{`event.type == "device.updated"`, true},
		{"device.id", "dev_battery"},
		{"device.connected", true},
		{"device.settings.backup_reserve", 20.0},
		{"site.meter.state.importPower", -4.1},
		{"site.timezone", "Europe/Berlin"},
		{"len(site.evChargers)", 3.0},
		{"find(site.evChargers, .state.isConnected)", "dev_charger1"},
		{"find(site.evChargers, .state.isConnected).state.currentPower", 3.6},
		{"site.evChargers | filter(.state.isConnected) | map(.id)", []any{"dev_charger1"}},
		{"clamp(floor(-site.meter.state.importPower / 0.69), 6, 16)", 6.0},
		{"between(state.level, 0, 100)", true},
		{"between(now, sunrise(), sunset())", true},
		{"between(2, 2, 2)", true},
		{"crossedUp(state.level, 99)", true},
		{"crossedUp(state.level, 98)", false},
		{"crossedDown(state.level, 99)", false},
		{`fresh(state.level, "5m")`, true},
		{`fresh(site.evChargers[0].state.isConnected, "30s")`, false},
		{`inWindow("08:00", "18:00")`, true},
		{`inWindow("22:00", "06:00")`, false},
		{`inWindow("11:00", "12:00")`, false},
		{`inWindow("12:00", "11:00")`, true},
		{"now.hour", 12.0},
		{"now.weekday", "mon"},
		{`now.weekday in ["sat", "sun"]`, false},
		{"sunrise().hour", 4.0},
		{"sunset().hour", 21.0},
		{`now - duration("1h") < now`, true},
		{`now > date("2026-06-01T09:59:59Z")`, true},
		{`now - sunrise() > duration("1h")`, true},
		{`quantity(2000, "watts") == quantity(2, "kw")`, true},
		{`quantity(2, "kw") > quantity(1999, "watts")`, true},
		{"let full = state.level >= 99; full and device.connected", true},
		{"map([1, 2], # * 10)", []any{10.0, 20.0}},
		{"map([5, 6], #index)", []any{0.0, 1.0}},
		{"[1, 2, 3][-1]", 3.0},
		{"[1, 2, 3][1:]", []any{2.0, 3.0}},
		{"any([1, 2], any([2, 3], # == 3))", true},
		{"first([4]) + last([1, 5])", 9.0},
		{"reverse([1, 2])", []any{2.0, 1.0}},
		{"sortBy(site.evChargers, .id)[0].id", "dev_charger1"},
		{"50.5 in 20..80", false},
		{"50 in 20..80", true},
		{"sum(1..4)", 10.0},
		{"3..1", []any{}},
		{`"a" + "b" == "ab"`, true},
		{`upper("a") + lower("B") + trim(" c ")`, "Abc"},
		{`split("a,b", ",")`, []any{"a", "b"}},
		{`join(["a", "b"], "-")`, "a-b"},
		{`"kitchen" matches "^kit"`, true},
		{`"abc" contains "b" and not ("abc" startsWith "b")`, true},
		{`string(1.5)`, "1.5"},
		{`float("2.5") * 2`, 5.0},
		{"event.data.n + 1", 4.0},
		{"event.data.deep.x", true},
		{`event.data["s"]`, "text"},
		{`"n" in event.data`, true},
		{`"x" in event.data`, false},
		{"event.data.list[0]", 1.0},
		{"len(event.data.list)", 3.0},
		{"sum(event.data.list)", 4.0},
		{`event.data.s == 3`, false},
		{"min(3, 1, 2)", 1.0},
		{"max([3, 1])", 3.0},
		{"mean([1, 2, 3])", 2.0},
		{"median([1, 9, 3])", 3.0},
		{"round(2.5)", 3.0},
		{"-7 % 3", -1.0},
		{"cause.depth", 0.0},
		{"cause.ruleId", ""},
		{"if state.level > 99 { 1 } else { 2 }", 1.0},
		{"true == false", false},
	} {
		t.Run(c.source, func(t *testing.T) {
			t.Parallel()
			got, diagnostics := rules.Evaluate(c.source, busbar.Battery, home(t))
			if errs := rules.Errors(diagnostics); len(errs) > 0 {
				t.Fatalf("does not compile: %+v", errs)
			}
			if got.Err != nil || got.Unknown {
				t.Fatalf("error %v, unknown %v", got.Err, got.Causes)
			}
			if diff := cmp.Diff(c.want, got.Value); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnknownNamesItsCause(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		source          string
		causes, leftOut []rules.Unknown
	}{
		{source: "state.capacity > 1", causes: []rules.Unknown{{Name: "dev_battery.capacity", Device: "dev_battery", Reason: rules.ReasonMissing}}},
		{source: "state.temperature > 1", causes: []rules.Unknown{{Name: "dev_battery.temperature", Device: "dev_battery", Reason: rules.ReasonNull}}},
		{source: "site.evChargers[2].state.currentPower > 1", causes: []rules.Unknown{{Name: "dev_charger3.currentPower", Device: "dev_charger3", Reason: rules.ReasonStale}}},
		{source: "state.level / 0 > 1", causes: []rules.Unknown{{Name: "state.level / 0", Reason: rules.ReasonNotFinite}}},
		{source: "event.data.deep.y == 1", causes: []rules.Unknown{{Name: "event.data.deep.y", Reason: rules.ReasonMissing}}},
		{source: "state.capacity > state.temperature", causes: []rules.Unknown{
			{Name: "dev_battery.capacity", Device: "dev_battery", Reason: rules.ReasonMissing},
			{Name: "dev_battery.temperature", Device: "dev_battery", Reason: rules.ReasonNull},
		}},
		{source: "count(site.evChargers, .state.isConnected) > 0", leftOut: []rules.Unknown{
			{Name: "dev_charger2.isConnected", Device: "dev_charger2", Reason: rules.ReasonMissing},
			{Name: "dev_charger3.isConnected", Device: "dev_charger3", Reason: rules.ReasonStale},
		}},
	} {
		t.Run(c.source, func(t *testing.T) {
			t.Parallel()
			got, _ := rules.Evaluate(c.source, busbar.Battery, home(t))
			if diff := cmp.Diff(c.causes, got.Causes); diff != "" {
				t.Errorf("causes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.leftOut, got.LeftOut); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExplainShowsWhatShortCircuitingHides(t *testing.T) {
	t.Parallel()
	got := rules.Explain(`state.level < 50 and (state.capacity > 1 or not (device.id == "x"))`, busbar.Battery, home(t))
	want := []rules.Clause{
		{Source: `state.level < 50 and (state.capacity > 1 or not (device.id == "x"))`, Value: false},
		{Source: "state.level < 50", Value: false, Operands: []rules.Operand{{Source: "state.level", Value: 100.0}}},
		{Source: `state.capacity > 1 or not (device.id == "x")`, Value: true},
		{
			Source: "state.capacity > 1", Unknown: []rules.Unknown{{Name: "dev_battery.capacity", Device: "dev_battery", Reason: rules.ReasonMissing}},
			Operands: []rules.Operand{{Source: "state.capacity"}},
		},
		{Source: `not (device.id == "x")`, Value: true},
		{Source: `device.id == "x"`, Value: false, Operands: []rules.Operand{{Source: "device.id", Value: "dev_battery"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("clauses (-want +got):\n%s", diff)
	}
}
