package api

import (
	"net/http"
)

func apiKeyRoutes() []Route {
	return []Route{
		{
			Method: http.MethodPost, Path: "/v1/api-keys", Group: groupKeys, Summary: "Make an API key; only this answer carries it",
			Scopes: everything(), Body: APIKeyBody{}, Creates: true, Answer: CreatedAPIKey{}, Status: http.StatusCreated, Codes: bodyCodes(),
			Example: `{"name":"gateway in the cellar","scopes":["events:write"]}`, Handle: once((*API).createAPIKey),
		},
		{
			Method: http.MethodGet, Path: "/v1/api-keys", Group: groupKeys, Summary: "List API keys, newest first", Scopes: everything(),
			Query: paging(), Answer: List[APIKey]{}, Status: http.StatusOK, Handle: (*API).listAPIKeys,
		},
		{
			Method: http.MethodGet, Path: "/v1/api-keys/{id}", Group: groupKeys, Summary: "One API key", Scopes: everything(),
			Answer: APIKey{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).getAPIKey,
		},
		{
			Method: http.MethodDelete, Path: "/v1/api-keys/{id}", Group: groupKeys, Summary: "Revoke an API key at once; it stays in the list",
			Scopes: everything(), Answer: APIKey{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).revokeAPIKey,
		},
	}
}
