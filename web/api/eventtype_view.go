package api

import (
	"encoding/json"

	"busbar"
)

// EventType is an event type as clients see it.
type EventType struct {
	ID          string          `json:"id" doc:"The name." example:"battery.full"`
	Name        string          `json:"name" example:"battery.full"`
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema" doc:"The JSON Schema of the data."`
	Example     json.RawMessage `json:"example,omitempty" doc:"Data that fits."`
	BuiltIn     bool            `json:"builtIn"`
	CreatedAt   Time            `json:"createdAt,omitzero"`
}

func viewEventType(t *busbar.EventType) EventType {
	return EventType{
		ID: t.Name, Name: t.Name, Description: t.Description, Schema: t.Schema, Example: t.Example,
		BuiltIn: t.BuiltIn, CreatedAt: Time(t.CreatedAt),
	}
}
