package api

import (
	"net/http"
	"slices"

	"busbar"
)

func actionRoutes() []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/v1/actions", Group: groupActions, Summary: "List commands on their way to devices, newest first",
			Scopes: readActions(),
			Query: slices.Concat([]Param{
				{"deviceId", "", "dev_battery"},
				{"siteId", "", "site_home"},
				{"ruleId", "", ""},
				{"state", "scheduled, acknowledged, completed, failed or cancelled.", "acknowledged"},
			}, paging()),
			Answer: List[Action]{}, Status: http.StatusOK, Handle: (*API).listActions,
		},
		{
			Method: http.MethodGet, Path: "/v1/actions/{id}", Group: groupActions, Summary: "One action with its tries", Scopes: readActions(),
			Answer: ActionDetail{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).getAction,
		},
	}
}

func readActions() []busbar.Scope { return []busbar.Scope{busbar.ScopeRead, busbar.ScopeActions} }
