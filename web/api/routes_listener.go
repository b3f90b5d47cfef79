package api

import (
	"net/http"

	"busbar"
)

func listenerRoutes() []Route {
	return []Route{
		{
			Method: http.MethodPost, Path: "/v1/listeners", Group: groupListeners,
			Summary: "Create a temporary endpoint whose deliveries this key fetches; only this answer carries its secret",
			Scopes:  writeEndpoints(), Body: ListenerBody{}, EmptyBody: true, Creates: true, Answer: CreatedEndpoint{}, Status: http.StatusCreated,
			Codes:   with(bodyCodes(), busbar.CodeConflict),
			Example: `{"eventTypes":["device.*"],"description":"forwards to localhost:3000"}`,
			Handle:  once((*API).createListener),
		},
		{
			Method: http.MethodGet, Path: "/v1/listeners/{id}/requests", Group: groupListeners,
			Summary: "Wait for the signed requests that are open; one that is not answered before its time is a failed attempt",
			Scopes:  writeEndpoints(), Answer: ListenerRequests{}, Status: http.StatusOK, Codes: notFoundCodes(),
			Query: []Param{
				{"wait", "How long to wait for a request: a Go duration from 0s to 25s, default 20s.", "20s"},
				{"limit", "1 to 100, default 100.", "10"},
				{"holding", "Ids of requests that were fetched before and are not answered yet, separated by commas; at most 100.", ""},
				{"resumed", "true after a break: what failed because of it is tried again at once.", "true"},
			},
			Handle: (*API).fetchListener,
		},
		{
			Method: http.MethodPost, Path: "/v1/listeners/{id}/answers", Group: groupListeners,
			Summary: "Answer a request: with the receiver's response, or with why there is none",
			Scopes:  writeEndpoints(), Body: AnswerBody{}, Answer: Answered{}, Status: http.StatusOK,
			Codes:   with(bodyCodes(), busbar.CodeNotFound),
			Example: `{"requestId":"dlv_01980f3ae2b57c3f8d1c5b0a9e7f6d21-1","statusCode":204,"headers":{"content-type":["text/plain"]},"body":"dGhhbmtz"}`,
			Handle:  (*API).answerListener,
		},
		{
			Method: http.MethodDelete, Path: "/v1/listeners/{id}", Group: groupListeners,
			Summary: "Delete a listener with its endpoint and cancel its open deliveries",
			Scopes:  writeEndpoints(), Answer: Deleted{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).deleteListener,
		},
	}
}
