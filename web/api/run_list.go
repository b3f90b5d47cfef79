package api

import (
	"context"
	"net/http"

	"busbar"
	"busbar/internal/store"
	"busbar/rules"
)

func (a *API) listRuns(ctx context.Context, r *Request) (*Reply, error) {
	return a.runs(ctx, r, busbar.RuleID(r.Query.Get("ruleId")))
}

// listRunsOfRule also has those of a rule that was deleted.
func (a *API) listRunsOfRule(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("rule")
	if err != nil {
		return nil, err
	}
	reply, err := a.runs(ctx, r, busbar.RuleID(id))
	if err != nil {
		return nil, err
	}
	if list, ok := reply.Data.(List[Run]); ok && len(list.Items) == 0 {
		if _, err := a.Store.Rule(ctx, r.Env, busbar.RuleID(id)); err != nil {
			return nil, err
		}
	}
	return reply, nil
}

func (a *API) runs(ctx context.Context, r *Request, rule busbar.RuleID) (*Reply, error) {
	req, err := r.page()
	if err != nil {
		return nil, err
	}
	f := store.RunFilter{RuleID: rule, SiteID: busbar.SiteID(r.Query.Get("siteId"))}
	if f.Since, f.Until, err = r.period(); err != nil {
		return nil, err
	}
	if text := r.Query.Get("decision"); text != "" {
		if f.Decision, err = rules.ParseDecision(text); err != nil {
			return nil, busbar.Invalid("decision", "enum", "%v", err)
		}
	}
	page, err := a.Store.Runs(ctx, r.Env, f, req)
	if err != nil {
		return nil, err
	}
	views, err := a.viewRuns(page.Items)
	if err != nil {
		return nil, err
	}
	return listOf(r, busbar.Page[Run]{Items: views, NextCursor: page.NextCursor}, func(v *Run) Run { return *v }), nil
}

func (a *API) getRun(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("run")
	if err != nil {
		return nil, err
	}
	run, err := a.Store.Run(ctx, r.Env, busbar.RunID(id))
	if err != nil {
		return nil, err
	}
	view, err := a.viewRun(&run)
	return &Reply{http.StatusOK, view}, err
}
