package api

import (
	"context"
	"net/http"

	"busbar"
)

func (a *API) listAPIKeys(ctx context.Context, r *Request) (*Reply, error) {
	req, err := r.page()
	if err != nil {
		return nil, err
	}
	page, err := a.Store.ListAPIKeys(ctx, r.Env, req)
	if err != nil {
		return nil, err
	}
	return listOf(r, page, viewAPIKey), nil
}

func (a *API) getAPIKey(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("API key")
	if err != nil {
		return nil, err
	}
	k, err := a.Store.APIKey(ctx, r.Env, busbar.KeyID(id))
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, viewAPIKey(&k)}, nil
}

// revokeAPIKey ends a key at once, in every process. Its row stays, so that its name can still be read.
func (a *API) revokeAPIKey(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("API key")
	if err != nil {
		return nil, err
	}
	k, err := a.Store.RevokeAPIKey(ctx, r.Env, busbar.KeyID(id))
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, viewAPIKey(&k)}, nil
}
