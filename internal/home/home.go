package home

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"busbar"
)

// Config says which home.
type Config struct {
	Place Place
	// Start is the simulated time at which it begins.
	Start time.Time
	// Seed chooses weather, habits and measuring errors.
	Seed uint64
}

// Home is a simulated house. It is for one goroutine.
type Home struct {
	place Place
	now   time.Time
	today int // day of the year in the place's zone

	weather weather
	load    load
	battery battery
	car     car
	hvac    hvac
	solar   solar
	price   float64
	last    Flow
}

// solar is the roof.
type solar struct {
	power float64 // kW
	total float64 // kWh since it was built
}

// solarPeak is the roof's power under the brightest possible sun, in kW.
const solarPeak = 8.0

// Flow is what happened in one tick. Powers are in kW, energies in kWh; all but Grid and Battery, Stored and Moved are
// at least 0.
//
//	Solar + Grid = House + HVAC + Charger + Battery
//	BatteryStored + BatteryLost = hours · Battery
//	CarStored + CarLost = hours · Charger
type Flow struct {
	Start time.Time
	Solar float64
	// Grid is + from the grid.
	Grid    float64
	House   float64
	HVAC    float64
	Charger float64
	// Battery is + into the battery.
	Battery float64

	BatteryStored, BatteryLost float64
	CarStored, CarLost         float64
	// CarDriven was used on the road.
	CarDriven float64
	// HeatMoved is what the heat pump brought into the rooms, or took away when below 0. HeatGained came from sun and use,
	// HeatLost went through the walls (below 0: came in).
	HeatMoved, HeatGained, HeatLost float64
}

// Stored is what the home holds, in kWh. Rooms is the heat above 0 °C.
type Stored struct {
	Battery, Car, Rooms float64
}

// Streams of randomness, so that what one part draws changes no other.
const (
	weatherStream = iota + 1
	loadStream
	batteryStream
	carStream
	beginStream
)

// New makes a home that has been lived in.
func New(cfg Config) (*Home, error) {
	if cfg.Place.Zone == nil || cfg.Start.IsZero() {
		return nil, errors.New("a simulated home needs a zone and a start")
	}
	if lat, lon := cfg.Place.Latitude, cfg.Place.Longitude; !(lat >= -90 && lat <= 90 && lon >= -180 && lon <= 180) { // not a number, too
		return nil, fmt.Errorf("a simulated home at latitude %v, longitude %v: no such place", lat, lon)
	}
	stream := func(n uint64) *rand.Rand {
		return rand.New(rand.NewPCG(cfg.Seed, n)) //nolint:gosec // weather is no secret, and must be the same again
	}
	begin := stream(beginStream)
	h := &Home{
		place:   cfg.Place,
		now:     cfg.Start,
		weather: weather{place: cfg.Place, rand: stream(weatherStream)},
		load:    load{rand: stream(loadStream)},
		battery: battery{
			rand: stream(batteryStream), batteryControl: autoBattery(busbar.ModeBalanced),
			energy: batteryCapacity * (0.25 + 0.2*begin.Float64()), temperature: 20,
		},
		car: car{
			rand: stream(carStream), chargerControl: chargerControl{amps: defaultAmps},
			energy: carCapacity * (0.5 + 0.2*begin.Float64()), home: true,
		},
		hvac:  hvac{hvacControl: scheduled(), temperature: 19.5 + begin.Float64()},
		solar: solar{total: 4000 + 8000*begin.Float64()},
	}
	h.Seek(cfg.Start)
	return h, nil
}

// Now is the simulated time.
func (h *Home) Now() time.Time { return h.now }

// Place is where the home stands.
func (h *Home) Place() Place { return h.place }

// Last is what happened in the last tick.
func (h *Home) Last() Flow { return h.last }

// Stored is what the home holds now.
func (h *Home) Stored() Stored {
	return Stored{Battery: h.battery.energy, Car: h.car.energy, Rooms: roomHeat * h.hvac.temperature}
}

// Seek sets the clock without simulating what lies between: weather and plans are those of the new day, what is
// stored stays.
func (h *Home) Seek(now time.Time) {
	h.now = now
	local := now.In(h.place.Zone)
	h.newDay(local)
	h.weather.outside = h.weather.usual(local) + h.weather.deviation
	h.weather.cloudUntil, h.battery.wobbleUntil = now, now
	h.load.running = nil
	h.hvac.since = now.Add(-minimumRun)
	h.car.move(now)
	h.price = price(local, h.weather.sunshineAtNoon())
}

// mostCaughtUp bounds the work of one call of Follow, after a process was suspended.
const mostCaughtUp = 2 * day

// Follow simulates all ticks until the clock's time. When the clock has gone back or far ahead, the home seeks instead.
func (h *Home) Follow(now time.Time) {
	if ahead := now.Sub(h.now); ahead < -Tick || ahead > mostCaughtUp {
		h.Seek(now)
		return
	}
	for !h.now.Add(Tick).After(now) {
		h.Step()
	}
}

// Step simulates one tick.
func (h *Home) Step() Flow {
	local := h.now.In(h.place.Zone)
	if local.YearDay() != h.today {
		h.newDay(local)
	}
	h.weather.step(h.now, local)
	f := Flow{Start: h.now}

	sunshine := h.weather.sunshine(h.now)
	f.Solar = solarPeak * sunshine
	h.solar.power = f.Solar
	h.solar.total += f.Solar * tickHours

	f.House = h.load.step(h.now, local)
	f.HVAC, f.HeatMoved, f.HeatGained, f.HeatLost = h.hvac.step(h.now, local, h.weather.outside, f.House, sunshine)
	f.CarStored, f.CarLost, f.CarDriven = h.car.step(h.now, local)
	f.Charger = h.car.power

	h.price = price(local, h.weather.sunshineAtNoon())
	// The battery stands inside: it is half as warm or cold around it as outside.
	around := (h.hvac.temperature + h.weather.outside) / 2
	f.BatteryStored, f.BatteryLost = h.battery.step(demand{
		all: f.House + f.HVAC + f.Charger - f.Solar, house: f.House + f.HVAC - f.Solar, price: h.price,
	}, around, h.now)
	f.Battery = h.battery.power

	f.Grid = f.House + f.HVAC + f.Charger + f.Battery - f.Solar
	h.last = f
	h.now = h.now.Add(Tick)
	return f
}

// newDay draws the day's weather and plans its trip.
func (h *Home) newDay(local time.Time) {
	h.today = local.YearDay()
	h.weather.newDay(local)
	h.car.newDay(time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, h.place.Zone))
}
