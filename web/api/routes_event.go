package api

import (
	"net/http"
	"slices"

	"busbar"
)

func eventRoutes() []Route {
	return []Route{
		{
			Method: http.MethodPost, Path: "/v1/events", Group: groupEvents, Summary: "Take one event, or an array of 1 to 500",
			Scopes: []busbar.Scope{busbar.ScopeEventsWrite}, Body: EventBody{}, Batch: true, Creates: true, Answer: AcceptedEvent{}, Status: http.StatusAccepted,
			Codes:   with(bodyCodes(), busbar.CodeEventTooLarge, busbar.CodeEventIDReused, busbar.CodeConflict),
			Example: `{"type":"device.updated","deviceId":"dev_battery","data":{"state":{"level":100}}}`,
			Handle:  (*API).createEvents,
		},
		{
			Method: http.MethodGet, Path: "/v1/events", Group: groupEvents, Summary: "List events, newest first", Scopes: readOnly(),
			Query: slices.Concat([]Param{
				{"type", "A name, or the beginning of names and a star.", "push.*"},
				{"deviceId", "", "dev_battery"},
				{"siteId", "", "site_home"},
			}, period(), paging()),
			Answer: List[Event]{}, Status: http.StatusOK, Handle: (*API).listEvents,
		},
		{
			Method: http.MethodGet, Path: "/v1/events/{id}", Group: groupEvents, Summary: "One event and what came of it", Scopes: readOnly(),
			Answer: EventDetail{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).getEvent,
		},
		{
			Method: http.MethodGet, Path: "/v1/events/{id}/graph", Group: groupEvents, Summary: "What an event caused and was caused by",
			Scopes: readOnly(), Answer: Graph{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).graphEvent,
		},
	}
}
