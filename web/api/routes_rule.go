package api

import (
	"net/http"

	"busbar"
)

func ruleRoutes() []Route {
	return []Route{
		{
			Method: http.MethodPost, Path: "/v1/rules", Group: groupRules,
			Summary: "Create a rule, from JSON or from a rule file, which is kept word by word. Its tests are run; one that fails keeps it from being active",
			Scopes:  writeRules(), Query: []Param{{"id", "The id, for a file that has none.", "charge-the-car"}},
			Body: RuleBody{}, YAML: true, Creates: true, Answer: SavedRule{}, Status: http.StatusCreated,
			Codes: with(bodyCodes(), busbar.CodeConflict, busbar.CodeInvalidExpression), Example: ruleExample, Handle: once((*API).createRule),
		},
		{
			Method: http.MethodGet, Path: "/v1/rules", Group: groupRules, Summary: "List rules, newest first", Scopes: readRules(),
			Query:  append(paging(), Param{"mode", "active, shadow or disabled.", "active"}),
			Answer: List[Rule]{}, Status: http.StatusOK, Handle: (*API).listRules,
		},
		{
			Method: http.MethodGet, Path: "/v1/rules/{id}", Group: groupRules, Summary: "One rule; as application/yaml the file that was applied, unchanged",
			Scopes: readRules(), YAML: true, Answer: Rule{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).getRule,
		},
		{
			Method: http.MethodPut, Path: "/v1/rules/{id}", Group: groupRules, Summary: "Replace what a rule says, from JSON or from a rule file: a new version; without a mode it stays what it is",
			Scopes: writeRules(), Body: RuleBody{}, YAML: true, Answer: SavedRule{}, Status: http.StatusOK,
			Codes: saveCodes(), Example: ruleExample, Handle: (*API).replaceRule,
		},
		{
			Method: http.MethodPatch, Path: "/v1/rules/{id}", Group: groupRules, Summary: "Change a rule: a new version; absent fields stay, null goes back to the default",
			Scopes: writeRules(), Body: RuleBody{}, Answer: SavedRule{}, Status: http.StatusOK, Codes: saveCodes(),
			Example: `{"if":"state.level >= 98","cooldown":"30m"}`, Handle: (*API).changeRule,
		},
		{
			Method: http.MethodDelete, Path: "/v1/rules/{id}", Group: groupRules, Summary: "Delete a rule with its versions; its runs are kept",
			Scopes: writeRules(), Answer: Deleted{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).deleteRule,
		},
		{
			Method: http.MethodGet, Path: "/v1/rules/{id}/versions", Group: groupRules, Summary: "The versions of a rule, newest first",
			Scopes: readRules(), Query: paging(), Answer: List[RuleVersion]{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).listRuleVersions,
		},
		{
			Method: http.MethodGet, Path: "/v1/rules/{id}/versions/{n}", Group: groupRules, Summary: "One version of a rule, as JSON and as a file",
			Scopes: readRules(), YAML: true, Answer: RuleVersionDetail{}, Status: http.StatusOK, Codes: notFoundCodes(), Handle: (*API).getRuleVersion,
		},
		{
			Method: http.MethodPost, Path: "/v1/rules/{id}/versions/{n}/restore", Group: groupRules, Summary: "Make a new version that says what an older one does",
			Scopes: writeRules(), Body: Nothing{}, EmptyBody: true, Creates: true, Answer: SavedRule{}, Status: http.StatusOK,
			Codes: saveCodes(), Handle: once((*API).restoreRule),
		},
		{
			Method: http.MethodPost, Path: "/v1/rules/{id}/mode", Group: groupRules,
			Summary: "Set what a rule may do, and end its pause. One whose tests fail cannot be active; one that leaves a mode gives up what it was holding",
			Scopes:  writeRules(), Body: RuleModeBody{}, Answer: Rule{}, Status: http.StatusOK, Codes: saveCodes(),
			Example: `{"mode":"shadow"}`, Handle: (*API).setRuleMode,
		},
		{
			Method: http.MethodGet, Path: "/v1/automation", Group: groupRules, Summary: "Whether rules may do anything, and who stopped them",
			Scopes: readRules(), Query: []Param{{"siteId", "At this site.", "site_home"}}, Answer: Automation{}, Status: http.StatusOK,
			Codes: notFoundCodes(), Handle: (*API).getAutomation,
		},
		{
			Method: http.MethodPost, Path: "/v1/automation", Group: groupRules,
			Summary: "The emergency stop, everywhere or at a site: rules go on being asked, decide disabled and do nothing until it is on again",
			Scopes:  writeRules(), Body: AutomationBody{}, Answer: Automation{}, Status: http.StatusOK,
			Codes: with(bodyCodes(), busbar.CodeNotFound), Example: `{"enabled":false}`, Handle: (*API).setAutomation,
		},
		{
			Method: http.MethodPost, Path: "/v1/rules/check", Group: groupRules,
			Summary: "Check a rule without saving it: its expressions against what devices report and can do",
			Scopes:  writeRules(), Body: RuleBody{}, Answer: RuleCheck{}, Status: http.StatusOK, Codes: bodyCodes(),
			Example: ruleExample, Handle: (*API).checkRule,
		},
		{
			Method: http.MethodPost, Path: "/v1/rules/backtest", Group: groupRules,
			Summary: "Try a rule on recorded events: what it would have done, had it been active",
			Scopes:  writeRules(), Body: BacktestBody{}, Answer: Backtest{}, Status: http.StatusOK,
			Codes:   with(bodyCodes(), busbar.CodeNotFound, busbar.CodeInvalidExpression),
			Example: `{"since":"2026-06-01T00:00:00Z","rule":` + ruleExample + `}`,
			Handle:  (*API).backtestRule,
		},
		{
			Method: http.MethodPost, Path: "/v1/rules/explain", Group: groupRules,
			Summary: "Show what a rule, which need not be saved, makes of an event that has happened: each part of its condition, and what it would do",
			Scopes:  writeRules(), Body: ExplainRequest{}, Answer: RuleExplanation{}, Status: http.StatusOK,
			Codes: with(bodyCodes(), busbar.CodeNotFound, busbar.CodeInvalidExpression),
			Example: `{"eventId":"evt_01980f3ae2b57c3f8d1c5b0a9e7f6d21","rule":{"name":"Full","on":["device.updated"],"if":"state.level >= 99",` +
				`"then":[{"emit":{"type":"battery.full"}}]}}`,
			Handle: (*API).explainRule,
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

// ruleExample is a rule that compiles.
const ruleExample = `{"name":"Charge the car","on":["device.updated"],"deviceType":"battery","if":"state.level >= 99",` +
	`"then":[{"push":{"device":"find(site.evChargers, .state.isConnected)","command":"charge"}}]}`

// saveCodes are what changing a rule may answer with.
func saveCodes() []busbar.Code {
	return with(bodyCodes(), busbar.CodeNotFound, busbar.CodeConflict, busbar.CodeInvalidExpression)
}

func writeRules() []busbar.Scope { return []busbar.Scope{busbar.ScopeRules} }

func readRules() []busbar.Scope { return []busbar.Scope{busbar.ScopeRead, busbar.ScopeRules} }
