package simulator

import (
	"math"
	"slices"
	"time"

	"busbar"
)

// How often a device reports: at once when it does something else, at most every reportEvery when only numbers have
// moved, and every heartbeat when nothing has.
const (
	reportEvery = 10 * time.Second
	heartbeat   = time.Minute
	// worthSteps is how many steps of its resolution a number must have moved to be worth a report.
	worthSteps = 4
)

// device is one of the home's, and what Busbar knows of it.
type device struct {
	id     busbar.DeviceID
	family busbar.Family
	name   string
	model  string
	// mainField is the one that a reading lacks under the fault missing_field.
	mainField string

	// absent: it was deleted from Busbar, and stays away until the home starts again.
	absent bool
	// connection is what Busbar was told; empty when it was told nothing yet.
	connection busbar.Connection
	reported   busbar.State
	reportedAt time.Time
	// told: a command was carried out, which shows at once.
	told bool
	// withheld is a reading that will arrive late.
	withheld *reading
	faults   map[busbar.FaultKind]fault
}

// fault is how a device misbehaves, and until when.
type fault struct {
	until time.Time
	delay time.Duration
}

func newDevices() []*device {
	return []*device{
		{id: Battery, family: busbar.Battery, name: "Home battery", model: "Simulated 10 kWh", mainField: "level"},
		{id: Charger, family: busbar.EVCharger, name: "Wallbox", model: "Simulated 11 kW", mainField: "currentPower"},
		{id: Vehicle, family: busbar.Vehicle, name: "Car", model: "Simulated 75 kWh", mainField: "batteryLevel"},
		{id: HVAC, family: busbar.HVAC, name: "Heat pump", model: "Simulated 7 kW", mainField: "temperature"},
		{id: Solar, family: busbar.SolarInverter, name: "Solar roof", model: "Simulated 8 kW", mainField: "currentPower"},
		{id: Meter, family: busbar.Meter, name: "Grid meter", model: "Simulated", mainField: "importPower"},
	}
}

// begin forgets what Busbar was told.
func (d *device) begin() {
	d.absent, d.connection, d.reported, d.withheld = false, "", nil, nil
}

// fault is how the device misbehaves now, in one way.
func (d *device) fault(kind busbar.FaultKind, now time.Time) (fault, bool) {
	f, ok := d.faults[kind]
	return f, ok && now.Before(f.until)
}

// due says whether a state is worth a report.
func (d *device) due(state busbar.State, now time.Time) bool {
	since := now.Sub(d.reportedAt)
	if d.reported == nil || d.told || since >= heartbeat {
		return true
	}
	spec := d.family.Spec()
	return slices.ContainsFunc(spec.Fields, func(f busbar.Field) bool {
		is, isNumber := state[f.Name].(float64)
		was, wasNumber := d.reported[f.Name].(float64)
		if !isNumber || !wasNumber {
			return state[f.Name] != d.reported[f.Name]
		}
		return since >= reportEvery && math.Abs(is-was) >= worthSteps*f.Resolution()
	})
}
