package api

import (
	"context"
	"net/http"

	"busbar"
	"busbar/rules"
)

func (a *API) listRules(ctx context.Context, r *Request) (*Reply, error) {
	req, err := r.page()
	if err != nil {
		return nil, err
	}
	var mode rules.Mode
	if text := r.Query.Get("mode"); text != "" {
		if mode, err = rules.ParseMode(text); err != nil {
			return nil, busbar.Invalid("mode", "enum", "%v", err)
		}
	}
	page, err := a.Store.Rules(ctx, r.Env, mode, req)
	if err != nil {
		return nil, err
	}
	views := busbar.Page[Rule]{Items: make([]Rule, len(page.Items)), NextCursor: page.NextCursor}
	for i := range page.Items {
		if views.Items[i], err = viewRule(&page.Items[i]); err != nil {
			return nil, err
		}
	}
	return listOf(r, views, func(v *Rule) Rule { return *v }), nil
}

// ruleOf is the rule that a path names.
func (a *API) ruleOf(ctx context.Context, r *Request) (busbar.Rule, error) {
	id, err := r.id("rule")
	if err != nil {
		return busbar.Rule{}, err
	}
	return a.Store.Rule(ctx, r.Env, busbar.RuleID(id))
}

func (a *API) getRule(ctx context.Context, r *Request) (*Reply, error) {
	rule, err := a.ruleOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if r.WantYAML {
		file, err := ruleYAML(rule.ID, rules.Mode(rule.Mode), rule.Text, rule.Source)
		return &Reply{http.StatusOK, Text{MediaYAML, file}}, err
	}
	view, err := viewRule(&rule)
	return &Reply{http.StatusOK, view}, err
}
