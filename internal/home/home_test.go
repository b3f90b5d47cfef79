package home_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"busbar"
	"busbar/internal/home"
)

var berlin = func() home.Place {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return home.Place{Latitude: 52.52, Longitude: 13.405, Zone: zone}
}()

func newHome(t *testing.T, seed uint64, start time.Time) *home.Home {
	t.Helper()
	h, err := home.New(home.Config{Place: berlin, Start: start, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

const hours = float64(home.Tick) / float64(time.Hour)

// The laws of a home, checked at every tick of a year with commands at random.
func TestEnergyIsConservedAtEveryTickOfAYear(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			start := time.Date(2026, 1, 1, 0, 0, 0, 0, berlin.Zone)
			h := newHome(t, seed, start)
			user := rand.New(rand.NewPCG(seed, 99))
			var sum totals
			var sun home.Daylight
			before := h.Stored()
			for h.Now().Before(start.AddDate(1, 0, 0)) {
				if user.IntN(700) == 0 { // every five hours or so
					command(t, h, user)
				}
				f := h.Step()
				after := h.Stored()
				if local := f.Start.In(berlin.Zone); sun.Noon.IsZero() || local.YearDay() != sun.Noon.YearDay() {
					sun = home.Sun(local, berlin.Latitude, berlin.Longitude)
				}
				if problem := broken(f, sun, before, after); problem != "" {
					t.Fatalf("%s: %s\n%+v\nbefore %+v\nafter  %+v", f.Start, problem, f, before, after)
				}
				if problem := sum.add(f); problem != "" {
					t.Fatalf("%s: %s", f.Start, problem)
				}
				before = after
			}
			sum.check(t)
		})
	}
}

// broken names the law that a tick breaks.
func broken(f home.Flow, sun home.Daylight, before, after home.Stored) string {
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }
	within := func(x, lo, hi float64) bool { return x >= lo-1e-9 && x <= hi+1e-9 }
	dark := f.Start.Before(sun.Rise) || f.Start.After(sun.Set)
	switch {
	case !near(f.Solar+f.Grid, f.House+f.HVAC+f.Charger+f.Battery):
		return "what comes in is not what goes out"
	case !near(f.Battery*hours, f.BatteryStored+f.BatteryLost):
		return "power of the battery vanishes"
	case !near(after.Battery-before.Battery, f.BatteryStored):
		return "the battery holds other than it was given"
	case f.Battery > 0 && !near(f.BatteryStored, home.Efficiency*f.Battery*hours):
		return "the battery charges with another efficiency"
	case !near(f.Charger*hours, f.CarStored+f.CarLost):
		return "power of the charger vanishes"
	case !near(after.Car-before.Car, f.CarStored-f.CarDriven):
		return "the car holds other than it was given"
	case f.Charger > 0 && f.CarDriven > 0:
		return "the car drives while it charges"
	case !near(after.Rooms-before.Rooms, f.HeatMoved+f.HeatGained-f.HeatLost):
		return "heat vanishes"
	case f.HVAC > 0 && !within(math.Abs(f.HeatMoved)/(f.HVAC*hours), 1.8, 5.5):
		return "the heat pump is no heat pump"
	case f.HVAC == 0 && f.HeatMoved != 0:
		return "heat moves by itself"
	case !within(after.Battery, 0, 10.4) || !within(after.Car, 0, 75):
		return "more is stored than fits, or less than nothing"
	case !within(f.Battery, -5, 5) || !within(f.Charger, 0, 11) || !within(f.Solar, 0, 8) || f.House <= 0:
		return "a power is out of its bounds"
	case f.BatteryLost < 0 || f.CarLost < 0 || f.CarDriven < 0 || f.HVAC < 0:
		return "a loss gives"
	case dark && f.Solar != 0:
		return "the sun shines at night"
	}
	return ""
}

// totals is what comes together in a year.
type totals struct {
	solar, house, driven float64
	running              bool
	since                time.Time
}

func (s *totals) add(f home.Flow) string {
	s.solar += f.Solar * hours
	s.house += f.House * hours
	s.driven += f.CarDriven
	if running := f.HVAC > 0; running != s.running {
		if !s.since.IsZero() && f.Start.Sub(s.since) < 10*time.Minute {
			return fmt.Sprintf("the heat pump has changed after %s", f.Start.Sub(s.since))
		}
		s.running, s.since = running, f.Start
	}
	return ""
}

func (s *totals) check(t *testing.T) {
	t.Helper()
	for _, c := range []struct {
		what        string
		got, lo, hi float64
	}{
		{"solar kWh of an 8 kW roof", s.solar, 5500, 10_000},
		{"kWh that people use", s.house, 2500, 6000},
		{"kWh that the car drives", s.driven, 500, 5000},
	} {
		if !(c.got >= c.lo && c.got <= c.hi) {
			t.Errorf("%s in a year: %.0f, want %.0f to %.0f", c.what, c.got, c.lo, c.hi)
		}
	}
}

// command has a device do something that it must be able to do.
func command(t *testing.T, h *home.Home, r *rand.Rand) {
	t.Helper()
	quantity := func(lo, hi float64, unit busbar.Unit) busbar.Quantity {
		return busbar.Quantity{Value: lo + (hi-lo)*r.Float64(), Unit: unit}
	}
	all := []struct {
		family busbar.Family
		busbar.Instruction
	}{
		{busbar.Battery, busbar.Instruction{Command: "charge", Parameters: map[string]busbar.Quantity{"target": quantity(10, 100, "percent"), "power": quantity(0, 5, "kw")}}},
		{busbar.Battery, busbar.Instruction{Command: "discharge", Parameters: map[string]busbar.Quantity{"target": quantity(10, 100, "percent"), "reserve": quantity(0, 100, "percent")}}},
		{busbar.Battery, busbar.Instruction{Command: "idle"}},
		{busbar.Battery, busbar.Instruction{Command: "auto.balanced"}},
		{busbar.Battery, busbar.Instruction{Command: "auto.reserve"}},
		{busbar.Battery, busbar.Instruction{Command: "auto.export"}},
		{busbar.EVCharger, busbar.Instruction{Command: "charge", Parameters: map[string]busbar.Quantity{"current": quantity(6, 32, "amps")}}},
		{busbar.EVCharger, busbar.Instruction{Command: "idle"}},
		{busbar.HVAC, busbar.Instruction{Command: "heat", Parameters: map[string]busbar.Quantity{"target": quantity(50, 95, "fahrenheit")}}},
		{busbar.HVAC, busbar.Instruction{Command: "cool", Parameters: map[string]busbar.Quantity{"target": quantity(10, 35, "celsius")}}},
		{busbar.HVAC, busbar.Instruction{Command: "auto", Parameters: map[string]busbar.Quantity{"heatSetpoint": quantity(10, 20, "celsius"), "coolSetpoint": quantity(21, 35, "celsius")}}},
		{busbar.HVAC, busbar.Instruction{Command: "idle"}},
		{busbar.HVAC, busbar.Instruction{Command: "follow_schedule"}},
	}
	c := all[r.IntN(len(all))]
	if err := h.Do(c.family, c.Instruction); err != nil {
		t.Fatalf("%s %+v: %v", c.family, c.Instruction, err)
	}
}

// The same seed and commands give the same home, and commands change no weather.
func TestSeedDecides(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 6, 1, 0, 0, 0, 0, berlin.Zone)
	one, same, told, other := newHome(t, 7, start), newHome(t, 7, start), newHome(t, 7, start), newHome(t, 8, start)
	if err := told.Do(busbar.Battery, busbar.Instruction{Command: "idle"}); err != nil {
		t.Fatal(err)
	}
	differs := false
	for range 3 * 2880 {
		a, b, c, d := one.Step(), same.Step(), told.Step(), other.Step()
		if a != b {
			t.Fatalf("two homes of one seed:\n%+v\n%+v", a, b)
		}
		if a.Solar != c.Solar || a.House != c.House {
			t.Fatalf("a command has changed the weather or the people:\n%+v\n%+v", a, c)
		}
		differs = differs || a.Solar != d.Solar
	}
	if !differs {
		t.Error("another seed gives the same sun")
	}
}

// A usual week: the car goes and comes back, the battery fills by day and empties by night, and people are warm.
func TestAUsualWeekInMay(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 5, 4, 0, 0, 0, 0, berlin.Zone) // a Monday
	h := newHome(t, 1, start)
	var left, back, cloudless, clouds int
	highest, lowest, coldest, warmest := 0.0, 100.0, 100.0, -100.0
	away, was := false, 0.0
	for h.Now().Before(start.AddDate(0, 0, 7)) {
		f := h.Step()
		if at := h.State(busbar.Vehicle)["atHome"].(bool); at == away {
			if away = !at; away {
				left++
			} else {
				back++
			}
		}
		level := h.State(busbar.Battery)["level"].(float64)
		highest, lowest = max(highest, level), min(lowest, level)
		temperature := h.State(busbar.HVAC)["temperature"].(float64)
		coldest, warmest = min(coldest, temperature), max(warmest, temperature)
		switch {
		case was > 1 && f.Solar < 0.7*was:
			clouds++
		case f.Solar > 1:
			cloudless++
		}
		was = f.Solar
	}
	if left < 5 || left > 7 || back != left {
		t.Errorf("the car left %d times and came back %d times", left, back)
	}
	if highest < 99 || lowest > 20 || lowest < 10-1e-9 {
		t.Errorf("the battery went from %.1f to %.1f percent", lowest, highest)
	}
	if coldest < 17.5 || warmest > 27.5 {
		t.Errorf("the rooms had %.1f to %.1f degrees", coldest, warmest)
	}
	if clouds < 20 || cloudless < 10*clouds {
		t.Errorf("%d clouds came in a week, %d ticks were sunny", clouds, cloudless)
	}
}

func TestBatteryTapersAndWaversWhenFull(t *testing.T) {
	t.Parallel()
	h := newHome(t, 1, time.Date(2026, 1, 5, 20, 0, 0, 0, berlin.Zone))
	if err := h.Do(busbar.Battery, busbar.Instruction{Command: "charge"}); err != nil {
		t.Fatal(err)
	}
	last, seen := 5.0, map[float64]bool{}
	for range 8 * 120 {
		f := h.Step()
		if level := 100 * h.Stored().Battery / 10.4; level <= 94.9 && f.Battery != 5 {
			t.Fatalf("at %.1f percent it takes %v kW, want 5", level, f.Battery)
		}
		if f.Battery > last {
			t.Fatalf("it takes %v kW after %v", f.Battery, last)
		}
		last = f.Battery
		if s := h.State(busbar.Battery); h.Stored().Battery > 10.39 {
			seen[s["level"].(float64)] = true
			if v := s["level"].(float64); v < 99 || v > 100 {
				t.Fatalf("a full battery shows %v", v)
			}
		}
	}
	if last != 0 || len(seen) < 10 {
		t.Errorf("in the end it takes %v kW and has shown %d levels", last, len(seen))
	}
	if s := h.State(busbar.Battery); s["status"] != "idle" || s["currentMode"] != "charge" {
		t.Errorf("a charge whose target is met reads %v", s)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, cfg := range map[string]home.Config{
		"no zone":     {Start: start},
		"no start":    {Place: berlin},
		"no place":    {Place: home.Place{Latitude: 91, Zone: time.UTC}, Start: start},
		"not a place": {Place: home.Place{Longitude: math.NaN(), Zone: time.UTC}, Start: start},
	} {
		if _, err := home.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
