package api

import (
	"context"
	"net/http"

	"busbar"
	"busbar/internal/store"
)

func (a *API) createSite(ctx context.Context, r *Request) (*Reply, error) {
	body, err := decode[SiteBody](r)
	if err != nil {
		return nil, err
	}
	if err := body.check(true); err != nil {
		return nil, err
	}
	now := a.Now()
	s := busbar.Site{ID: busbar.SiteID(body.ID.Or(string(busbar.NewSiteID()))), Environment: r.Env, CreatedAt: now, UpdatedAt: now}
	if err := body.apply(&s); err != nil {
		return nil, err
	}
	return a.create(ctx, r, http.StatusCreated, func(tx *store.Tx) (any, error) { return viewSite(&s), tx.CreateSite(&s) })
}
