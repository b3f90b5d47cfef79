package api

import (
	"context"
	"net/http"

	"busbar"
)

func (a *API) listSites(ctx context.Context, r *Request) (*Reply, error) {
	req, err := r.page()
	if err != nil {
		return nil, err
	}
	page, err := a.Store.Sites(ctx, r.Env, req)
	if err != nil {
		return nil, err
	}
	return listOf(r, page, viewSite), nil
}

func (a *API) getSite(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("site")
	if err != nil {
		return nil, err
	}
	s, err := a.Store.Site(ctx, r.Env, busbar.SiteID(id))
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, viewSite(&s)}, nil
}
