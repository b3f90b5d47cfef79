package api

import (
	"net/http"

	"busbar"
)

func ruleRoutes() []Route {
	return []Route{
		{
			Method: http.MethodPost, Path: "/v1/rules/check", Group: groupRules,
			Summary: "Check a rule without saving it: its expressions against what devices report and can do",
			Scopes:  []busbar.Scope{busbar.ScopeRules}, Body: RuleBody{}, Answer: RuleCheck{}, Status: http.StatusOK, Codes: bodyCodes(),
			Example: `{"name":"Charge the car","on":["device.updated"],"deviceType":"battery","if":"state.level >= 99",` +
				`"then":[{"push":{"device":"find(site.evChargers, .state.isConnected)","command":"charge"}}]}`,
			Handle: (*API).checkRule,
		},
		{
			Method: http.MethodGet, Path: "/v1/rules/schema", Group: groupRules,
			Summary: "The variables, functions, fields and commands that rules may use, for editors", Scopes: readRules(),
			Query:  []Param{{"deviceType", "A family, when the rule has one: the types of state and previous.", "battery"}},
			Answer: RuleSchema{}, Status: http.StatusOK, Handle: (*API).ruleSchema,
		},
		{
			Method: http.MethodGet, Path: "/v1/rules/library", Group: groupRules,
			Summary: "Ready rules with their tests, to start from", Scopes: readRules(), Answer: List[LibraryRule]{}, Status: http.StatusOK,
			Handle: (*API).ruleLibrary,
		},
	}
}

func readRules() []busbar.Scope { return []busbar.Scope{busbar.ScopeRead, busbar.ScopeRules} }
