package busbar_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
)

// monday is a winter's noon in Berlin.
var monday = time.Date(2026, 1, 12, 11, 0, 0, 123_456_789, time.UTC)

func device(f busbar.Family) *busbar.Device {
	return &busbar.Device{ID: "dev_1", Environment: busbar.Sandbox, Family: f, SiteID: "site_1", Commands: f.Spec().DefaultCommands()}
}

func kw(v float64) busbar.Quantity      { return busbar.Quantity{Value: v, Unit: busbar.Kilowatts} }
func celsius(v float64) busbar.Quantity { return busbar.Quantity{Value: v, Unit: busbar.Celsius} }

type quantities = map[string]busbar.Quantity

func TestPlanRefusesWhatADeviceCannotDo(t *testing.T) {
	t.Parallel()
	battery, charger, hvac := device(busbar.Battery), device(busbar.EVCharger), device(busbar.HVAC)
	small := device(busbar.Battery)
	small.Commands = busbar.Commands{"charge": {
		Parameters: map[string]busbar.Range{"power": {Unit: busbar.Watts, Min: 100, Max: 3000}}, Execution: []busbar.Execution{busbar.Immediate},
	}}
	mixed := device(busbar.HVAC)
	mixed.Commands["auto"].Parameters["coolSetpoint"] = busbar.Range{Unit: busbar.Fahrenheit, Min: 50, Max: 95}
	for _, tc := range []struct {
		name   string
		device *busbar.Device
		push   busbar.Push
		code   busbar.Code
		paths  string
		// details are names of facts that the error has beside the capabilities.
		details string
	}{
		{"read-only family", device(busbar.SolarInverter), busbar.Push{Command: "charge"}, busbar.CodeDirectAction, "action.command", ""},
		{"vehicle", device(busbar.Vehicle), busbar.Push{Command: "charge"}, busbar.CodeDirectAction, "action.command", ""},
		{"meter", device(busbar.Meter), busbar.Push{}, busbar.CodeDirectAction, "action.command", ""},
		{"command of another family", charger, busbar.Push{Command: "discharge"}, busbar.CodeUnsupportedMode, "action.command", "command supportedCommands"},
		{"command that it lacks", small, busbar.Push{Command: "idle"}, busbar.CodeUnsupportedMode, "action.command", "command supportedCommands"},
		{
			"parameter of another command", battery,
			busbar.Push{Command: "charge", Parameters: quantities{"current": kw(1), "amps": kw(1)}},
			busbar.CodeUnsupportedParameter, "action.parameters.amps", "supportedParameters unsupportedParameters",
		},
		{
			"parameter that it lacks", small,
			busbar.Push{Command: "charge", Parameters: quantities{"target": {Value: 50, Unit: busbar.Percent}}},
			busbar.CodeUnsupportedParameter, "action.parameters.target", "supportedParameters unsupportedParameters",
		},
		{
			"parameter of a command without any", battery,
			busbar.Push{Command: "idle", Parameters: quantities{"power": kw(1)}},
			busbar.CodeUnsupportedParameter, "action.parameters.power", "supportedParameters unsupportedParameters",
		},
		{
			"unit of another kind", battery,
			busbar.Push{Command: "charge", Parameters: quantities{"power": {Value: 1, Unit: busbar.Amps}}},
			busbar.CodeUnsupportedUnit, "action.parameters.power.unit", "parameter providedUnit supportedUnits",
		},
		{
			"unit that is none", battery,
			busbar.Push{Command: "charge", Parameters: quantities{"power": {Value: 1, Unit: "horses"}}},
			busbar.CodeUnsupportedUnit, "action.parameters.power.unit", "parameter providedUnit supportedUnits",
		},
		{
			"no unit", battery,
			busbar.Push{Command: "charge", Parameters: quantities{"power": {Value: 1}}},
			busbar.CodeUnsupportedUnit, "action.parameters.power.unit", "parameter providedUnit supportedUnits",
		},
		{
			"above", battery,
			busbar.Push{Command: "charge", Parameters: quantities{"power": kw(5.001)}},
			busbar.CodeParameterOutOfRange, "action.parameters.power.value", "max min parameter unit value",
		},
		{
			"above in another unit", battery,
			busbar.Push{Command: "charge", Parameters: quantities{"power": {Value: 5001, Unit: busbar.Watts}}},
			busbar.CodeParameterOutOfRange, "action.parameters.power.value", "max min parameter unit value",
		},
		{
			"below what this one does", small,
			busbar.Push{Command: "charge", Parameters: quantities{"power": kw(0.05)}},
			busbar.CodeParameterOutOfRange, "action.parameters.power.value", "max min parameter unit value",
		},
		{"missing", hvac, busbar.Push{Command: "heat"}, busbar.CodeValidationFailed, "action.parameters.target", ""},
		{"missing both", hvac, busbar.Push{Command: "auto"}, busbar.CodeValidationFailed, "action.parameters.heatSetpoint action.parameters.coolSetpoint", ""},
		{
			"crossed setpoints", hvac,
			busbar.Push{Command: "auto", Parameters: quantities{"heatSetpoint": celsius(24), "coolSetpoint": celsius(23)}},
			busbar.CodeValidationFailed, "action.parameters.heatSetpoint", "",
		},
		{
			"crossed setpoints in two units", mixed,
			busbar.Push{Command: "auto", Parameters: quantities{"heatSetpoint": celsius(24), "coolSetpoint": celsius(23)}},
			busbar.CodeValidationFailed, "action.parameters.heatSetpoint", "",
		},
		{"end without start", battery, busbar.Push{Command: "charge", End: "1h"}, busbar.CodeInvalidTimeWindow, "action.end", "reason"},
		{"not scheduled", small, busbar.Push{Command: "charge", Start: "1h"}, busbar.CodeExecutionNotSupported, "action.start", "requestedExecution supportedExecution"},
		{"not windowed", battery, busbar.Push{Command: "idle", Start: "1h", End: "2h"}, busbar.CodeExecutionNotSupported, "action.end", "requestedExecution supportedExecution"},
		{"not scheduled, only now", hvac, busbar.Push{Command: "follow_schedule", Start: "1h"}, busbar.CodeExecutionNotSupported, "action.start", "requestedExecution supportedExecution"},
		{"no time", battery, busbar.Push{Command: "charge", Start: "tomorrow"}, busbar.CodeValidationFailed, "action.start", ""},
		{"no day", battery, busbar.Push{Command: "charge", Start: "2026-02-30T10:00:00Z"}, busbar.CodeValidationFailed, "action.start", ""},
		{"fraction of a wall clock", battery, busbar.Push{Command: "charge", Start: "2026-01-12T13:00:00.5"}, busbar.CodeValidationFailed, "action.start", ""},
		{"no end", battery, busbar.Push{Command: "charge", Start: "1h", End: "later"}, busbar.CodeValidationFailed, "action.end", ""},
		{"past", battery, busbar.Push{Command: "charge", Start: "2026-01-12T10:59:59Z"}, busbar.CodeStartInPast, "action.start", "now start"},
		{"past by the wall clock", battery, busbar.Push{Command: "charge", Start: "2026-01-12T11:59:59"}, busbar.CodeStartInPast, "action.start", "now start"},
		{"past by a duration", battery, busbar.Push{Command: "charge", Start: "-1s"}, busbar.CodeStartInPast, "action.start", "now start"},
		{"too far", battery, busbar.Push{Command: "charge", Start: "720h0m1s"}, busbar.CodeStartOutOfRange, "action.start", "latest start"},
		{"far too far", battery, busbar.Push{Command: "charge", Start: "2500000h"}, busbar.CodeStartOutOfRange, "action.start", "latest start"},
		{"end at the start", battery, busbar.Push{Command: "charge", Start: "1h", End: "60m"}, busbar.CodeInvalidTimeWindow, "action.end", "reason"},
		{"end before the start", battery, busbar.Push{Command: "charge", Start: "1h", End: "2026-01-12T11:30:00Z"}, busbar.CodeInvalidTimeWindow, "action.end", "reason"},
		{"end too far", battery, busbar.Push{Command: "charge", Start: "1h", End: "721h"}, busbar.CodeInvalidTimeWindow, "action.end", "reason"},

		// The order of checks: the command comes before its parameters, these before times.
		{"command first", battery, busbar.Push{Command: "fly", Parameters: quantities{"x": kw(1)}, Start: "?"}, busbar.CodeUnsupportedMode, "action.command", "command supportedCommands"},
		{
			"parameters second", battery,
			busbar.Push{Command: "charge", Parameters: quantities{"power": kw(99)}, Start: "-1h"},
			busbar.CodeParameterOutOfRange, "action.parameters.power.value", "max min parameter unit value",
		},
	} {
		_, err := tc.device.Plan(&tc.push, zone(t, "Europe/Berlin"), monday)
		code, paths := refusal(err)
		if code != tc.code || paths != tc.paths {
			t.Errorf("%s: %v, want %s at %s", tc.name, err, tc.code, tc.paths)
			continue
		}
		e := err.(*busbar.Error) //nolint:errorlint // refusal has looked
		text, err := json.Marshal(e.Details["deviceCapabilities"])
		if err != nil || !strings.Contains(string(text), `"deviceType":"`+string(tc.device.Family)+`"`) {
			t.Errorf("%s: capabilities %s, %v", tc.name, text, err)
		}
		for name := range strings.FieldsSeq(tc.details) {
			if e.Details[name] == nil {
				t.Errorf("%s: the error does not tell %s", tc.name, name)
			}
		}
		if want := len(strings.Fields(tc.details)) + 1; len(e.Details) != want {
			t.Errorf("%s: %d details, want %d: %v", tc.name, len(e.Details), want, e.Details)
		}
	}
}

func TestPlanSaysWhatIsCarriedOut(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name       string
		device     *busbar.Device
		push       busbar.Push
		parameters quantities
		execution  busbar.Execution
		start, end string
		expiresIn  time.Duration
	}{
		{"at once", device(busbar.Battery), busbar.Push{Command: "idle"}, quantities{}, busbar.Immediate, "", "", 10 * time.Minute},
		{
			"in the family's units", device(busbar.Battery),
			busbar.Push{Command: "charge", ExpiresIn: time.Minute, Parameters: quantities{
				"power": {Value: 5000, Unit: busbar.Watts}, "target": {Value: 10, Unit: busbar.Percent},
			}},
			quantities{"power": kw(5), "target": {Value: 10, Unit: busbar.Percent}},
			busbar.Immediate, "", "", time.Minute,
		},
		{
			"in fahrenheit", device(busbar.HVAC),
			busbar.Push{Command: "auto", Parameters: quantities{
				"heatSetpoint": {Value: 68, Unit: busbar.Fahrenheit}, "coolSetpoint": celsius(20),
			}},
			quantities{"heatSetpoint": celsius(20), "coolSetpoint": celsius(20)},
			busbar.Immediate, "", "", 10 * time.Minute,
		},
		{"now, by name", device(busbar.Battery), busbar.Push{Command: "charge", Start: "0s"}, quantities{}, busbar.Scheduled, "2026-01-12T11:00:00.123Z", "", 10 * time.Minute},
		{"in a while", device(busbar.Battery), busbar.Push{Command: "charge", Start: "1.5h"}, quantities{}, busbar.Scheduled, "2026-01-12T12:30:00.123Z", "", 10 * time.Minute},
		{"at the horizon", device(busbar.Battery), busbar.Push{Command: "charge", Start: "720h"}, quantities{}, busbar.Scheduled, "2026-02-11T11:00:00.123Z", "", 10 * time.Minute},
		{
			"by the wall clock", device(busbar.EVCharger),
			busbar.Push{Command: "charge", Start: "2026-01-12T22:00:00", End: "2026-01-13T05:00:00"},
			quantities{},
			busbar.Windowed, "2026-01-12T21:00:00Z", "2026-01-13T04:00:00Z", 10 * time.Minute,
		},
		{
			"with a zone", device(busbar.EVCharger),
			busbar.Push{Command: "charge", Start: "2026-01-12T22:00:00.0009-05:00", End: "48h"},
			quantities{},
			busbar.Windowed, "2026-01-13T03:00:00Z", "2026-01-14T11:00:00.123Z", 10 * time.Minute,
		},
	} {
		got, err := tc.device.Plan(&tc.push, zone(t, "Europe/Berlin"), monday)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if diff := cmp.Diff(tc.parameters, got.Parameters); diff != "" {
			t.Errorf("%s: parameters (-want +got):\n%s", tc.name, diff)
		}
		if got.Execution() != tc.execution || shown(got.Start) != tc.start || shown(got.End) != tc.end || got.ExpiresIn != tc.expiresIn {
			t.Errorf("%s: %s from %s to %s, expires in %s", tc.name, got.Execution(), shown(got.Start), shown(got.End), got.ExpiresIn)
		}
		if got.DeviceID != "dev_1" || got.SiteID != "site_1" || got.Family != tc.device.Family || got.Environment != busbar.Sandbox || got.Command != tc.push.Command {
			t.Errorf("%s: it is for %s at %s: %s", tc.name, got.DeviceID, got.SiteID, got.Command)
		}
	}
}

// shown is a time as text, empty when there is none.
func shown(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.Format(time.RFC3339Nano)
}

// An error about a command tells what would be right: with that, the next request is.
func TestARefusalIsEnoughToRepairTheRequest(t *testing.T) {
	t.Parallel()
	d := device(busbar.Battery)
	_, err := d.Plan(&busbar.Push{Command: "charge", Parameters: quantities{"power": kw(7)}}, time.UTC, monday)
	e := err.(*busbar.Error) //nolint:errorlint // Plan gives it as it is
	offered := e.Details["deviceCapabilities"].(busbar.Capabilities).Commands["charge"].Parameters["power"]
	repaired := busbar.Push{Command: "charge", Parameters: quantities{"power": {Value: offered.Max, Unit: offered.Unit}}}
	if _, err := d.Plan(&repaired, time.UTC, monday); err != nil {
		t.Error(err)
	}
}

func TestPlanSettings(t *testing.T) {
	t.Parallel()
	battery := device(busbar.Battery)
	got, err := battery.PlanSettings(quantities{"discharge_floor": {Value: 10, Unit: busbar.Percent}, "max_export_power": kw(3)})
	want := quantities{"discharge_floor": {Value: 10, Unit: busbar.Percent}, "max_export_power": {Value: 3000, Unit: busbar.Watts}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, tc := range []struct {
		device *busbar.Device
		given  quantities
		code   busbar.Code
		paths  string
	}{
		{battery, quantities{"colour": kw(1)}, busbar.CodeUnsupportedParameter, "colour"},
		{battery, quantities{"discharge_floor": kw(1)}, busbar.CodeUnsupportedUnit, "discharge_floor.unit"},
		{battery, quantities{"discharge_floor": {Value: 101, Unit: busbar.Percent}}, busbar.CodeParameterOutOfRange, "discharge_floor.value"},
		{device(busbar.EVCharger), quantities{"max_charge_rate": kw(51)}, busbar.CodeParameterOutOfRange, "max_charge_rate.value"},
		{device(busbar.Meter), quantities{"max_charge_rate": kw(1)}, busbar.CodeUnsupportedParameter, "max_charge_rate"},
	} {
		_, err := tc.device.PlanSettings(tc.given)
		if code, paths := refusal(err); code != tc.code || paths != tc.paths {
			t.Errorf("%v: %v, want %s at %s", tc.given, err, tc.code, tc.paths)
		}
	}
}
