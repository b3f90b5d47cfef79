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
		{
			Method: http.MethodPost, Path: "/v1/actions/{id}/cancel", Group: groupActions, Summary: "Take a command back that no device has taken yet",
			Scopes: writeActions(), Body: Nothing{}, EmptyBody: true, Answer: Action{}, Status: http.StatusOK,
			Codes: with(bodyCodes(), busbar.CodeNotFound, busbar.CodeActionNotCancellable), Handle: (*API).cancelAction,
		},
		{
			Method: http.MethodPost, Path: "/v1/actions/{id}/result", Group: groupActions, Summary: "Report how a command ended that a gateway has taken",
			Scopes: writeActions(), Body: ResultBody{}, Answer: Action{}, Status: http.StatusOK,
			Codes:   with(bodyCodes(), busbar.CodeNotFound, busbar.CodeConflict),
			Example: `{"success":true,"message":"Charging at 16 A"}`, Handle: (*API).reportResult,
		},
	}
}

// pushRoute is that of a family; the ones that take no commands have it too, to say so.
func pushRoute(f busbar.Family, path, group string) Route {
	r := Route{
		Method: http.MethodPost, Path: path + "/{id}", Group: group, Summary: "Push a command",
		Scopes: writeActions(), Body: PushBody{}, Creates: true, Answer: PushedAction{}, Status: http.StatusAccepted,
		Codes: with(
			bodyCodes(), busbar.CodeDeviceNotFound, busbar.CodeConflict, busbar.CodeUnsupportedMode, busbar.CodeUnsupportedParameter,
			busbar.CodeUnsupportedUnit, busbar.CodeParameterOutOfRange, busbar.CodeExecutionNotSupported, busbar.CodeStartInPast,
			busbar.CodeStartOutOfRange, busbar.CodeInvalidTimeWindow, busbar.CodeDirectAction,
		),
		Example: pushExample(f), Handle: ofFamily(f, (*API).push),
	}
	if r.Example == "" {
		r.Summary = "Refused: devices of this family take no commands"
	}
	return r
}

// pushExample is empty for families that take no commands.
func pushExample(f busbar.Family) string {
	switch f {
	case busbar.Battery:
		return `{"action":{"command":"charge","parameters":{"power":{"value":3,"unit":"kw"},"target":{"value":90,"unit":"percent"}}},"onConflict":"cancel_and_replace"}`
	case busbar.EVCharger:
		return `{"action":{"command":"charge","parameters":{"current":{"value":16,"unit":"amps"}}},"onConflict":"cancel_and_replace"}`
	case busbar.HVAC:
		return `{"action":{"command":"heat","parameters":{"target":{"value":21,"unit":"celsius"}},"start":"30m","end":"2h"},"onConflict":"cancel_and_replace"}`
	case busbar.SolarInverter, busbar.Vehicle, busbar.Meter:
	}
	return ""
}

func readActions() []busbar.Scope { return []busbar.Scope{busbar.ScopeRead, busbar.ScopeActions} }

func writeActions() []busbar.Scope { return []busbar.Scope{busbar.ScopeActions} }
