package home

import (
	"math"
	"time"
)

// The price curve, per kWh: cheap at night and under the midday sun, dear in the evening.
const (
	basePrice = 0.30
	// peakPrice is from where on auto.export sells.
	peakPrice = 0.36
)

// price is constant within an hour of the wall clock. sunny is how much sun the day has, 0 to 1.
func price(local time.Time, sunny float64) float64 {
	clock := float64(local.Hour()) + 0.5
	p := basePrice - 0.05*bump(clock, 3, 3) + 0.03*bump(clock, 7.5, 1.5) - 0.09*sunny*bump(clock, 13, 2.5) + 0.11*bump(clock, 19, 2)
	return math.Round(p*1e4) / 1e4
}

// bump is 1 at the middle and falls off on both sides.
func bump(x, middle, width float64) float64 {
	d := (x - middle) / width
	return math.Exp(-d * d)
}
