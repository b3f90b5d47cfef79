package rules

import (
	"math"
	"time"
)

// daylight is when the sun rises and sets on the local day of a time, to about a minute; ok is false where it does
// neither that day. The formulas are those of the sunrise equation (mean anomaly, equation of the centre, ecliptic
// longitude, hour angle), with the usual -0.833° for refraction and the sun's radius.
func daylight(at time.Time, latitude, longitude float64) (rise, set time.Time, ok bool) {
	const (
		julianEpoch = 2451545.0 // noon of 1 January 2000, in Julian days
		unixEpoch   = 2440587.5
		tilt        = 23.4397
	)
	noon := time.Date(at.Year(), at.Month(), at.Day(), 12, 0, 0, 0, at.Location())
	_, offset := noon.Zone()
	// The day is counted at the local noon, so that it is the local date's wherever the site is.
	day := math.Floor(float64(noon.Unix()+int64(offset))/86400) + unixEpoch + 0.5 - julianEpoch
	mean := day - longitude/360
	anomaly := radians(math.Mod(357.5291+0.98560028*mean, 360))
	centre := 1.9148*math.Sin(anomaly) + 0.02*math.Sin(2*anomaly) + 0.0003*math.Sin(3*anomaly)
	ecliptic := radians(math.Mod(degrees(anomaly)+centre+180+102.9372, 360))
	transit := julianEpoch + mean + 0.0053*math.Sin(anomaly) - 0.0069*math.Sin(2*ecliptic)
	declination := math.Asin(math.Sin(ecliptic) * math.Sin(radians(tilt)))
	cosine := (math.Sin(radians(-0.833)) - math.Sin(radians(latitude))*math.Sin(declination)) /
		(math.Cos(radians(latitude)) * math.Cos(declination))
	if math.IsNaN(cosine) || cosine < -1 || cosine > 1 {
		return time.Time{}, time.Time{}, false
	}
	half := degrees(math.Acos(cosine)) / 360
	return julian(transit-half-unixEpoch, at.Location()), julian(transit+half-unixEpoch, at.Location()), true
}

// julian is the time so many days after 1970, to the second.
func julian(days float64, loc *time.Location) time.Time {
	return time.Unix(int64(math.Round(days*86400)), 0).In(loc)
}

func radians(d float64) float64 { return d * math.Pi / 180 }

func degrees(r float64) float64 { return r * 180 / math.Pi }

// Clock turns real time into the time in a simulated home, of which the sun is part. The zero clock is that of a real one.
type Clock struct {
	// Origin is the real time at which the simulated time was Start.
	Origin, Start time.Time
	// Speed is simulated seconds a second.
	Speed float64
}

// at is the simulated time at a real one.
func (c *Clock) at(now time.Time) time.Time {
	if c.Speed == 0 {
		return now
	}
	return c.Start.Add(scale(now.Sub(c.Origin), c.Speed))
}

// real is when it is as early or late as that in the simulated home; near is a moment as both know it.
func (c *Clock) real(simulated, near, nearSimulated time.Time) time.Time {
	if c.Speed == 0 {
		return simulated
	}
	return near.Add(scale(simulated.Sub(nearSimulated), 1/c.Speed))
}

// scale multiplies seconds, so that decades at a high speed do not overflow.
func scale(d time.Duration, by float64) time.Duration {
	return time.Duration(d.Seconds() * by * float64(time.Second))
}
