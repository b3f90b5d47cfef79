package home

import (
	"math"

	"busbar"
)

// The fields of states that a home goes on from.
const (
	fieldLevel       = "level"
	fieldMode        = "currentMode"
	fieldEnergy      = "energyTotal"
	fieldTemperature = "temperature"
	fieldHVACMode    = "mode"
	fieldHold        = "holdType"
	fieldHeat        = "heatSetpoint"
	fieldCool        = "coolSetpoint"
	fieldCarLevel    = "batteryLevel"
	fieldFloor       = "dischargeLimit"
)

// What holdType may be.
const (
	holdSchedule  = busbar.CommandFollowSchedule
	holdPermanent = "permanent"
)

// State is what a device reports now.
func (h *Home) State(family busbar.Family) busbar.State {
	switch family {
	case busbar.Battery:
		b := &h.battery
		return busbar.State{
			"status": b.status(), "capacity": batteryCapacity, fieldLevel: round(b.shown()), "chargeRate": round(b.power),
			fieldFloor: round(b.floor), fieldMode: b.mode, fieldTemperature: round(b.temperature),
		}
	case busbar.EVCharger:
		c := &h.car
		return busbar.State{
			"status": c.chargerStatus(), "isConnected": c.home, "isCharging": c.power > 0, "currentPower": round(c.power),
			"maxCurrent": round(c.amps), "powerRateLimit": round(min(chargerPower, c.amps*kwPerAmp)),
		}
	case busbar.HVAC:
		h.hvac.aim(h.now.In(h.place.Zone)) // a command shows at once
		return h.hvac.state()
	case busbar.SolarInverter:
		producing, status := h.solar.power >= stillPower, "idle"
		if producing {
			status = "producing"
		}
		return busbar.State{"status": status, "currentPower": round(h.solar.power), "producing": producing, fieldEnergy: round(h.solar.total)}
	case busbar.Vehicle:
		c := &h.car
		return busbar.State{
			fieldCarLevel: round(c.level()), "range": math.Round(c.energy / consumption), "plugged": c.home, "charging": c.power > 0,
			"fullyCharged": c.full(), "batteryCapacity": carCapacity, "chargeLimit": c.limit(), "chargeRate": round(c.power), "atHome": c.home,
		}
	case busbar.Meter:
		return busbar.State{"importPower": round(h.last.Grid), "price": h.price}
	}
	return nil
}

func (h *hvac) state() busbar.State {
	hold := holdSchedule
	if h.hold {
		hold = holdPermanent
	}
	return busbar.State{
		fieldTemperature: round(h.temperature), "active": h.direction != off, fieldHeat: round(h.heatTo), fieldCool: round(h.coolTo),
		fieldHold: hold, fieldHVACMode: h.mode,
	}
}

// Restore goes on from what a device reported last. Fields that are missing or make no sense are left as they are.
func (h *Home) Restore(family busbar.Family, s busbar.State) {
	switch family {
	case busbar.Battery:
		if level, ok := number(s, fieldLevel, 0, 100); ok {
			h.battery.energy = batteryCapacity * level / 100
		}
		h.restoreBatteryMode(s)
	case busbar.Vehicle:
		if level, ok := number(s, fieldCarLevel, 0, 100); ok {
			h.car.energy = carCapacity * level / 100
		}
	case busbar.SolarInverter:
		if total, ok := number(s, fieldEnergy, 0, math.MaxFloat32); ok {
			h.solar.total = total
		}
	case busbar.HVAC:
		h.restoreHVAC(s)
	case busbar.EVCharger, busbar.Meter:
		// A charger's command ends when the car leaves; the night tariff is a safe way to go on. A meter holds nothing.
	}
}

// restoreBatteryMode goes on with the command, without the parameters that the state does not show.
func (h *Home) restoreBatteryMode(s busbar.State) {
	mode, _ := s[fieldMode].(string)
	if h.Do(busbar.Battery, busbar.Instruction{Command: mode}) != nil {
		return
	}
	if floor, ok := number(s, fieldFloor, batteryFloor, 100); ok {
		h.battery.floor = floor
	}
}

func (h *Home) restoreHVAC(s busbar.State) {
	if t, ok := number(s, fieldTemperature, -20, 50); ok {
		h.hvac.temperature = t
	}
	mode, _ := s[fieldHVACMode].(string)
	heat, heats := number(s, fieldHeat, 10, 35)
	cool, cools := number(s, fieldCool, 10, 35)
	if s[fieldHold] != holdPermanent || !heats || !cools {
		return
	}
	switch mode {
	case commandHeat, commandCool, commandAuto, commandIdle:
		h.hvac.hvacControl = hvacControl{mode: mode, hold: true, heat: heat, cool: cool}
	}
}

// number reads a field that JSON has made a float64.
func number(s busbar.State, field string, from, to float64) (float64, bool) {
	v, ok := s[field].(float64)
	return v, ok && v >= from && v <= to
}

// round keeps what a device's meter shows: a watt, a thousandth of a percent.
//
// Adding zero makes a negative zero a positive one.
func round(v float64) float64 { return math.Round(v*1000)/1000 + 0 }
