package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"busbar"
	"busbar/rules"
	"busbar/web/strictjson"
)

// RuleBody is a rule as clients write it. It describes the body; package rules reads it, as it reads files.
type RuleBody struct {
	Name       strictjson.Optional[string]          `json:"name" required:"true" example:"Charge the car when the battery is full"`
	ID         strictjson.Optional[string]          `json:"id"`
	Mode       strictjson.Optional[string]          `json:"mode" enum:"active,shadow,disabled"`
	On         strictjson.Optional[[]string]        `json:"on" required:"true" doc:"Event types; the beginning of names and a star is all of them."`
	DeviceType strictjson.Optional[string]          `json:"deviceType" doc:"Only events of such devices; types state and previous."`
	SiteIDs    strictjson.Optional[[]string]        `json:"siteIds"`
	Scope      strictjson.Optional[string]          `json:"scope" enum:"device,site,rule" doc:"What has one edge, hold and cooldown."`
	If         strictjson.Optional[string]          `json:"if" required:"true" doc:"An expression that gives a boolean." example:"state.level >= 99"`
	Edge       strictjson.Optional[string]          `json:"edge" enum:"rising,every"`
	Rearm      strictjson.Optional[string]          `json:"rearm" doc:"An expression; default: not if."`
	For        strictjson.Optional[string]          `json:"for" doc:"How long it must stay true, at most 24h." example:"10m"`
	Grace      strictjson.Optional[string]          `json:"grace" doc:"How long inputs may be unknown inside a hold."`
	Cooldown   strictjson.Optional[string]          `json:"cooldown"`
	Window     strictjson.Optional[json.RawMessage] `json:"window" doc:"{from, to, days?, timezone?}"`
	ActWithin  strictjson.Optional[string]          `json:"actWithin" doc:"An older event fires nothing; default 15m."`
	Priority   strictjson.Optional[int]             `json:"priority" doc:"0 to 99, default 50; people are 100."`
	Then       strictjson.Optional[json.RawMessage] `json:"then" required:"true" doc:"Steps: {push: {…}} or {emit: {…}}."`
	ElseFailed strictjson.Optional[json.RawMessage] `json:"else_failed" doc:"Steps when a step failed for good."` //nolint:tagliatelle // as in rule files, where it has this name
	Tests      strictjson.Optional[json.RawMessage] `json:"tests"`
}

// RuleCheck is what checking a rule gave.
type RuleCheck struct {
	Valid       bool             `json:"valid" doc:"There is no error among the diagnostics."`
	Diagnostics []RuleDiagnostic `json:"diagnostics" doc:"Errors and warnings."`
	Warnings    []RuleDiagnostic `json:"warnings" doc:"The warnings among them."`
}

// RuleDiagnostic says what is wrong with a part of a rule.
type RuleDiagnostic struct {
	Field    string `json:"field" doc:"The path of the text that it is about." example:"then[0].push.device"`
	Severity string `json:"severity" enum:"error,warning"`
	Message  string `json:"message"`
	From     int    `json:"from" doc:"Where it begins in the text, in characters."`
	To       int    `json:"to" doc:"Where it ends; 0 when it is about the field as such."`
}

func (a *API) checkRule(ctx context.Context, r *Request) (*Reply, error) {
	if err := strictjson.Check(r.Body); err != nil {
		return nil, err
	}
	rule, err := rules.ParseJSON(r.Body)
	if err != nil {
		return nil, err
	}
	compiled, diagnostics := rules.Check(rule)
	suspicions, err := a.suspicions(ctx, r.Env, rule, compiled)
	if err != nil {
		return nil, err
	}
	diagnostics = append(diagnostics, suspicions...)
	return &Reply{http.StatusOK, RuleCheck{
		Valid: len(rules.Errors(diagnostics)) == 0, Diagnostics: viewDiagnostics(diagnostics), Warnings: viewDiagnostics(rules.Warnings(diagnostics)),
	}}, nil
}

// unregistered warns of events that no type is registered for: they could not be made.
func (a *API) unregistered(ctx context.Context, env busbar.Environment, rule *rules.Rule) ([]rules.Diagnostic, error) {
	var found []rules.Diagnostic
	for _, list := range []struct {
		name  string
		steps []rules.Step
	}{{"then", rule.Then}, {"else_failed", rule.ElseFailed}} {
		for i := range list.steps {
			emit := list.steps[i].Emit
			if emit == nil {
				continue
			}
			switch _, err := a.catalog.get(ctx, env, emit.Type); {
			case err == nil:
			case busbar.CodeOf(err) == busbar.CodeNotFound:
				found = append(found, rules.Diagnostic{
					Field: fmt.Sprintf("%s[%d].emit.type", list.name, i), Severity: rules.SeverityWarning,
					Message: fmt.Sprintf("there is no event type %q yet; register it with POST /v1/event-types", emit.Type),
				})
			default:
				return nil, err
			}
		}
	}
	return found, nil
}

func viewDiagnostics(diagnostics []rules.Diagnostic) []RuleDiagnostic {
	views := make([]RuleDiagnostic, len(diagnostics))
	for i, d := range diagnostics {
		views[i] = RuleDiagnostic{d.Field, string(d.Severity), d.Message, d.From, d.To}
	}
	return views
}
