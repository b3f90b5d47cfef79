package view

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"busbar"
	"busbar/web/api"
)

// sign is a unit as people write it behind a number.
func sign(u busbar.Unit) string {
	switch u {
	case busbar.Percent:
		return "%"
	case busbar.Kilowatts:
		return "kW"
	case busbar.Watts:
		return "W"
	case busbar.KWh:
		return "kWh"
	case busbar.Amps:
		return "A"
	case busbar.Volts:
		return "V"
	case busbar.Hours:
		return "h"
	case busbar.Minutes:
		return "min"
	case busbar.Celsius:
		return "°C"
	case busbar.Fahrenheit:
		return "°F"
	}
	return string(u)
}

// withSign puts a unit behind a number as it was typed.
func withSign(number string, u busbar.Unit) string { return number + "\u202f" + sign(u) }

// number is written as short as it can be told from others.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// news is what a device reported in a line, as level 75 %; empty for what is not a reading of a known kind.
func news(e *api.Event) string {
	if e.Type != busbar.TypeDeviceUpdated || len(e.Data) > previewed {
		return ""
	}
	var data struct {
		DeviceType busbar.Family  `json:"deviceType"`
		Changed    []string       `json:"changed"`
		State      map[string]any `json:"state"`
	}
	if json.Unmarshal(e.Data, &data) != nil || !slices.Contains(busbar.Families(), data.DeviceType) {
		return ""
	}
	var parts []string
	for _, name := range data.Changed {
		v, there := data.State[name]
		if field, known := data.DeviceType.Spec().Field(name); known && there {
			parts = append(parts, strings.ToLower(words(name))+" "+reading(field, v))
		}
	}
	return strings.Join(parts, ", ")
}
