package api

import (
	"context"
	"net/http"
	"slices"

	"busbar"
)

// ofFamily makes the handler of one family's route.
func ofFamily(f busbar.Family, handle func(*API, context.Context, *Request, busbar.Family) (*Reply, error)) func(*API, context.Context, *Request) (*Reply, error) {
	return func(a *API, ctx context.Context, r *Request) (*Reply, error) { return handle(a, ctx, r, f) }
}

func (a *API) listDevicesOfFamily(ctx context.Context, r *Request, f busbar.Family) (*Reply, error) {
	if err := checkExpedite(r); err != nil {
		return nil, err
	}
	page, last, err := a.devices(ctx, r, f)
	if err != nil {
		return nil, err
	}
	return listOf(r, page, func(d *busbar.Device) DeviceRead { return a.viewDeviceRead(d, last) }), nil
}

func (a *API) getDeviceOfFamily(ctx context.Context, r *Request, f busbar.Family) (*Reply, error) {
	if err := checkExpedite(r); err != nil {
		return nil, err
	}
	d, last, err := a.device(ctx, r)
	if err != nil {
		return nil, err
	}
	if d.Family != f {
		return nil, busbar.DeviceNotFound(d.ID)
	}
	return &Reply{http.StatusOK, a.viewDeviceRead(&d, last)}, nil
}

// checkExpedite takes what clients of other APIs say to get a fresh state. There is no older one here.
func checkExpedite(r *Request) error {
	if text := r.Query.Get("expedite"); !slices.Contains([]string{"", "true", "false"}, text) {
		return busbar.Invalid("expedite", "enum", "must be true or false")
	}
	return nil
}
