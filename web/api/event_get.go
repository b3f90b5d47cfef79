package api

import (
	"context"
	"net/http"

	"busbar"
)

func (a *API) getEvent(ctx context.Context, r *Request) (*Reply, error) {
	event, deliveries, err := a.eventWithDeliveries(ctx, r)
	if err != nil {
		return nil, err
	}
	detail := EventDetail{
		Event: viewEvent(&event), Deliveries: make([]Delivery, len(deliveries)), Runs: []Run{},
		Causation: viewCausation(&event.Causation), Temporal: a.workflow(&event),
	}
	for i := range deliveries {
		detail.Deliveries[i] = viewDelivery(&deliveries[i])
	}
	return &Reply{http.StatusOK, detail}, nil
}

func (a *API) eventWithDeliveries(ctx context.Context, r *Request) (busbar.Event, []busbar.Delivery, error) {
	id, err := r.id("event")
	if err != nil {
		return busbar.Event{}, nil, err
	}
	event, err := a.Store.Event(ctx, r.Env, busbar.EventID(id))
	if err != nil {
		return event, nil, err
	}
	deliveries, err := a.Store.DeliveriesOfEvent(ctx, r.Env, event.ID)
	return event, deliveries, err
}
