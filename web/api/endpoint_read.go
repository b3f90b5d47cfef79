package api

import (
	"context"
	"net/http"

	"busbar"
)

func (a *API) listEndpoints(ctx context.Context, r *Request) (*Reply, error) {
	req, err := r.page()
	if err != nil {
		return nil, err
	}
	page, err := a.Store.ListEndpoints(ctx, r.Env, req)
	if err != nil {
		return nil, err
	}
	subscribers, err := a.Store.Subscribers(ctx, r.Env)
	if err != nil {
		return nil, err
	}
	return listOf(r, page, func(e *busbar.Endpoint) Endpoint {
		var keys []busbar.SigningKey
		if s, ok := subscribers.Get(e.ID); ok {
			keys = s.SigningKeys(a.Now())
		}
		return a.viewEndpoint(e, keys)
	}), nil
}

func (a *API) getEndpoint(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("endpoint")
	if err != nil {
		return nil, err
	}
	e, err := a.Store.Endpoint(ctx, r.Env, busbar.EndpointID(id))
	if err != nil {
		return nil, err
	}
	return a.showEndpoint(ctx, &e)
}

// showEndpoint answers with an endpoint as it is.
func (a *API) showEndpoint(ctx context.Context, e *busbar.Endpoint) (*Reply, error) {
	keys, err := a.Store.SigningKeys(ctx, e.Environment, e.ID)
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, a.viewEndpoint(e, keys)}, nil
}
