package home

import (
	"math"
	"math/rand/v2"
	"time"

	"busbar"
)

// Efficiency is what of the energy put into a battery, the house's or the car's, can be taken out again. The loss is
// booked when charging.
const Efficiency = 0.92

const (
	batteryCapacity = 10.4
	batteryPower    = 5.0
	batteryFloor    = 10.0
	// Above batteryTaper percent charging slows down, to this part of the power at 100.
	batteryTaper, batteryTaperEnd = 95.0, 0.1
	// backupPower is what auto.reserve takes from the grid until the battery is full.
	backupPower = 1.0
	// jitterFrom is the level above which its measuring wavers, by at most jitter percent, once a minute.
	jitterFrom, jitter = 99.0, 0.5
	// Its temperature lags behind by batteryLag and rises by batteryWarming kelvin at full power.
	batteryLag     = 2 * hour
	batteryWarming = 8.0
)

// battery is the house's.
type battery struct {
	batteryControl
	rand *rand.Rand

	energy      float64 // kWh that can be taken out
	power       float64 // kW, + into the battery
	temperature float64
	wobble      float64
	wobbleUntil time.Time
}

// batteryControl is what commands set.
type batteryControl struct {
	mode string
	// target is where charge and discharge stop, floor below which nothing is taken out, in percent.
	target, floor float64
	limit         float64 // kW
}

func autoBattery(mode string) batteryControl {
	return batteryControl{mode: mode, target: 100, floor: batteryFloor, limit: batteryPower}
}

func (b *battery) level() float64 { return 100 * b.energy / batteryCapacity }

// demand is what the rest of the home needs from the battery or the grid; below 0 it has a surplus.
type demand struct {
	// all is with the car, house without.
	all, house float64
	price      float64
}

// want is the power that the mode asks for.
func (b *battery) want(d demand) float64 {
	switch b.mode {
	case commandCharge:
		if b.level() < b.target {
			return b.limit
		}
		return 0
	case commandDischarge:
		if b.level() > b.target {
			return -b.limit
		}
		return 0
	case commandIdle:
		return 0
	case busbar.ModeReserve:
		return max(-d.all, backupPower)
	case busbar.ModeExport:
		if d.price >= peakPrice {
			return -batteryPower
		}
		return max(0, -d.all)
	default: // auto.balanced: store what is left, and feed the house, but do not move it into the car
		return max(0, -d.all) - max(0, d.house)
	}
}

// step moves energy for one tick and returns what became of it.
func (b *battery) step(d demand, around float64, now time.Time) (stored, lost float64) {
	power := b.want(d)
	if power > 0 {
		// No further than to the target, which is 100 unless a charge command set another.
		room := max(0, batteryCapacity*b.target/100-b.energy) / Efficiency / tickHours
		power = min(power, b.limit, batteryPower*taper(b.level(), batteryTaper, batteryTaperEnd), room)
		stored = power * Efficiency * tickHours
		lost = power*tickHours - stored
	} else {
		floor := b.floor
		if b.mode == commandDischarge {
			floor = max(floor, b.target)
		}
		left := max(0, b.energy-batteryCapacity*floor/100) / tickHours
		power = -min(-power, b.limit, left)
		stored = power * tickHours
	}
	b.power = power
	b.energy += stored
	b.temperature += (around + batteryWarming*math.Abs(power)/batteryPower - b.temperature) * float64(Tick) / float64(batteryLag)
	if !now.Before(b.wobbleUntil) {
		b.wobble, b.wobbleUntil = jitter*b.rand.Float64(), now.Add(time.Minute)
	}
	return stored, lost
}

// shown is the level as the battery's own meter sees it: near the end it wavers.
func (b *battery) shown() float64 {
	if level := b.level(); level < jitterFrom {
		return level
	}
	return b.level() - b.wobble
}

func (b *battery) status() string {
	switch {
	case b.power >= stillPower:
		return "charging"
	case b.power <= -stillPower:
		return "discharging"
	case b.mode == commandIdle || b.mode == commandCharge || b.mode == commandDischarge:
		return "idle"
	default:
		return "standby"
	}
}

// stillPower is what counts as nothing: the resolution of the state's powers.
const stillPower = 0.05

// taper is the part of the power that a battery still takes at a level: all of it up to from, end at 100 percent.
func taper(level, from, end float64) float64 {
	if level <= from {
		return 1
	}
	return max(end, 1-(1-end)*(level-from)/(100-from))
}
