package home

import (
	"math/rand/v2"
	"time"
)

const (
	carCapacity = 75.0
	// The car takes at most chargerPower. Above carTaper percent it takes less, down to this part of it at 100.
	chargerPower          = 11.0
	carTaper, carTaperEnd = 90.0, 0.15
	consumption           = 0.17 // kWh a kilometre
	// tooEmpty keeps the car at home, in percent.
	tooEmpty = 15.0
	// kwPerAmp is one ampere on three phases of 230 volts.
	kwPerAmp    = 3 * 0.230
	defaultAmps = 16.0
	// Without a command the car is charged at night, and at once while it is nearly empty.
	nightFrom, nightTo = 0, 5
	nearlyEmpty        = 20.0
	// usualLimit is where it stops then; a command fills it up.
	usualLimit = 80.0
	// weekendTrips is on how many days of the weekend the car leaves.
	weekendTrips = 0.7
)

// car is the vehicle together with the charger that it is plugged into when it is at home.
type car struct {
	chargerControl
	rand *rand.Rand

	energy float64 // kWh that can be taken out
	power  float64 // kW from the charger
	home   bool
	trip   trip
}

// chargerControl is what commands set. It holds until the car leaves.
type chargerControl struct {
	mode string // commandCharge, commandIdle, or empty for the night tariff
	amps float64
}

// trip is the way of one day.
type trip struct {
	leave, back time.Time
	energy      float64
	// off: there is none today, or the car was too empty.
	off bool
}

// newDay plans the trip: on workdays to work for some hours, on most days of the weekend out at noon.
func (c *car) newDay(midnight time.Time) {
	at := func(hours float64) time.Time { return midnight.Add(time.Duration(hours * float64(hour))) }
	leave, back, far := c.rand.Float64(), c.rand.Float64(), c.rand.Float64()
	weekend := midnight.Weekday() == time.Saturday || midnight.Weekday() == time.Sunday
	if weekend {
		c.trip = trip{leave: at(10 + 1.5*leave), back: at(12.5 + 3*back), energy: consumption * (10 + 70*far)}
		c.trip.off = c.rand.Float64() > weekendTrips
		return
	}
	c.trip = trip{leave: at(7.25 + leave), back: at(14.5 + 2*back), energy: consumption * (25 + 35*far)}
}

func (c *car) level() float64 { return 100 * c.energy / carCapacity }

// limit is the level at which it stops charging.
func (c *car) limit() float64 {
	if c.mode == commandCharge {
		return 100
	}
	return usualLimit
}

func (c *car) full() bool { return c.level() >= c.limit()-fullWithin }

// fullWithin is how near to its limit a car is full, in percent.
const fullWithin = 0.05

// step drives or charges for one tick.
func (c *car) step(now, local time.Time) (stored, lost, driven float64) {
	c.move(now)
	c.power = 0
	if !c.home {
		driven = min(c.energy, c.trip.energy*float64(Tick)/float64(c.trip.back.Sub(c.trip.leave)))
		c.energy -= driven
		return 0, 0, driven
	}
	if c.allowed(local) && !c.full() {
		room := (carCapacity*c.limit()/100 - c.energy) / Efficiency / tickHours
		c.power = min(c.amps*kwPerAmp, chargerPower*taper(c.level(), carTaper, carTaperEnd), room)
		stored = c.power * Efficiency * tickHours
		lost = c.power*tickHours - stored
		c.energy += stored
	}
	return stored, lost, 0
}

// move has the car leave and come back as the trip says.
func (c *car) move(now time.Time) {
	away := !c.trip.off && !now.Before(c.trip.leave) && now.Before(c.trip.back)
	if away && c.home && c.level() < tooEmpty {
		c.trip.off, away = true, false
	}
	if c.home && away {
		c.chargerControl = chargerControl{amps: defaultAmps}
	}
	c.home = !away
}

// allowed says whether the charger gives power.
func (c *car) allowed(local time.Time) bool {
	switch c.mode {
	case commandCharge:
		return true
	case commandIdle:
		return false
	default:
		return local.Hour() >= nightFrom && local.Hour() < nightTo || c.level() < nearlyEmpty
	}
}

func (c *car) chargerStatus() string {
	switch {
	case !c.home:
		return "available"
	case c.power > 0:
		return "charging"
	case c.full():
		return "finished"
	default:
		return "plugged"
	}
}
