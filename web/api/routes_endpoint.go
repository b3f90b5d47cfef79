package api

import (
	"net/http"

	"busbar"
)

func endpointRoutes() []Route {
	return []Route{
		{
			Method: http.MethodPost, Path: "/v1/endpoints", Group: groupEndpoints, Summary: "Create an endpoint; only this answer carries its secret",
			Scopes: writeEndpoints(), Body: EndpointBody{}, Creates: true, Answer: CreatedEndpoint{}, Status: http.StatusCreated,
			Codes:   with(bodyCodes(), busbar.CodeEndpointURLForbidden, busbar.CodeConflict),
			Example: `{"url":"https://example.com/hook","eventTypes":["device.*"]}`,
			Handle:  once((*API).createEndpoint),
		},
		{
			Method: http.MethodGet, Path: "/v1/endpoints", Group: groupEndpoints, Summary: "List endpoints, newest first", Scopes: readEndpoints(),
			Query: paging(), Answer: List[Endpoint]{}, Status: http.StatusOK, Handle: (*API).listEndpoints,
		},
		{
			Method: http.MethodGet, Path: "/v1/endpoints/{id}", Group: groupEndpoints, Summary: "One endpoint", Scopes: readEndpoints(),
			Answer: Endpoint{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).getEndpoint,
		},
		{
			Method: http.MethodPatch, Path: "/v1/endpoints/{id}", Group: groupEndpoints, Summary: "Change an endpoint; absent fields stay, null goes back to the default",
			Scopes: writeEndpoints(), Body: EndpointBody{}, Answer: Endpoint{}, Status: http.StatusOK,
			Codes:   with(bodyCodes(), busbar.CodeNotFound, busbar.CodeEndpointURLForbidden),
			Example: `{"description":"the one in the cellar","maxInFlight":4}`,
			Handle:  (*API).updateEndpoint,
		},
		{
			Method: http.MethodDelete, Path: "/v1/endpoints/{id}", Group: groupEndpoints, Summary: "Delete an endpoint and cancel its open deliveries",
			Scopes: writeEndpoints(), Answer: Deleted{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).deleteEndpoint,
		},
		{
			Method: http.MethodGet, Path: "/v1/endpoints/{id}/secret", Group: groupEndpoints, Summary: "The keys that sign for an endpoint",
			Scopes: writeEndpoints(), Answer: Secrets{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).getSecret,
		},
		{
			Method: http.MethodPost, Path: "/v1/endpoints/{id}/secret/rotate", Group: groupEndpoints, Summary: "New keys; those of now go on signing until the overlap ends",
			Scopes: writeEndpoints(), Body: RotateBody{}, EmptyBody: true, Creates: true, Answer: Secrets{}, Status: http.StatusOK,
			Codes: with(bodyCodes(), busbar.CodeNotFound, busbar.CodeConflict), Example: `{"overlap":"24h"}`, Handle: once((*API).rotateSecret),
		},
		{
			Method: http.MethodPost, Path: "/v1/endpoints/{id}/test", Group: groupEndpoints, Summary: "Send an example through the real path and answer with the attempt",
			Scopes: writeEndpoints(), Body: TestBody{}, EmptyBody: true, Creates: true, Answer: TestResult{}, Status: http.StatusOK,
			Codes: with(bodyCodes(), busbar.CodeNotFound, busbar.CodeConflict), Example: `{"type":"device.updated"}`, Handle: (*API).testEndpoint,
		},
		{
			Method: http.MethodPost, Path: "/v1/endpoints/{id}/enable", Group: groupEndpoints, Summary: "Enable an endpoint",
			Scopes: writeEndpoints(), Body: Nothing{}, EmptyBody: true, Answer: Endpoint{}, Status: http.StatusOK,
			Codes: with(bodyCodes(), busbar.CodeNotFound), Handle: (*API).enableEndpoint,
		},
		{
			Method: http.MethodPost, Path: "/v1/endpoints/{id}/disable", Group: groupEndpoints, Summary: "Disable an endpoint; its deliveries are kept",
			Scopes: writeEndpoints(), Body: Nothing{}, EmptyBody: true, Answer: Endpoint{}, Status: http.StatusOK,
			Codes: with(bodyCodes(), busbar.CodeNotFound), Handle: (*API).disableEndpoint,
		},
	}
}
