package api

import (
	"context"

	"busbar"
	"busbar/internal/store"
)

func (a *API) listEvents(ctx context.Context, r *Request) (*Reply, error) {
	req, err := r.page()
	if err != nil {
		return nil, err
	}
	since, until, err := r.period()
	if err != nil {
		return nil, err
	}
	page, err := a.Store.Events(ctx, r.Env, store.EventFilter{
		Type: r.Query.Get("type"), DeviceID: busbar.DeviceID(r.Query.Get("deviceId")),
		SiteID: busbar.SiteID(r.Query.Get("siteId")), Since: since, Until: until,
	}, req)
	if err != nil {
		return nil, err
	}
	return listOf(r, page, viewEvent), nil
}
