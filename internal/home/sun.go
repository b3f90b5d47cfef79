package home

import (
	"math"
	"time"
)

// Place is where a home stands.
type Place struct {
	// Latitude and Longitude are in degrees, north and east.
	Latitude, Longitude float64
	Zone                *time.Location
}

// Daylight is the sun of one day at one place. In polar night Rise equals Set; in polar day they are 24 hours apart.
type Daylight struct {
	Rise, Noon, Set time.Time
	// Elevation is the height of the sun at noon in radians, at least 0.
	Elevation float64
}

// horizon is the height of the sun's centre at sunrise: refraction and the sun's radius.
const horizon = -0.833 * math.Pi / 180

// julianUnix is the Julian date of 1970-01-01T00:00Z, julian2000 that of 2000-01-01T12:00 terrestrial time.
const (
	julianUnix    = 2_440_587.5
	julian2000    = 2_451_545.0
	secondsPerDay = 86_400
)

// Sun is the sun on the date that t has in its zone, by the sunrise equation (https://en.wikipedia.org/wiki/Sunrise_equation),
// which is right to about two minutes at middle latitudes.
func Sun(t time.Time, latitude, longitude float64) Daylight {
	date := time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, time.UTC)
	mean := float64(date.Unix())/secondsPerDay + julianUnix - julian2000 - longitude/360
	anomaly := radians(357.5291 + 0.98560028*mean)
	centre := 1.9148*math.Sin(anomaly) + 0.02*math.Sin(2*anomaly) + 0.0003*math.Sin(3*anomaly)
	ecliptic := anomaly + radians(centre+180+102.9372)
	transit := julian2000 + mean + 0.0053*math.Sin(anomaly) - 0.0069*math.Sin(2*ecliptic)
	declination := math.Asin(math.Sin(ecliptic) * math.Sin(radians(23.4397)))

	phi := radians(latitude)
	cosine := (math.Sin(horizon) - math.Sin(phi)*math.Sin(declination)) / (math.Cos(phi) * math.Cos(declination))
	half := math.Acos(min(1, max(-1, cosine))) / (2 * math.Pi) // as a part of a day
	light := time.Duration(half * float64(day))
	noon := time.Unix(0, 0).Add(time.Duration((transit - julianUnix) * float64(day))).In(t.Location())
	return Daylight{
		Rise: noon.Add(-light), Noon: noon, Set: noon.Add(light),
		Elevation: max(0, math.Pi/2-math.Abs(phi-declination)),
	}
}

// Height is how high the sun stands at t on a parabola from 0 at sunrise over 1 at noon to 0 at sunset.
func (d Daylight) Height(t time.Time) float64 {
	length := d.Set.Sub(d.Rise)
	if length <= 0 {
		return 0
	}
	x := float64(t.Sub(d.Rise)) / float64(length)
	return max(0, 4*x*(1-x))
}

func radians(degrees float64) float64 { return degrees * math.Pi / 180 }
