package api

import (
	"context"
	"net/http"

	"busbar"
)

// Hold is how long a person keeps rules off a device.
type Hold struct {
	DeviceID  busbar.DeviceID `json:"deviceId"`
	HeldUntil *Time           `json:"heldUntil" doc:"null: rules may act on it again."`
}

func (a *API) deleteHold(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.deviceID()
	if err != nil {
		return nil, err
	}
	if err := a.Devices.ReleaseHold(ctx, r.Env, id); err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, Hold{DeviceID: id}}, nil
}
