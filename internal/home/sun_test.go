package home_test

import (
	"testing"
	"time"

	"busbar/internal/home"
)

// The times are those of almanacs, to the minute.
func TestSunriseAndSunset(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		zone      string
		lat, lon  float64
		date      string
		rise, set string
	}{
		{"Europe/Berlin", 52.52, 13.405, "2026-06-21", "04:43", "21:33"},
		{"Europe/Berlin", 52.52, 13.405, "2026-12-21", "08:15", "15:54"},
		{"America/New_York", 40.7128, -74.006, "2026-03-20", "06:59", "19:09"},
		{"Pacific/Auckland", -36.8485, 174.7633, "2026-12-21", "05:58", "20:39"},
		{"UTC", 0, 0, "2026-03-20", "06:04", "18:11"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		at := func(clock string) time.Time {
			v, err := time.ParseInLocation("2006-01-02 15:04", c.date+" "+clock, zone)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		for _, hour := range []string{"00:00", "12:00", "23:59"} {
			d := home.Sun(at(hour), c.lat, c.lon)
			if off := d.Rise.Sub(at(c.rise)).Abs(); off > 3*time.Minute {
				t.Errorf("%s %s: the sun rises at %s, want %s", c.zone, c.date, d.Rise, c.rise)
			}
			if off := d.Set.Sub(at(c.set)).Abs(); off > 3*time.Minute {
				t.Errorf("%s %s: the sun sets at %s, want %s", c.zone, c.date, d.Set, c.set)
			}
		}
	}
}

func TestSunInTheFarNorth(t *testing.T) {
	t.Parallel()
	const lat, lon = 78.22, 15.65
	winter := home.Sun(time.Date(2026, 12, 21, 12, 0, 0, 0, time.UTC), lat, lon)
	if winter.Rise != winter.Set || winter.Height(winter.Noon) != 0 || winter.Elevation != 0 {
		t.Errorf("polar night has %+v", winter)
	}
	summer := home.Sun(time.Date(2026, 6, 21, 12, 0, 0, 0, time.UTC), lat, lon)
	if got := summer.Set.Sub(summer.Rise); got != 24*time.Hour {
		t.Errorf("polar day lasts %s", got)
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	origin := time.Date(2026, 11, 25, 20, 0, 0, 0, time.UTC)
	c := home.NewClock(origin, berlin, 60)
	begin := c.At(origin).In(berlin.Zone)
	light := home.Sun(begin, berlin.Latitude, berlin.Longitude)
	if got := light.Rise.Sub(begin); got <= 0 || got > time.Hour {
		t.Errorf("it begins %s before sunrise, want a little", got)
	}
	if begin.Weekday() != time.Monday || begin.Month() != time.May || begin.Year() != 2026 {
		t.Errorf("it begins at %s, want a Monday in May", begin)
	}
	south := home.Place{Latitude: -33.9, Longitude: 18.4, Zone: time.UTC}
	if begin := home.NewClock(origin, south, 60).At(origin); begin.Weekday() != time.Monday || begin.Month() != time.November {
		t.Errorf("in the south it begins at %s, want a Monday in November", begin)
	}
	later := origin.Add(time.Hour)
	if got := home.NewClock(origin, berlin, 1).At(later); !got.Equal(later) {
		t.Errorf("a clock at speed 1 shows %s at %s", got, later)
	}
	if got := c.At(origin.Add(-time.Hour)); got != c.At(origin) {
		t.Errorf("before the origin it shows %s", got)
	}
	if got := c.At(origin.Add(90 * time.Second)).Sub(c.At(origin)); got != 90*time.Minute {
		t.Errorf("90 seconds are %s", got)
	}
	// A month at a day a second is longer than a time.Duration can be.
	fast := home.NewClock(origin, berlin, 86_400)
	before := fast.At(origin)
	for n := range 200_000 {
		now := fast.At(origin.Add(time.Duration(n) * 13 * time.Second))
		if n > 0 && n%700 != 0 && now.Before(before) && now.Year() != 2026 {
			t.Fatalf("after %d steps it went from %s to %s", n, before, now)
		}
		if now.Year() < 2026 || now.Year() > 2026+28 {
			t.Fatalf("it shows %s", now)
		}
		before = now
	}
	same := fast.At(origin.Add(10_227 * time.Second))
	if same != fast.At(origin) || same.Weekday() != c.Start.Weekday() {
		t.Errorf("after 28 years it shows %s", same)
	}
}
