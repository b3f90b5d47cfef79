package busbar_test

import (
	"math"
	"slices"
	"testing"
	"testing/quick"

	"busbar"
)

func TestQuantitiesConvert(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		from busbar.Quantity
		to   busbar.Unit
		want float64
	}{
		{busbar.Quantity{Value: 5000, Unit: busbar.Watts}, busbar.Kilowatts, 5},
		{busbar.Quantity{Value: 0.1, Unit: busbar.Kilowatts}, busbar.Watts, 100},
		{busbar.Quantity{Value: 69, Unit: busbar.Fahrenheit}, busbar.Celsius, 20.555556},
		{busbar.Quantity{Value: 50, Unit: busbar.Fahrenheit}, busbar.Celsius, 10},
		{busbar.Quantity{Value: -40, Unit: busbar.Celsius}, busbar.Fahrenheit, -40},
		{busbar.Quantity{Value: 21.5, Unit: busbar.Celsius}, busbar.Celsius, 21.5},
	} {
		got, ok := tc.from.In(tc.to)
		if !ok || got.Value != tc.want || got.Unit != tc.to {
			t.Errorf("%v in %s: %v, %v; want %v", tc.from, tc.to, got, ok, tc.want)
		}
	}
}

// A quantity converts exactly to the units that its own accepts, and there and back it stays what it is.
func TestConversionsAreThereAndBack(t *testing.T) {
	t.Parallel()
	for _, from := range busbar.Units() {
		for _, to := range busbar.Units() {
			accepted := slices.Contains(from.Accepts(), to)
			if slices.Contains(to.Accepts(), from) != accepted {
				t.Errorf("%s accepts %s: %v; the other way it is not so", from, to, accepted)
			}
			property := func(v float64) bool {
				v = math.Mod(v, 1e6)
				there, ok := busbar.Quantity{Value: v, Unit: from}.In(to)
				if !ok {
					return !accepted && there == busbar.Quantity{}
				}
				back, ok := there.In(from)
				return accepted && ok && there.Unit == to && math.Abs(back.Value-v) <= 2e-3
			}
			if err := quick.Check(property, nil); err != nil {
				t.Errorf("%s to %s: %v", from, to, err)
			}
		}
	}
}

// What is more stays more, whatever the unit.
func TestConversionsKeepOrder(t *testing.T) {
	t.Parallel()
	property := func(a, b float64) bool {
		a, b = math.Mod(a, 1e6), math.Mod(b, 1e6)
		if a > b {
			a, b = b, a
		}
		for _, from := range busbar.Units() {
			for _, to := range from.Accepts() {
				less, _ := busbar.Quantity{Value: a, Unit: from}.In(to)
				more, _ := busbar.Quantity{Value: b, Unit: from}.In(to)
				if less.Value > more.Value {
					return false
				}
			}
		}
		return true
	}
	if err := quick.Check(property, nil); err != nil {
		t.Error(err)
	}
}

func TestUnitsAreAClosedSet(t *testing.T) {
	t.Parallel()
	for _, u := range busbar.Units() {
		if got, err := busbar.ParseUnit(string(u)); err != nil || got != u {
			t.Errorf("%s: %v, %v", u, got, err)
		}
	}
	for _, text := range []string{"", "kW", "KW", "degrees", "percent "} {
		if got, err := busbar.ParseUnit(text); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}
