package api

import (
	"context"
	"net/http"

	"busbar"
)

// retryDelivery sends a delivery again, now.
func (a *API) retryDelivery(ctx context.Context, r *Request) (*Reply, error) {
	if _, err := decode[Nothing](r); err != nil {
		return nil, err
	}
	d, err := a.delivery(ctx, r)
	if err != nil {
		return nil, err
	}
	e, err := a.Store.Endpoint(ctx, r.Env, d.EndpointID)
	switch {
	case err != nil && busbar.CodeOf(err) == busbar.CodeNotFound:
		return nil, busbar.Errorf(busbar.CodeConflict, "the endpoint of this delivery was deleted")
	case err != nil:
		return nil, err
	case !e.Enabled:
		return nil, busbar.Errorf(busbar.CodeConflict, "the endpoint is disabled; enable it first")
	}
	d, err = a.Redeliverer.RetryNow(ctx, r.Env, d.ID)
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusAccepted, viewDelivery(&d)}, nil
}

// cancelDelivery ends a delivery that is still open.
func (a *API) cancelDelivery(ctx context.Context, r *Request) (*Reply, error) {
	if _, err := decode[Nothing](r); err != nil {
		return nil, err
	}
	d, err := a.delivery(ctx, r)
	if err != nil {
		return nil, err
	}
	if d.Status != busbar.DeliveryPending && d.Status != busbar.DeliveryParked {
		return nil, busbar.Errorf(busbar.CodeConflict, "this delivery is %s already", d.Status)
	}
	d, err = a.Redeliverer.Cancel(ctx, r.Env, d.ID)
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, viewDelivery(&d)}, nil
}
