package api

import (
	"context"
	"net/http"
	"strconv"

	"busbar"
	"busbar/rules"
)

func (a *API) listRuleVersions(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("rule")
	if err != nil {
		return nil, err
	}
	req, err := r.page()
	if err != nil {
		return nil, err
	}
	page, err := a.Store.RuleVersions(ctx, r.Env, busbar.RuleID(id), req)
	if err != nil {
		return nil, err
	}
	return listOf(r, page, viewRuleVersion), nil
}

// versionOf is the version that a path names, with its rule.
func (a *API) versionOf(ctx context.Context, r *Request) (busbar.Rule, busbar.RuleVersion, error) {
	rule, err := a.ruleOf(ctx, r)
	if err != nil {
		return rule, busbar.RuleVersion{}, err
	}
	number, err := strconv.ParseInt(r.Params["n"], 10, 32)
	if err != nil {
		return rule, busbar.RuleVersion{}, busbar.Errorf(busbar.CodeNotFound, "the rule %s has no version %s", rule.ID, shorten(r.Params["n"]))
	}
	version, err := a.Store.RuleVersion(ctx, r.Env, rule.ID, int(number))
	return rule, version, err
}

func (a *API) getRuleVersion(ctx context.Context, r *Request) (*Reply, error) {
	rule, version, err := a.versionOf(ctx, r)
	if err != nil {
		return nil, err
	}
	file, err := ruleYAML(rule.ID, rules.Mode(rule.Mode), version.Text, version.Source)
	if err != nil {
		return nil, err
	}
	if r.WantYAML {
		return &Reply{http.StatusOK, Text{MediaYAML, file}}, nil
	}
	return &Reply{http.StatusOK, RuleVersionDetail{viewRuleVersion(&version), version.Text, string(file)}}, nil
}

// restoreRule makes a new version that says what an older one does. What the rule may do stays.
func (a *API) restoreRule(ctx context.Context, r *Request) (*Reply, error) {
	if _, err := decode[Nothing](r); err != nil {
		return nil, err
	}
	rule, version, err := a.versionOf(ctx, r)
	if err != nil {
		return nil, err
	}
	text, err := rules.ParseJSON(version.Text)
	if err != nil {
		return nil, err
	}
	return a.saveRule(ctx, r, &rule, version.Number, &ruleText{Rule: text, source: version.Source}, nil)
}
