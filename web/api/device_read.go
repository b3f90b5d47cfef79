package api

import (
	"context"
	"net/http"

	"busbar"
	"busbar/internal/store"
)

// deviceID is a device that the path names.
func (r *Request) deviceID() (busbar.DeviceID, error) {
	id := busbar.DeviceID(r.Params["id"])
	if !busbar.ValidID(string(id)) {
		return "", busbar.DeviceNotFound(id)
	}
	return id, nil
}

func (a *API) listDevices(ctx context.Context, r *Request) (*Reply, error) {
	family := busbar.Family("")
	if text := r.Query.Get("type"); text != "" {
		var err error
		if family, err = busbar.ParseFamily(text); err != nil {
			return nil, busbar.Invalid("type", "enum", "%s", shorten(err.Error()))
		}
	}
	page, last, err := a.devices(ctx, r, family)
	if err != nil {
		return nil, err
	}
	return listOf(r, page, func(d *busbar.Device) Device { return a.viewDevice(d, last) }), nil
}

// devices gives a page of devices with the last action of each.
func (a *API) devices(
	ctx context.Context, r *Request, family busbar.Family,
) (page busbar.Page[busbar.Device], last map[busbar.DeviceID]busbar.Action, err error) {
	req, err := r.page()
	if err != nil {
		return page, nil, err
	}
	filter := store.DeviceFilter{Family: family, SiteID: busbar.SiteID(r.Query.Get("siteId")), UserID: r.Query.Get("userId")}
	if page, err = a.Store.Devices(ctx, r.Env, filter, req); err != nil {
		return page, nil, err
	}
	ids := make([]busbar.DeviceID, len(page.Items))
	for i := range page.Items {
		ids[i] = page.Items[i].ID
	}
	last, err = a.Store.LastActions(ctx, r.Env, ids)
	return page, last, err
}

func (a *API) getDevice(ctx context.Context, r *Request) (*Reply, error) {
	d, last, err := a.device(ctx, r)
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, a.viewDevice(&d, last)}, nil
}

// device is the one that the path names, with its last action.
func (a *API) device(ctx context.Context, r *Request) (busbar.Device, map[busbar.DeviceID]busbar.Action, error) {
	id, err := r.deviceID()
	if err != nil {
		return busbar.Device{}, nil, err
	}
	d, err := a.Store.Device(ctx, r.Env, id)
	if err != nil {
		return d, nil, err
	}
	last, err := a.Store.LastActions(ctx, r.Env, []busbar.DeviceID{id})
	return d, last, err
}
