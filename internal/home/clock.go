package home

import (
	"math"
	"time"
)

// calendarCycle is 28 years in days: after it, dates fall on the same days of the week again.
const calendarCycle = 10_227

// beforeSunrise is how long a home is in the dark when its clock begins.
const beforeSunrise = 30 * time.Minute

// Clock turns real time into the time in a simulated home. It is a pure function, so that every process that knows
// where it began and how fast it goes reads the same time, before and after a restart.
type Clock struct {
	// Origin is the real time at which the simulated time was Start.
	Origin, Start time.Time
	// Speed is simulated seconds a second.
	Speed float64
}

// NewClock begins at a real time. At speed 1 it shows that. A faster clock begins shortly before sunrise on a Monday in
// spring, so that there is something to see at once, whenever that is.
func NewClock(origin time.Time, place Place, speed float64) Clock {
	if speed == 1 {
		return Clock{Origin: origin, Start: origin, Speed: speed}
	}
	spring := time.May
	if place.Latitude < 0 {
		spring = time.November
	}
	first := time.Date(origin.Year(), spring, 1, 0, 0, 0, 0, place.Zone)
	monday := first.AddDate(0, 0, int(time.Monday-first.Weekday()+7)%7)
	light := Sun(monday, place.Latitude, place.Longitude)
	return Clock{Origin: origin, Start: light.Rise.Add(-beforeSunrise), Speed: speed}
}

// At is the simulated time at a real one. It starts over after 28 years, with the same calendar; before the origin it
// stands still.
func (c Clock) At(now time.Time) time.Time {
	const most = calendarCycle * float64(day/time.Second)
	seconds := math.Mod(max(0, now.Sub(c.Origin).Seconds())*c.Speed, most)
	whole := math.Floor(seconds)
	return c.Start.Add(time.Duration(whole)*time.Second + time.Duration((seconds-whole)*float64(time.Second)))
}
