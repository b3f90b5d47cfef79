package api

import (
	"context"
	"net/http"

	"busbar"
	"busbar/internal/store"
)

func (a *API) createEndpoint(ctx context.Context, r *Request) (*Reply, error) {
	body, err := decode[EndpointBody](r)
	if err != nil {
		return nil, err
	}
	if !body.URL.Has() {
		return nil, busbar.Invalid("url", "required", "is missing")
	}
	// A name server may be asked here, so this comes before the transaction.
	c, err := a.checkEndpoint(ctx, r.Env, body)
	if err != nil {
		return nil, err
	}
	e := busbar.Endpoint{ID: busbar.NewEndpointID(), Environment: r.Env, CreatedAt: c.now, UpdatedAt: c.now}
	if err := c.apply(&e, true); err != nil {
		return nil, err
	}
	return a.create(ctx, r, http.StatusCreated, func(tx *store.Tx) (any, error) {
		keys, err := newSigningKeys(e.Signing, c.now)
		if err != nil {
			return nil, err
		}
		return CreatedEndpoint{a.viewEndpoint(&e, keys), viewSecrets(keys).Secret}, tx.CreateEndpoint(&e, keys)
	})
}
