package api

import (
	"context"

	"busbar"
	"busbar/internal/store"
)

// HistoryPoint is the value of a field at a time, as reported.
type HistoryPoint struct {
	At    Time `json:"at"`
	Value any  `json:"value" doc:"Not rounded; null when the device did not know."`
	Late  bool `json:"late" doc:"It came in after a newer one, and changed nothing."`
}

func (a *API) getHistory(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.deviceID()
	if err != nil {
		return nil, err
	}
	req, err := r.page()
	if err != nil {
		return nil, err
	}
	since, until, err := r.period()
	if err != nil {
		return nil, err
	}
	d, err := a.Store.Device(ctx, r.Env, id)
	if err != nil {
		return nil, err
	}
	spec, field := d.Family.Spec(), r.Query.Get("field")
	if _, ok := spec.Field(field); !ok {
		names := make([]string, len(spec.Fields))
		for i := range spec.Fields {
			names[i] = spec.Fields[i].Name
		}
		return nil, busbar.Invalid("field", "enum", "must be one of %s", anyOf(names))
	}
	page, err := a.Store.History(ctx, r.Env, id, field, since, until, req)
	if err != nil {
		return nil, err
	}
	return listOf(r, page, func(p *store.HistoryPoint) HistoryPoint { return HistoryPoint{Time(p.At), p.Value, p.Late} }), nil
}
