package api

import (
	"context"

	"busbar"
)

// Nothing is the body of routes that take none.
type Nothing struct{}

func (a *API) enableEndpoint(ctx context.Context, r *Request) (*Reply, error) {
	return a.setEnabled(ctx, r, true)
}

func (a *API) disableEndpoint(ctx context.Context, r *Request) (*Reply, error) {
	return a.setEnabled(ctx, r, false)
}

func (a *API) setEnabled(ctx context.Context, r *Request, on bool) (*Reply, error) {
	id, err := r.id("endpoint")
	if err != nil {
		return nil, err
	}
	if _, err := decode[Nothing](r); err != nil {
		return nil, err
	}
	return a.changeEndpoint(ctx, r.Env, busbar.EndpointID(id), func(e *busbar.Endpoint) error {
		enable(e, on, a.Now())
		return nil
	})
}
