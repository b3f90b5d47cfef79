package api

import (
	"context"

	"busbar"
)

func (a *API) updateEndpoint(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("endpoint")
	if err != nil {
		return nil, err
	}
	body, err := decode[EndpointBody](r)
	if err != nil {
		return nil, err
	}
	if body.URL.Null {
		return nil, busbar.Invalid("url", "required", "cannot be taken away")
	}
	// Whether it exists is asked first: a name server has nothing to do with an endpoint that does not.
	was, err := a.Store.Endpoint(ctx, r.Env, busbar.EndpointID(id))
	if err != nil {
		return nil, err
	}
	if _, temporary := busbar.ListenerOf(was.URL); temporary && body.URL.Given {
		return nil, busbar.Invalid("url", "listener", "that of a listener cannot be changed")
	}
	c, err := a.checkEndpoint(ctx, r.Env, body)
	if err != nil {
		return nil, err
	}
	return a.changeEndpoint(ctx, r.Env, busbar.EndpointID(id), func(e *busbar.Endpoint) error { return c.apply(e, false) })
}

// changeEndpoint saves a change and answers with the endpoint.
func (a *API) changeEndpoint(ctx context.Context, env busbar.Environment, id busbar.EndpointID, change func(*busbar.Endpoint) error) (*Reply, error) {
	e, err := a.Store.UpdateEndpoint(ctx, env, id, change, func(kind busbar.KeyKind) (busbar.SigningKey, error) {
		return newSigningKey(kind, a.Now())
	})
	if err != nil {
		return nil, err
	}
	if e.Enabled && e.Circuit.State == busbar.CircuitOpen {
		if err := a.Redeliverer.ProbeNow(ctx, env, id); err != nil {
			// The change is saved; what is parked follows within a minute.
			a.Logger.WarnContext(ctx, "could not probe an endpoint at once", "endpoint_id", id, "error", err)
		}
	}
	return a.showEndpoint(ctx, &e)
}
