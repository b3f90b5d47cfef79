package api

import (
	"busbar/web/strictjson"
)

// DeviceBody creates or changes a device. In a change, what is absent stays and null goes back to the default.
type DeviceBody struct {
	ID         strictjson.Optional[string]                                       `json:"id" doc:"Chosen by the caller, only at creation; [A-Za-z0-9_-]{1,64}." example:"dev_battery"`
	Type       strictjson.Optional[string]                                       `json:"type" doc:"The family; required at creation, and never changed." enum:"battery,ev_charger,hvac,solar_inverter,vehicle,meter"`
	SiteID     strictjson.Optional[string]                                       `json:"siteId" doc:"Required at creation." example:"site_home"`
	Name       strictjson.Optional[string]                                       `json:"name"`
	Vendor     strictjson.Optional[string]                                       `json:"vendor"`
	Model      strictjson.Optional[string]                                       `json:"model"`
	UserID     strictjson.Optional[string]                                       `json:"userId" doc:"Whose it is, in your own words; lists can be narrowed to it."`
	StaleAfter strictjson.Optional[string]                                       `json:"staleAfter" doc:"How long it may be silent before what it said is not believed; a Go duration, default 15m." example:"15m"`
	Driver     strictjson.Optional[DriverBody]                                   `json:"driver" doc:"How commands reach it; required at creation."`
	Commands   strictjson.Optional[map[string]CapabilityBody]                    `json:"commands" doc:"What it can do: a part of its family's commands. All of them when absent."`
	Settings   strictjson.Optional[map[string]strictjson.Optional[QuantityBody]] `json:"settings" doc:"In a change, absent names stay and null removes one."`
}

// DriverBody says how commands reach a device. In a change, what is absent stays as long as the kind does.
type DriverBody struct {
	Kind     strictjson.Optional[string] `json:"kind" enum:"simulator,http,amps,manual"`
	URL      strictjson.Optional[string] `json:"url" doc:"Of http and amps: where commands are posted to, and the base of the API." example:"https://gateway.example/commands"`
	Secret   strictjson.Optional[string] `json:"secret" doc:"Of http, write-only: whsec_ and base64 of 18 to 75 bytes. One is made, and shown once, when absent; null makes another."`
	APIKey   strictjson.Optional[string] `json:"apiKey" doc:"Of amps, write-only."`
	DeviceID strictjson.Optional[string] `json:"deviceId" doc:"Of amps: what that API calls the device."`
}

// CapabilityBody is what a device understands of a command. A parameter that is not there is not supported.
type CapabilityBody struct {
	Parameters strictjson.Optional[map[string]RangeBody] `json:"parameters"`
	Execution  strictjson.Optional[[]string]             `json:"execution" doc:"immediate, scheduled, windowed" required:"true"`
}

// RangeBody bounds a quantity; both ends are inclusive.
type RangeBody struct {
	Unit strictjson.Optional[string]  `json:"unit" required:"true" example:"kw"`
	Min  strictjson.Optional[float64] `json:"min" required:"true"`
	Max  strictjson.Optional[float64] `json:"max" required:"true"`
}

// QuantityBody is a number with its unit.
type QuantityBody struct {
	Value strictjson.Optional[float64] `json:"value" required:"true"`
	Unit  strictjson.Optional[string]  `json:"unit" doc:"percent, kw, watts, kwh, amps, volts, hours, minutes, celsius, fahrenheit" required:"true" example:"kw"`
}
