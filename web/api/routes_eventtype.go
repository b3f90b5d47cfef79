package api

import (
	"net/http"

	"busbar"
)

func eventTypeRoutes() []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/v1/event-types", Group: groupTypes, Summary: "List event types: custom ones, newest first, then built-in ones",
			Scopes: []busbar.Scope{busbar.ScopeRead, busbar.ScopeEventsWrite, busbar.ScopeEndpoints}, Query: paging(), Answer: List[EventType]{}, Status: http.StatusOK, Handle: (*API).listEventTypes,
		},
		{
			Method: http.MethodPost, Path: "/v1/event-types", Group: groupTypes, Summary: "Register an event type; it never changes afterwards",
			Scopes: []busbar.Scope{busbar.ScopeEventsWrite}, Body: EventTypeBody{}, Creates: true, Answer: EventType{}, Status: http.StatusCreated,
			Codes:   with(bodyCodes(), busbar.CodeConflict),
			Example: `{"name":"battery.full","schema":{"type":"object","required":["level"],"properties":{"level":{"type":"number"}}},"example":{"level":100}}`,
			Handle:  once((*API).createEventType),
		},
		{
			Method: http.MethodGet, Path: "/v1/event-types/{name}", Group: groupTypes, Summary: "One event type", Scopes: []busbar.Scope{busbar.ScopeRead, busbar.ScopeEventsWrite, busbar.ScopeEndpoints},
			Answer: EventType{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).getEventType,
		},
	}
}
