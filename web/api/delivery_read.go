package api

import (
	"context"
	"net/http"

	"busbar"
	"busbar/internal/store"
)

func (a *API) listDeliveries(ctx context.Context, r *Request) (*Reply, error) {
	req, err := r.page()
	if err != nil {
		return nil, err
	}
	since, until, err := r.period()
	if err != nil {
		return nil, err
	}
	filter := store.DeliveryFilter{
		EndpointID: busbar.EndpointID(r.Query.Get("endpointId")), EventID: busbar.EventID(r.Query.Get("eventId")),
		Type: r.Query.Get("type"), Since: since, Until: until,
	}
	if status := r.Query.Get("status"); status != "" {
		if filter.Status, err = busbar.ParseDeliveryStatus(status); err != nil {
			return nil, busbar.Invalid("status", "enum", "%s", shorten(err.Error()))
		}
	}
	page, err := a.Store.Deliveries(ctx, r.Env, filter, req)
	if err != nil {
		return nil, err
	}
	return listOf(r, page, viewDelivery), nil
}

func (a *API) getDelivery(ctx context.Context, r *Request) (*Reply, error) {
	d, err := a.delivery(ctx, r)
	if err != nil {
		return nil, err
	}
	attempts, err := a.Store.Attempts(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	detail := DeliveryDetail{viewDelivery(&d), make([]Attempt, len(attempts))}
	for i := range attempts {
		detail.Attempts[i] = viewAttempt(&attempts[i])
	}
	return &Reply{http.StatusOK, detail}, nil
}

// delivery is the one that the path names.
func (a *API) delivery(ctx context.Context, r *Request) (busbar.Delivery, error) {
	id, err := r.id("delivery")
	if err != nil {
		return busbar.Delivery{}, err
	}
	return a.Store.Delivery(ctx, r.Env, busbar.DeliveryID(id))
}
