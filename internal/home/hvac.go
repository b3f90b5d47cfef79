package home

import "time"

// The house as one node of heat: it loses wallLoss kW for each kelvin between inside and outside, and holds roomHeat kWh
// for each kelvin, so that it follows the weather with a time constant of a day.
const (
	wallLoss = 0.2
	roomHeat = wallLoss * 24
	// hvacHeat is the heat that the machine moves, in kW, in or out.
	hvacHeat = 7.0
	// hysteresis is how far the temperature goes beyond its setpoint on either side.
	hysteresis = 0.4
	// minimumRun is how long the machine stays on once started, and off once stopped.
	minimumRun = 10 * time.Minute
	// What warms the house by itself: a part of what is used in it, and the sun through the windows, in kW at its best.
	usedHeat, windowHeat = 0.8, 1.0

	// The schedule: heat by day and by night, and cool only when it is hot.
	dayHeat, nightHeat, scheduleCool = 21.0, 18.5, 26.0
	dayFrom, dayTo                   = 6, 22
)

// heating and cooling are the directions of the machine.
const (
	off     = 0.0
	heating = 1.0
	cooling = -1.0
)

// hvac is the heat pump and the rooms.
type hvac struct {
	hvacControl

	temperature float64 // degrees Celsius
	// heatTo and coolTo are the setpoints in force: those of a command, or of the schedule.
	heatTo, coolTo float64
	direction      float64
	since          time.Time // the last start or stop
}

// hvacControl is what commands set.
type hvacControl struct {
	mode       string // commandHeat, commandCool, commandAuto or commandIdle
	hold       bool   // off: the schedule's setpoints
	heat, cool float64
}

func scheduled() hvacControl {
	return hvacControl{mode: commandAuto, heat: dayHeat, cool: scheduleCool}
}

// step runs the machine for one tick: the power it takes, the heat it brings (below 0: takes away), what comes by
// itself and what goes through the walls.
func (h *hvac) step(now, local time.Time, outside, used, sunshine float64) (power, moved, gained, lost float64) {
	h.aim(local)
	if want := h.want(); want != h.direction && now.Sub(h.since) >= minimumRun {
		// From heating to cooling it stops first, for as long as any stop.
		if want != off && h.direction != off {
			want = off
		}
		h.direction, h.since = want, now
	}
	if h.direction != off {
		power = hvacHeat / cop(h.direction, outside)
		moved = h.direction * hvacHeat * tickHours
	}
	gained = (usedHeat*used + windowHeat*sunshine) * tickHours
	lost = wallLoss * (h.temperature - outside) * tickHours
	h.temperature += (moved + gained - lost) / roomHeat
	return power, moved, gained, lost
}

// aim chooses the setpoints.
func (h *hvac) aim(local time.Time) {
	switch {
	case h.hold:
		h.heatTo, h.coolTo = h.heat, h.cool
	case local.Hour() >= dayFrom && local.Hour() < dayTo:
		h.heatTo, h.coolTo = dayHeat, scheduleCool
	default:
		h.heatTo, h.coolTo = nightHeat, scheduleCool
	}
}

// want is the direction that the thermostat asks for.
func (h *hvac) want() float64 {
	mayHeat := h.mode == commandHeat || h.mode == commandAuto
	mayCool := h.mode == commandCool || h.mode == commandAuto
	switch {
	case mayHeat && (h.temperature < h.heatTo-hysteresis || h.direction == heating && h.temperature < h.heatTo+hysteresis):
		return heating
	case mayCool && (h.temperature > h.coolTo+hysteresis || h.direction == cooling && h.temperature > h.coolTo-hysteresis):
		return cooling
	default:
		return off
	}
}

// cop is how much heat the machine moves for each kWh: the less, the further it has to lift it.
func cop(direction, outside float64) float64 {
	if direction == heating {
		return min(5.5, max(1.8, 3.5+0.1*(outside-7)))
	}
	return min(5.5, max(2, 4-0.08*(outside-25)))
}
