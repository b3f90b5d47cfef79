package api

import (
	"context"
	"net/http"

	"busbar"
	"busbar/internal/store"
)

func (a *API) listActions(ctx context.Context, r *Request) (*Reply, error) {
	req, err := r.page()
	if err != nil {
		return nil, err
	}
	filter := store.ActionFilter{
		DeviceID: busbar.DeviceID(r.Query.Get("deviceId")), SiteID: busbar.SiteID(r.Query.Get("siteId")), RuleID: r.Query.Get("ruleId"),
	}
	if state := r.Query.Get("state"); state != "" {
		if filter.State, err = busbar.ParseActionState(state); err != nil {
			return nil, busbar.Invalid("state", "enum", "%s", shorten(err.Error()))
		}
	}
	page, err := a.Store.Actions(ctx, r.Env, filter, req)
	if err != nil {
		return nil, err
	}
	return listOf(r, page, a.viewAction), nil
}

func (a *API) getAction(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("action")
	if err != nil {
		return nil, err
	}
	act, err := a.Store.Action(ctx, r.Env, busbar.ActionID(id))
	if err != nil {
		return nil, err
	}
	tries, err := a.Store.Tries(ctx, act.ID)
	if err != nil {
		return nil, err
	}
	detail := ActionDetail{a.viewAction(&act), make([]Try, len(tries))}
	for i := range tries {
		detail.Tries[i] = viewTry(&tries[i])
	}
	return &Reply{http.StatusOK, detail}, nil
}
