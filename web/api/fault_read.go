package api

import (
	"context"
	"net/http"

	"busbar"
)

// Fault is how a simulated device misbehaves, and until when.
type Fault struct {
	DeviceID  busbar.DeviceID  `json:"deviceId"`
	Kind      busbar.FaultKind `json:"kind" enum:"offline,slow,refuse,revert,duplicate,late,missing_field"`
	Until     Time             `json:"until"`
	Delay     string           `json:"delay,omitempty" doc:"Of slow; a Go duration." example:"30s"`
	CreatedAt Time             `json:"createdAt"`
}

func viewFault(f *busbar.Fault) Fault {
	v := Fault{DeviceID: f.DeviceID, Kind: f.Kind, Until: Time(f.Until), CreatedAt: Time(f.CreatedAt)}
	if f.Kind == busbar.FaultSlow {
		v.Delay = f.Delay.String()
	}
	return v
}

func (a *API) listFaults(ctx context.Context, r *Request) (*Reply, error) {
	req, err := r.page()
	if err != nil {
		return nil, err
	}
	page, err := a.Store.Faults(ctx, r.Env, busbar.DeviceID(r.Query.Get("deviceId")), req)
	if err != nil {
		return nil, err
	}
	return listOf(r, page, viewFault), nil
}

func (a *API) clearFaults(ctx context.Context, r *Request) (*Reply, error) {
	id, err := a.simulated(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := a.Store.ClearFaults(ctx, r.Env, id); err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, Deleted{string(id), true}}, nil
}
