package api

import (
	"net/http"

	"busbar"
)

func endpointCareRoutes() []Route {
	const window = `{"since":"2026-06-01T00:00:00Z","until":"2026-06-02T00:00:00Z"}`
	act := with(bodyCodes(), busbar.CodeNotFound, busbar.CodeConflict)
	return []Route{
		{
			Method: http.MethodPost, Path: "/v1/endpoints/{id}/recover", Group: groupEndpoints,
			Summary: "Send again what failed or is parked, oldest first; what was delivered meanwhile is not sent again",
			Scopes:  writeEndpoints(), Body: RecoverBody{}, Creates: true, Answer: StartedJob{}, Status: http.StatusAccepted,
			Codes: act, Example: window, Handle: once((*API).recoverEndpoint),
		},
		{
			Method: http.MethodPost, Path: "/v1/endpoints/{id}/replay", Group: groupEndpoints,
			Summary: "Send events that were never to go to this endpoint, because it is newer",
			Scopes:  writeEndpoints(), Body: ReplayBody{}, Creates: true, Answer: StartedJob{}, Status: http.StatusAccepted,
			Codes: act, Example: window, Handle: once((*API).replayEndpoint),
		},
		{
			Method: http.MethodGet, Path: "/v1/endpoints/{id}/stats", Group: groupEndpoints,
			Summary: "How the attempts at an endpoint went, by the hour; of the last 24 hours by default",
			Scopes:  readEndpoints(), Query: period(), Answer: Stats{}, Status: http.StatusOK, Codes: notFoundCodes(),
			Handle: (*API).endpointStats,
		},
		{
			Method: http.MethodGet, Path: "/v1/jobs", Group: groupJobs, Summary: "List jobs, newest first", Scopes: readEndpoints(),
			Query:  append([]Param{{"endpointId", "", "ep_01980f3ae2b57c3f8d1c5b0a9e7f6d21"}}, paging()...),
			Answer: List[Job]{}, Status: http.StatusOK, Handle: (*API).listJobs,
		},
		{
			Method: http.MethodGet, Path: "/v1/jobs/{id}", Group: groupJobs, Summary: "One job and how far it is", Scopes: readEndpoints(),
			Answer: Job{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).getJob,
		},
		{
			Method: http.MethodPost, Path: "/v1/jobs/{id}/pause", Group: groupJobs, Summary: "Begin no more deliveries until it is resumed",
			Scopes: writeEndpoints(), Body: Nothing{}, EmptyBody: true, Answer: Job{}, Status: http.StatusOK, Codes: act, Handle: (*API).pauseJob,
		},
		{
			Method: http.MethodPost, Path: "/v1/jobs/{id}/resume", Group: groupJobs, Summary: "Go on with a paused job",
			Scopes: writeEndpoints(), Body: Nothing{}, EmptyBody: true, Answer: Job{}, Status: http.StatusOK, Codes: act, Handle: (*API).resumeJob,
		},
		{
			Method: http.MethodPost, Path: "/v1/jobs/{id}/cancel", Group: groupJobs, Summary: "End a job; what it has not sent stays as it was",
			Scopes: writeEndpoints(), Body: Nothing{}, EmptyBody: true, Answer: Job{}, Status: http.StatusOK, Codes: act, Handle: (*API).cancelJob,
		},
	}
}
