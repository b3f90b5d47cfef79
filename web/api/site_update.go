package api

import (
	"context"
	"net/http"

	"busbar"
)

func (a *API) updateSite(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("site")
	if err != nil {
		return nil, err
	}
	body, err := decode[SiteBody](r)
	if err != nil {
		return nil, err
	}
	if err := body.check(false); err != nil {
		return nil, err
	}
	s, err := a.Store.UpdateSite(ctx, r.Env, busbar.SiteID(id), body.apply)
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, viewSite(&s)}, nil
}

func (a *API) deleteSite(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("site")
	if err != nil {
		return nil, err
	}
	if err := a.Store.DeleteSite(ctx, r.Env, busbar.SiteID(id)); err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, Deleted{id, true}}, nil
}
