package busbar

import (
	"fmt"
	"math"
	"strings"
)

// Unit is the unit of a quantity.
type Unit string

// The units.
const (
	Percent    Unit = "percent"
	Kilowatts  Unit = "kw"
	Watts      Unit = "watts"
	KWh        Unit = "kwh"
	Amps       Unit = "amps"
	Volts      Unit = "volts"
	Hours      Unit = "hours"
	Minutes    Unit = "minutes"
	Celsius    Unit = "celsius"
	Fahrenheit Unit = "fahrenheit"
)

// Units lists all of them.
func Units() []Unit {
	return []Unit{Percent, Kilowatts, Watts, KWh, Amps, Volts, Hours, Minutes, Celsius, Fahrenheit}
}

// ParseUnit rejects what is not a unit.
func ParseUnit(s string) (Unit, error) {
	for _, u := range Units() {
		if string(u) == s {
			return u, nil
		}
	}
	names := make([]string, 0, len(Units()))
	for _, u := range Units() {
		names = append(names, string(u))
	}
	return "", fmt.Errorf("%q is none of %s", s, strings.Join(names, ", "))
}

// Quantity is a number with its unit.
type Quantity struct {
	Value float64 `json:"value"`
	Unit  Unit    `json:"unit"`
}

// Accepts lists the units that a quantity may have where this one is declared: itself, and what is converted to it.
func (u Unit) Accepts() []Unit {
	switch u {
	case Kilowatts:
		return []Unit{Kilowatts, Watts}
	case Watts:
		return []Unit{Watts, Kilowatts}
	case Celsius:
		return []Unit{Celsius, Fahrenheit}
	case Fahrenheit:
		return []Unit{Fahrenheit, Celsius}
	case Percent, KWh, Amps, Volts, Hours, Minutes:
	}
	return []Unit{u}
}

// In gives the quantity in another unit; ok is false when the two measure different things.
func (q Quantity) In(unit Unit) (converted Quantity, ok bool) {
	v := q.Value
	switch {
	case q.Unit == unit:
		return q, true
	case q.Unit == Watts && unit == Kilowatts:
		v /= 1000
	case q.Unit == Kilowatts && unit == Watts:
		v *= 1000
	case q.Unit == Fahrenheit && unit == Celsius:
		v = (v - 32) * 5 / 9
	case q.Unit == Celsius && unit == Fahrenheit:
		v = v*9/5 + 32
	default:
		return Quantity{}, false
	}
	return Quantity{Value: trim(v), Unit: unit}, true
}

// trim drops the binary dust of a conversion: devices are told 20.556 °C, not 20.555555555555557.
func trim(v float64) float64 {
	const perUnit = 1e6
	if math.Abs(v) > math.MaxInt32 {
		return v
	}
	return math.Round(v*perUnit) / perUnit
}

// Range bounds a quantity; both ends are inclusive.
type Range struct {
	Unit Unit    `json:"unit"`
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
}

// Contains reports whether a value in the range's unit lies in it.
func (r Range) Contains(v float64) bool { return v >= r.Min && v <= r.Max }
