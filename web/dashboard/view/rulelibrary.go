package view

import (
	"strings"

	"busbar"
	"busbar/rules"
)

// LibraryCard is a rule of the library.
type LibraryCard struct {
	Slug string
	Rule *rules.Rule
}

// when says at which events the rule is asked.
func (c LibraryCard) when() string { return whenText(c.Rule) }

// whenText says at which events a rule is asked.
func whenText(r *rules.Rule) string {
	text := strings.Join(r.On, " or ")
	if r.DeviceType != "" {
		text += " of " + aDevice(r.DeviceType)
	}
	return text
}

// aDevice is a device of a family in a sentence.
func aDevice(f busbar.Family) string {
	switch f {
	case busbar.EVCharger:
		return "an EV charger"
	case busbar.HVAC:
		return "heating or cooling"
	case busbar.SolarInverter:
		return "a solar inverter"
	case busbar.Battery, busbar.Vehicle, busbar.Meter:
	}
	return "a " + string(f)
}

// then says what each step does.
func (c LibraryCard) then() []string { return stepTexts(c.Rule.Then) }

// stepTexts says what each step does.
func stepTexts(steps []rules.Step) []string {
	texts := make([]string, len(steps))
	for i := range steps {
		if e := steps[i].Emit; e != nil {
			texts[i] = "make the event " + e.Type
			continue
		}
		texts[i] = "send " + steps[i].Push.Command + " to " + steps[i].Push.Device
	}
	return texts
}
