package api

import (
	"net/http"
)

func runRoutes() []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/v1/rules/{id}/runs", Group: groupRules,
			Summary: "What a rule decided, newest first; what moved nothing within 2 seconds, and of false and already_true the newest 1,000",
			Scopes:  readRules(), Query: append(paging(), runFilters()...), Answer: List[Run]{}, Status: http.StatusOK,
			Codes: notFoundCodes(), Handle: (*API).listRunsOfRule,
		},
		{
			Method: http.MethodGet, Path: "/v1/runs", Group: groupRules, Summary: "What rules decided, newest first",
			Scopes: readRules(), Query: append(append(paging(), Param{"ruleId", "Of this rule.", "rule_1"}), runFilters()...),
			Answer: List[Run]{}, Status: http.StatusOK, Handle: (*API).listRuns,
		},
		{
			Method: http.MethodGet, Path: "/v1/runs/{id}", Group: groupRules, Summary: "One run", Scopes: readRules(), Answer: Run{},
			Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).getRun,
		},
	}
}

func runFilters() []Param {
	return append([]Param{
		{"decision", "What was decided.", "fired"},
		{"siteId", "At this site.", "site_home"},
	}, period()...)
}
