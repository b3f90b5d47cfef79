package api

import (
	"net/http"

	"busbar"
)

// Groups of routes.
const (
	groupEvents     = "Events"
	groupTypes      = "Event types"
	groupEndpoints  = "Endpoints"
	groupDeliveries = "Deliveries"
	groupKeys       = "API keys"
	groupMeta       = "Description"
)

// Routes lists every route of the API: the server serves exactly these, and the API's description describes them.
func Routes() []Route {
	var (
		writeEvents = []busbar.Scope{busbar.ScopeEventsWrite}
		read        = []busbar.Scope{busbar.ScopeRead}
		readTypes   = []busbar.Scope{busbar.ScopeRead, busbar.ScopeEventsWrite, busbar.ScopeEndpoints}
		readHooks   = []busbar.Scope{busbar.ScopeRead, busbar.ScopeEndpoints}
		writeHooks  = []busbar.Scope{busbar.ScopeEndpoints}
		everything  = []busbar.Scope{busbar.ScopeAll}

		notFound = []busbar.Code{busbar.CodeNotFound}
		// bad is what a body may be.
		bad = []busbar.Code{busbar.CodeInvalidJSON, busbar.CodeUnknownField, busbar.CodePayloadTooLarge}

		paging = []Param{
			{"limit", "1 to 200, default 50.", "50"},
			{"cursor", "nextCursor of the page before.", ""},
		}
		period = []Param{
			{"since", "RFC 3339, inclusive.", "2026-06-01T00:00:00Z"},
			{"until", "RFC 3339, exclusive.", "2026-06-02T00:00:00Z"},
		}
	)
	return []Route{
		{
			Method: http.MethodPost, Path: "/v1/events", Group: groupEvents, Summary: "Take one event, or an array of 1 to 500",
			Scopes: writeEvents, Body: EventBody{}, Batch: true, Creates: true, Answer: AcceptedEvent{}, Status: http.StatusAccepted,
			Codes:   with(bad, busbar.CodeEventTooLarge, busbar.CodeEventIDReused, busbar.CodeConflict),
			Example: `{"type":"device.updated","deviceId":"dev_battery","data":{"state":{"level":100}}}`,
			Handle:  (*API).createEvents,
		},
		{
			Method: http.MethodGet, Path: "/v1/events", Group: groupEvents, Summary: "List events, newest first", Scopes: read,
			Query: append(append([]Param{
				{"type", "A name, or the beginning of names and a star.", "push.*"},
				{"deviceId", "", "dev_battery"},
				{"siteId", "", "site_home"},
			}, period...), paging...),
			Answer: List[Event]{}, Status: http.StatusOK, Handle: (*API).listEvents,
		},
		{
			Method: http.MethodGet, Path: "/v1/events/{id}", Group: groupEvents, Summary: "One event and what came of it", Scopes: read,
			Answer: EventDetail{}, Status: http.StatusOK, Codes: notFound, Handle: (*API).getEvent,
		},
		{
			Method: http.MethodGet, Path: "/v1/events/{id}/graph", Group: groupEvents, Summary: "What an event caused and was caused by",
			Scopes: read, Answer: Graph{}, Status: http.StatusOK, Codes: notFound, Handle: (*API).graphEvent,
		},
		{
			Method: http.MethodGet, Path: "/v1/event-types", Group: groupTypes, Summary: "List event types: custom ones, newest first, then built-in ones",
			Scopes: readTypes, Query: paging, Answer: List[EventType]{}, Status: http.StatusOK, Handle: (*API).listEventTypes,
		},
		{
			Method: http.MethodPost, Path: "/v1/event-types", Group: groupTypes, Summary: "Register an event type; it never changes afterwards",
			Scopes: writeEvents, Body: EventTypeBody{}, Creates: true, Answer: EventType{}, Status: http.StatusCreated,
			Codes:   with(bad, busbar.CodeConflict),
			Example: `{"name":"battery.full","schema":{"type":"object","required":["level"],"properties":{"level":{"type":"number"}}},"example":{"level":100}}`,
			Handle:  (*API).createEventType,
		},
		{
			Method: http.MethodGet, Path: "/v1/event-types/{name}", Group: groupTypes, Summary: "One event type", Scopes: readTypes,
			Answer: EventType{}, Status: http.StatusOK, Codes: notFound, Handle: (*API).getEventType,
		},
		{
			Method: http.MethodPost, Path: "/v1/endpoints", Group: groupEndpoints, Summary: "Create an endpoint; only this answer carries its secret",
			Scopes: writeHooks, Body: EndpointBody{}, Creates: true, Answer: CreatedEndpoint{}, Status: http.StatusCreated,
			Codes:   with(bad, busbar.CodeEndpointURLForbidden, busbar.CodeConflict),
			Example: `{"url":"https://example.com/hook","eventTypes":["device.*"]}`,
			Handle:  (*API).createEndpoint,
		},
		{
			Method: http.MethodGet, Path: "/v1/endpoints", Group: groupEndpoints, Summary: "List endpoints, newest first", Scopes: readHooks,
			Query: paging, Answer: List[Endpoint]{}, Status: http.StatusOK, Handle: (*API).listEndpoints,
		},
		{
			Method: http.MethodGet, Path: "/v1/endpoints/{id}", Group: groupEndpoints, Summary: "One endpoint", Scopes: readHooks,
			Answer: Endpoint{}, Status: http.StatusOK, Codes: notFound, Handle: (*API).getEndpoint,
		},
		{
			Method: http.MethodPatch, Path: "/v1/endpoints/{id}", Group: groupEndpoints, Summary: "Change an endpoint; absent fields stay, null goes back to the default",
			Scopes: writeHooks, Body: EndpointBody{}, Answer: Endpoint{}, Status: http.StatusOK,
			Codes:   with(bad, busbar.CodeNotFound, busbar.CodeEndpointURLForbidden),
			Example: `{"description":"the one in the cellar","maxInFlight":4}`,
			Handle:  (*API).updateEndpoint,
		},
		{
			Method: http.MethodDelete, Path: "/v1/endpoints/{id}", Group: groupEndpoints, Summary: "Delete an endpoint and cancel its open deliveries",
			Scopes: writeHooks, Answer: Deleted{}, Status: http.StatusOK, Codes: notFound, Handle: (*API).deleteEndpoint,
		},
		{
			Method: http.MethodGet, Path: "/v1/endpoints/{id}/secret", Group: groupEndpoints, Summary: "The keys that sign for an endpoint",
			Scopes: writeHooks, Answer: Secrets{}, Status: http.StatusOK, Codes: notFound, Handle: (*API).getSecret,
		},
		{
			Method: http.MethodPost, Path: "/v1/endpoints/{id}/secret/rotate", Group: groupEndpoints, Summary: "New keys; those of now go on signing until the overlap ends",
			Scopes: writeHooks, Body: RotateBody{}, EmptyBody: true, Creates: true, Answer: Secrets{}, Status: http.StatusOK,
			Codes: with(bad, busbar.CodeNotFound, busbar.CodeConflict), Example: `{"overlap":"24h"}`, Handle: (*API).rotateSecret,
		},
		{
			Method: http.MethodPost, Path: "/v1/endpoints/{id}/test", Group: groupEndpoints, Summary: "Send an example through the real path and answer with the attempt",
			Scopes: writeHooks, Body: TestBody{}, EmptyBody: true, Creates: true, Answer: TestResult{}, Status: http.StatusOK,
			Codes: with(bad, busbar.CodeNotFound, busbar.CodeConflict), Example: `{"type":"device.updated"}`, Handle: (*API).testEndpoint,
		},
		{
			Method: http.MethodPost, Path: "/v1/endpoints/{id}/enable", Group: groupEndpoints, Summary: "Enable an endpoint",
			Scopes: writeHooks, Body: Nothing{}, EmptyBody: true, Answer: Endpoint{}, Status: http.StatusOK,
			Codes: with(bad, busbar.CodeNotFound), Handle: (*API).enableEndpoint,
		},
		{
			Method: http.MethodPost, Path: "/v1/endpoints/{id}/disable", Group: groupEndpoints, Summary: "Disable an endpoint; its deliveries are kept",
			Scopes: writeHooks, Body: Nothing{}, EmptyBody: true, Answer: Endpoint{}, Status: http.StatusOK,
			Codes: with(bad, busbar.CodeNotFound), Handle: (*API).disableEndpoint,
		},
		{
			Method: http.MethodGet, Path: "/v1/deliveries", Group: groupDeliveries, Summary: "List deliveries, newest first", Scopes: readHooks,
			Query: append(append([]Param{
				{"endpointId", "", "ep_01980f3ae2b57c3f8d1c5b0a9e7f6d21"},
				{"eventId", "", "evt_01980f3ae2b57c3f8d1c5b0a9e7f6d21"},
				{"status", "pending, delivered, failed, parked or cancelled.", "failed"},
				{"type", "Of the event: a name, or the beginning of names and a star.", "push.*"},
			}, period...), paging...),
			Answer: List[Delivery]{}, Status: http.StatusOK, Handle: (*API).listDeliveries,
		},
		{
			Method: http.MethodGet, Path: "/v1/deliveries/{id}", Group: groupDeliveries, Summary: "One delivery with its attempts", Scopes: readHooks,
			Answer: DeliveryDetail{}, Status: http.StatusOK, Codes: notFound, Handle: (*API).getDelivery,
		},
		{
			Method: http.MethodPost, Path: "/v1/deliveries/{id}/retry", Group: groupDeliveries, Summary: "Send it now; if that fails, the schedule goes on where it was",
			Scopes: writeHooks, Body: Nothing{}, EmptyBody: true, Answer: Delivery{}, Status: http.StatusAccepted,
			Codes: with(bad, busbar.CodeNotFound, busbar.CodeConflict), Handle: (*API).retryDelivery,
		},
		{
			Method: http.MethodPost, Path: "/v1/deliveries/{id}/cancel", Group: groupDeliveries, Summary: "Do not send it any more",
			Scopes: writeHooks, Body: Nothing{}, EmptyBody: true, Answer: Delivery{}, Status: http.StatusOK,
			Codes: with(bad, busbar.CodeNotFound, busbar.CodeConflict), Handle: (*API).cancelDelivery,
		},
		{
			Method: http.MethodPost, Path: "/v1/api-keys", Group: groupKeys, Summary: "Make an API key; only this answer carries it",
			Scopes: everything, Body: APIKeyBody{}, Creates: true, Answer: CreatedAPIKey{}, Status: http.StatusCreated, Codes: bad,
			Example: `{"name":"gateway in the cellar","scopes":["events:write"]}`, Handle: (*API).createAPIKey,
		},
		{
			Method: http.MethodGet, Path: "/v1/api-keys", Group: groupKeys, Summary: "List API keys, newest first", Scopes: everything,
			Query: paging, Answer: List[APIKey]{}, Status: http.StatusOK, Handle: (*API).listAPIKeys,
		},
		{
			Method: http.MethodGet, Path: "/v1/api-keys/{id}", Group: groupKeys, Summary: "One API key", Scopes: everything,
			Answer: APIKey{}, Status: http.StatusOK, Codes: notFound, Handle: (*API).getAPIKey,
		},
		{
			Method: http.MethodDelete, Path: "/v1/api-keys/{id}", Group: groupKeys, Summary: "Revoke an API key at once; it stays in the list",
			Scopes: everything, Answer: APIKey{}, Status: http.StatusOK, Codes: notFound, Handle: (*API).revokeAPIKey,
		},
		{
			Method: http.MethodGet, Path: "/v1/openapi.json", Group: groupMeta, Summary: "This description, OpenAPI 3.1",
			Public: true, Status: http.StatusOK,
		},
	}
}

func with(codes []busbar.Code, more ...busbar.Code) []busbar.Code {
	return append(append([]busbar.Code(nil), codes...), more...)
}

// CommonCodes are the errors that every route with a key may answer with.
func CommonCodes() []busbar.Code {
	return []busbar.Code{
		busbar.CodeUnauthorized, busbar.CodeInvalidAPIKey, busbar.CodeInsufficientPermission, busbar.CodeValidationFailed,
		busbar.CodeRateLimitExceeded, busbar.CodeInternal, busbar.CodeUnavailable,
	}
}
