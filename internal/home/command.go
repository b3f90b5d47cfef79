package home

import (
	"maps"
	"slices"

	"busbar"
)

// The names of commands. Those of the domain have names there.
const (
	commandCharge    = "charge"
	commandDischarge = "discharge"
	commandIdle      = "idle"
	commandHeat      = "heat"
	commandCool      = "cool"
	commandAuto      = "auto"
)

// The names of parameters.
const (
	paramTarget  = "target"
	paramPower   = "power"
	paramReserve = "reserve"
	paramCurrent = "current"
	paramHeat    = "heatSetpoint"
	paramCool    = "coolSetpoint"
)

// Do has a device carry out a command. An error of the domain says why it does not; then nothing has changed.
func (h *Home) Do(family busbar.Family, c busbar.Instruction) error {
	spec := family.Spec()
	if spec == nil || len(spec.Commands) == 0 {
		return busbar.Errorf(busbar.CodeDirectAction, "a %s takes no commands", family)
	}
	values, err := read(spec, c)
	if err != nil {
		return err
	}
	switch family {
	case busbar.Battery:
		h.battery.do(c.Command, values)
	case busbar.EVCharger:
		h.car.do(c.Command, values)
	case busbar.HVAC:
		h.hvac.do(c.Command, values)
	case busbar.SolarInverter, busbar.Vehicle, busbar.Meter:
	}
	return nil
}

// arguments are the parameters of a command, in the units that the family declares.
type arguments map[string]float64

// or is an argument, or what is meant without it.
func (a arguments) or(name string, value float64) float64 {
	if v, ok := a[name]; ok {
		return v
	}
	return value
}

// read checks a command against what its family understands.
func read(spec *busbar.Spec, c busbar.Instruction) (arguments, error) {
	command, ok := spec.Command(c.Command)
	if !ok {
		return nil, busbar.Errorf(busbar.CodeUnsupportedMode, "a %s has no command %q", spec.Family, c.Command)
	}
	for _, p := range command.Parameters {
		if _, given := c.Parameters[p.Name]; p.Required && !given {
			return nil, busbar.Errorf(busbar.CodeValidationFailed, "%s needs %s", c.Command, p.Name)
		}
	}
	values := make(arguments, len(c.Parameters))
	for _, name := range slices.Sorted(maps.Keys(c.Parameters)) {
		p, ok := command.Parameter(name)
		if !ok {
			return nil, busbar.Errorf(busbar.CodeUnsupportedParameter, "%s has no parameter %q", c.Command, name)
		}
		q, ok := c.Parameters[name].In(p.Range.Unit)
		if !ok {
			return nil, busbar.Errorf(busbar.CodeUnsupportedUnit, "%s comes in %s, not in %q", name, p.Range.Unit, c.Parameters[name].Unit)
		}
		if !p.Range.Contains(q.Value) {
			return nil, busbar.Errorf(busbar.CodeParameterOutOfRange, "%s is %v, not %v to %v %s", name, q.Value, p.Range.Min, p.Range.Max, p.Range.Unit)
		}
		values[name] = q.Value
	}
	return values, nil
}

func (b *battery) do(command string, a arguments) {
	to := autoBattery(command)
	if command == commandDischarge {
		to.target = batteryFloor
	}
	to.target = a.or(paramTarget, to.target)
	to.limit = a.or(paramPower, to.limit)
	// Never below its own floor, whatever the reserve is.
	to.floor = max(batteryFloor, a.or(paramReserve, 0))
	b.batteryControl = to
}

func (c *car) do(command string, a arguments) {
	c.chargerControl = chargerControl{mode: command, amps: a.or(paramCurrent, defaultAmps)}
}

func (h *hvac) do(command string, a arguments) {
	to := h.hvacControl
	to.mode, to.hold = command, true
	switch command {
	case commandHeat:
		to.heat = a[paramTarget]
	case commandCool:
		to.cool = a[paramTarget]
	case commandAuto:
		to.heat, to.cool = a[paramHeat], a[paramCool]
	case busbar.CommandFollowSchedule:
		to = scheduled()
	}
	h.hvacControl = to
}

// Control is what commands have set in a home, for going back to it later.
type Control struct {
	battery batteryControl
	charger chargerControl
	hvac    hvacControl
}

// Control is what is set now.
func (h *Home) Control() Control {
	return Control{battery: h.battery.batteryControl, charger: h.car.chargerControl, hvac: h.hvac.hvacControl}
}

// GoBack sets a device to what it was told before.
func (h *Home) GoBack(family busbar.Family, to Control) {
	switch family {
	case busbar.Battery:
		h.battery.batteryControl = to.battery
	case busbar.EVCharger:
		h.car.chargerControl = to.charger
	case busbar.HVAC:
		h.hvac.hvacControl = to.hvac
	case busbar.SolarInverter, busbar.Vehicle, busbar.Meter:
	}
}
