package home_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
)

var monday = time.Date(2026, 1, 5, 20, 0, 0, 0, berlin.Zone)

func TestCommandsChangeWhatDevicesDo(t *testing.T) {
	t.Parallel()
	type params = map[string]busbar.Quantity
	for name, c := range map[string]struct {
		family  busbar.Family
		command busbar.Instruction
		// for this many ticks; then the state has these fields.
		ticks int
		want  busbar.State
	}{
		"battery charges at a power": {
			busbar.Battery,
			busbar.Instruction{Command: "charge", Parameters: params{"power": {Value: 2500, Unit: "watts"}}},
			2,
			busbar.State{"status": "charging", "currentMode": "charge", "chargeRate": 2.5, "dischargeLimit": 10.0},
		},
		"battery stops at its target": {
			busbar.Battery,
			busbar.Instruction{Command: "charge", Parameters: params{"target": {Value: 60, Unit: "percent"}}},
			360,
			busbar.State{"status": "idle", "currentMode": "charge", "chargeRate": 0.0, "level": 60.0},
		},
		"battery keeps its reserve": {
			busbar.Battery,
			busbar.Instruction{Command: "discharge", Parameters: params{"reserve": {Value: 20, Unit: "percent"}}},
			360,
			busbar.State{"status": "idle", "currentMode": "discharge", "chargeRate": 0.0, "level": 20.0, "dischargeLimit": 20.0},
		},
		"battery idles": {
			busbar.Battery,
			busbar.Instruction{Command: "idle"},
			2,
			busbar.State{"status": "idle", "currentMode": "idle", "chargeRate": 0.0},
		},
		"battery tops up for an outage": {
			busbar.Battery,
			busbar.Instruction{Command: "auto.reserve"},
			2,
			busbar.State{"status": "charging", "currentMode": "auto.reserve", "chargeRate": 1.0},
		},
		"battery sells in the evening": {
			busbar.Battery,
			busbar.Instruction{Command: "auto.export"},
			2,
			busbar.State{"status": "discharging", "currentMode": "auto.export", "chargeRate": -5.0},
		},
		"car charges at a current": {
			busbar.EVCharger,
			busbar.Instruction{Command: "charge", Parameters: params{"current": {Value: 10, Unit: "amps"}}},
			2,
			busbar.State{"status": "charging", "isCharging": true, "isConnected": true, "currentPower": 6.9, "maxCurrent": 10.0, "powerRateLimit": 6.9},
		},
		"car charges with all it takes": {
			busbar.EVCharger,
			busbar.Instruction{Command: "charge", Parameters: params{"current": {Value: 32, Unit: "amps"}}},
			2,
			busbar.State{"status": "charging", "currentPower": 11.0, "maxCurrent": 32.0, "powerRateLimit": 11.0},
		},
		"car becomes full": {
			busbar.EVCharger,
			busbar.Instruction{Command: "charge"},
			8 * 120,
			busbar.State{"status": "finished", "isCharging": false, "isConnected": true, "currentPower": 0.0},
		},
		"car waits through the night tariff when told to": {
			busbar.EVCharger,
			busbar.Instruction{Command: "idle"},
			6 * 120,
			busbar.State{"status": "plugged", "isCharging": false, "isConnected": true, "currentPower": 0.0},
		},
		"heating to a setpoint": {
			busbar.HVAC,
			busbar.Instruction{Command: "heat", Parameters: params{"target": {Value: 77, Unit: "fahrenheit"}}},
			2,
			busbar.State{"active": true, "mode": "heat", "holdType": "permanent", "heatSetpoint": 25.0},
		},
		"cooling to a setpoint": {
			busbar.HVAC,
			busbar.Instruction{Command: "cool", Parameters: params{"target": {Value: 15, Unit: "celsius"}}},
			2,
			busbar.State{"active": true, "mode": "cool", "holdType": "permanent", "coolSetpoint": 15.0},
		},
		"keeping between setpoints": {
			busbar.HVAC,
			busbar.Instruction{Command: "auto", Parameters: params{"heatSetpoint": {Value: 12, Unit: "celsius"}, "coolSetpoint": {Value: 30, Unit: "celsius"}}},
			2,
			busbar.State{"active": false, "mode": "auto", "holdType": "permanent", "heatSetpoint": 12.0, "coolSetpoint": 30.0},
		},
		"heating off": {
			busbar.HVAC,
			busbar.Instruction{Command: "idle"},
			120,
			busbar.State{"active": false, "mode": "idle", "holdType": "permanent"},
		},
		"back to the schedule": {
			busbar.HVAC,
			busbar.Instruction{Command: "follow_schedule"},
			3 * 120,
			busbar.State{"mode": "auto", "holdType": "follow_schedule", "heatSetpoint": 18.5, "coolSetpoint": 26.0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, 1, monday)
			if err := h.Do(c.family, c.command); err != nil {
				t.Fatal(err)
			}
			for range c.ticks {
				h.Step()
			}
			got := busbar.State{}
			for field := range c.want {
				got[field] = h.State(c.family)[field]
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefusedCommandsChangeNothing(t *testing.T) {
	t.Parallel()
	one := func(name string, value float64, unit busbar.Unit) map[string]busbar.Quantity {
		return map[string]busbar.Quantity{name: {Value: value, Unit: unit}}
	}
	for name, c := range map[string]struct {
		family  busbar.Family
		command busbar.Instruction
		code    busbar.Code
	}{
		"no such command":       {busbar.Battery, busbar.Instruction{Command: "explode"}, "UNSUPPORTED_MODE"},
		"another's command":     {busbar.EVCharger, busbar.Instruction{Command: "discharge"}, "UNSUPPORTED_MODE"},
		"a meter":               {busbar.Meter, busbar.Instruction{Command: "idle"}, "DIRECT_ACTION_UNSUPPORTED"},
		"no such device":        {"toaster", busbar.Instruction{Command: "idle"}, "DIRECT_ACTION_UNSUPPORTED"},
		"unknown parameter":     {busbar.Battery, busbar.Instruction{Command: "charge", Parameters: one("speed", 1, "kw")}, "UNSUPPORTED_PARAMETER"},
		"parameter of another":  {busbar.Battery, busbar.Instruction{Command: "idle", Parameters: one("power", 1, "kw")}, "UNSUPPORTED_PARAMETER"},
		"wrong unit":            {busbar.Battery, busbar.Instruction{Command: "charge", Parameters: one("power", 1, "celsius")}, "UNSUPPORTED_UNIT"},
		"no unit":               {busbar.EVCharger, busbar.Instruction{Command: "charge", Parameters: one("current", 10, "")}, "UNSUPPORTED_UNIT"},
		"too much":              {busbar.Battery, busbar.Instruction{Command: "charge", Parameters: one("power", 5.01, "kw")}, "PARAMETER_OUT_OF_RANGE"},
		"too much in watts":     {busbar.Battery, busbar.Instruction{Command: "charge", Parameters: one("power", 5001, "watts")}, "PARAMETER_OUT_OF_RANGE"},
		"too little":            {busbar.EVCharger, busbar.Instruction{Command: "charge", Parameters: one("current", 5.9, "amps")}, "PARAMETER_OUT_OF_RANGE"},
		"not a number":          {busbar.HVAC, busbar.Instruction{Command: "heat", Parameters: one("target", math.NaN(), "celsius")}, "PARAMETER_OUT_OF_RANGE"},
		"missing":               {busbar.HVAC, busbar.Instruction{Command: "heat"}, "VALIDATION_FAILED"},
		"one of two is missing": {busbar.HVAC, busbar.Instruction{Command: "auto", Parameters: one("heatSetpoint", 20, "celsius")}, "VALIDATION_FAILED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t, 1, monday)
			before := h.Control()
			err := h.Do(c.family, c.command)
			if got := busbar.CodeOf(err); got != c.code {
				t.Errorf("refused with %v %v, want %s", got, err, c.code)
			}
			if h.Control() != before {
				t.Error("it has changed something nevertheless")
			}
		})
	}
}

// What a charger was told holds until the car leaves.
func TestCommandOfTheChargerEndsWhenTheCarLeaves(t *testing.T) {
	t.Parallel()
	h := newHome(t, 1, monday)
	if err := h.Do(busbar.EVCharger, busbar.Instruction{Command: "idle"}); err != nil {
		t.Fatal(err)
	}
	told := h.Control()
	for h.State(busbar.Vehicle)["atHome"] == true {
		if h.Control() != told {
			t.Fatal("the command ended while the car was at home")
		}
		h.Step()
	}
	if h.Control() == told {
		t.Error("the command holds for the next time")
	}
	if got := h.State(busbar.EVCharger); got["status"] != "available" || got["isConnected"] != false {
		t.Errorf("a charger without a car reads %v", got)
	}
}

func TestGoBack(t *testing.T) {
	t.Parallel()
	h := newHome(t, 1, monday)
	before := h.Control()
	for family, name := range map[busbar.Family]string{busbar.Battery: "idle", busbar.EVCharger: "idle", busbar.HVAC: "idle"} {
		if err := h.Do(family, busbar.Instruction{Command: name}); err != nil {
			t.Fatal(err)
		}
		if h.Control() == before {
			t.Errorf("%s of a %s sets nothing", name, family)
		}
		h.GoBack(family, before)
		if h.Control() != before {
			t.Errorf("a %s has not gone back", family)
		}
	}
}

// Without a command the car is charged at night up to its usual limit, and not by the house's battery.
func TestCarIsChargedAtNight(t *testing.T) {
	t.Parallel()
	h := newHome(t, 1, monday)
	if err := h.Do(busbar.Battery, busbar.Instruction{Command: "charge"}); err != nil {
		t.Fatal(err)
	}
	h.Follow(monday.Add(3 * time.Hour))
	if err := h.Do(busbar.Battery, busbar.Instruction{Command: "auto.balanced"}); err != nil {
		t.Fatal(err)
	}
	charged := false
	for h.Now().Before(monday.Add(10 * time.Hour)) {
		clock := h.Now().In(berlin.Zone).Hour()
		f := h.Step()
		if charged = charged || f.Charger > 0; f.Charger > 0 && clock >= 5 {
			t.Fatalf("the car is charged at %d o'clock", clock)
		}
		if f.Battery < -f.House-f.HVAC-1e-9 {
			t.Fatalf("the battery gives %v kW, the house uses %v", -f.Battery, f.House+f.HVAC)
		}
	}
	want := busbar.State{"chargeLimit": 80.0, "fullyCharged": true, "charging": false}
	for field, v := range want {
		if got := h.State(busbar.Vehicle)[field]; got != v {
			t.Errorf("%s = %v, want %v", field, got, v)
		}
	}
	level := h.State(busbar.Vehicle)["batteryLevel"].(float64)
	if !charged || level < 79.9 || level > 80 || h.State(busbar.EVCharger)["status"] != "finished" {
		t.Errorf("charged %v to %v percent, the charger reads %v", charged, level, h.State(busbar.EVCharger))
	}
}
