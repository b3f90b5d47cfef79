package home

import (
	"math"
	"math/rand/v2"
	"time"
)

// weather is what happens outside: daylight, clouds and temperature. Commands have no influence on it.
type weather struct {
	place Place
	rand  *rand.Rand

	light Daylight
	// cloudiness is the part of the day's time under clouds, haze what the clear sky takes.
	cloudiness, haze float64
	// cover is what the present cloud takes, until it has passed.
	cover      float64
	cloudUntil time.Time
	// deviation is how much warmer than usual it is, in kelvin; it drifts towards the day's target.
	deviation, target float64
	// outside is the temperature in degrees Celsius.
	outside float64
}

const (
	shortestCloud = time.Minute
	longestCloud  = 5 * time.Minute
	meanCloud     = (shortestCloud + longestCloud) / 2

	// Berlin's climate: the mean of the year, how far summer and winter are from it, and noon and night from the day's.
	yearMean, yearSwing, daySwing = 10.0, 9.5, 4.0
	// warmestDay is in the northern year; warmestHour is local.
	warmestDay, warmestHour = 205, 15
	daysPerYear             = 365.25
	// deviationSpread is in kelvin, and deviationMemory how much of it stays from day to day.
	deviationSpread, deviationMemory = 3.0, 0.7
	deviationDrift                   = 6 * hour
)

func (w *weather) newDay(local time.Time) {
	w.light = Sun(local, w.place.Latitude, w.place.Longitude)
	// Days are rather clear or rather cloudy than in between.
	x := w.rand.Float64()
	w.cloudiness = 0.05 + 0.9*x*x
	w.haze = 1 - 0.6*x
	w.target = deviationMemory*w.target + deviationSpread*math.Sqrt(1-deviationMemory*deviationMemory)*w.rand.NormFloat64()
}

func (w *weather) step(now, local time.Time) {
	if !now.Before(w.cloudUntil) {
		w.cover = 0
		// Gaps between clouds are as long as makes clouds the wanted part of the time.
		chance := w.cloudiness / (1 - w.cloudiness) * float64(Tick) / float64(meanCloud)
		if w.rand.Float64() < chance {
			w.cover = 0.4 + 0.55*w.rand.Float64()
			w.cloudUntil = now.Add(shortestCloud + time.Duration(w.rand.Float64()*float64(longestCloud-shortestCloud)))
		}
	}
	w.deviation += (w.target - w.deviation) * float64(Tick) / float64(deviationDrift)
	w.outside = w.usual(local) + w.deviation
}

// usual is the temperature of the season and the hour.
func (w *weather) usual(local time.Time) float64 {
	season := math.Cos(2 * math.Pi * (float64(local.YearDay()) - warmestDay) / daysPerYear)
	if w.place.Latitude < 0 {
		season = -season
	}
	return yearMean + yearSwing*season + daySwing*math.Cos(2*math.Pi*(clockHours(local)-warmestHour)/24)
}

// sunshine is the part of the brightest possible sun that reaches the roof: parabola, season, haze and cloud.
func (w *weather) sunshine(now time.Time) float64 {
	bright := (0.2 + 0.75*math.Sin(w.light.Elevation)) * w.haze
	return w.light.Height(now) * bright * (1 - w.cover)
}

// clockHours is the time of day as hours on the wall clock.
func clockHours(local time.Time) float64 {
	return float64(local.Hour()) + float64(local.Minute())/60 + float64(local.Second())/3600
}

// sunshineAtNoon is how sunny the day is: what drives the price of power.
func (w *weather) sunshineAtNoon() float64 {
	return math.Sin(w.light.Elevation) * (1 - w.cloudiness)
}
