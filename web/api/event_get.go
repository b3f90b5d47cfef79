package api

import (
	"context"
	"net/http"

	"busbar"
)

func (a *API) getEvent(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("event")
	if err != nil {
		return nil, err
	}
	event, err := a.Store.Event(ctx, r.Env, busbar.EventID(id))
	if err != nil {
		return nil, err
	}
	deliveries, err := a.Store.DeliveriesOfEvent(ctx, r.Env, event.ID)
	if err != nil {
		return nil, err
	}
	runs, err := a.Store.RunsOfEvent(ctx, &event)
	if err != nil {
		return nil, err
	}
	views, err := a.viewRuns(runs)
	if err != nil {
		return nil, err
	}
	detail := EventDetail{
		Event: viewEvent(&event), Deliveries: make([]Delivery, len(deliveries)), Runs: views,
		Causation: viewCausation(&event.Causation), Temporal: a.workflow(&event),
	}
	for i := range deliveries {
		detail.Deliveries[i] = viewDelivery(&deliveries[i])
	}
	return &Reply{http.StatusOK, detail}, nil
}
