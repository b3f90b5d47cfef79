package home

import (
	"math/rand/v2"
	"time"
)

// load is what the people in the house use: a base, more in the morning and evening, and appliances that come and go.
type load struct {
	rand *rand.Rand
	// running has the appliances at work; it is bounded by mostAppliances.
	running []appliance
}

type appliance struct {
	power float64
	until time.Time
}

const (
	basePower      = 0.22
	mostAppliances = 6
)

// step is the power in kW.
func (l *load) step(now, local time.Time) float64 {
	clock := clockHours(local)
	power, perHour := basePower, 0.05
	switch {
	case clock >= 6 && clock < 9:
		power, perHour = basePower+0.25, 1.5
	case clock >= 17 && clock < 23:
		power, perHour = basePower+0.4, 1.2
	case clock >= 9 && clock < 17:
		power, perHour = basePower+0.08, 0.5
	}
	if l.rand.Float64() < perHour*tickHours && len(l.running) < mostAppliances {
		l.running = append(l.running, l.start(now))
	}
	still := l.running[:0]
	for _, a := range l.running {
		if now.Before(a.until) {
			still = append(still, a)
			power += a.power
		}
	}
	l.running = still
	return power
}

// start is a kettle or a stove: strong ones are short.
func (l *load) start(now time.Time) appliance {
	power := 0.4 + 1.8*l.rand.Float64()
	minutes := 4 + 30*l.rand.Float64()/power
	return appliance{power: power, until: now.Add(time.Duration(minutes * float64(time.Minute)))}
}
