package api

import (
	"context"
	"net/http"

	"busbar"
)

func (a *API) updateDevice(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.deviceID()
	if err != nil {
		return nil, err
	}
	body, err := decode[DeviceBody](r)
	if err != nil {
		return nil, err
	}
	// Whether it exists is asked first: a name server has nothing to do with a device that does not.
	if _, err := a.Store.Device(ctx, r.Env, id); err != nil {
		return nil, err
	}
	c, err := a.checkDevice(ctx, r.Env, body, false)
	if err != nil {
		return nil, err
	}
	d, err := a.Store.UpdateDevice(ctx, r.Env, id, func(d *busbar.Device) error { return c.apply(d, false) })
	if err != nil {
		return nil, noSite(busbar.SiteID(body.SiteID.Value), err)
	}
	last, err := a.Store.LastActions(ctx, r.Env, []busbar.DeviceID{id})
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, a.viewDevice(&d, last).withSecret(c.secret)}, nil
}

func (a *API) deleteDevice(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.deviceID()
	if err != nil {
		return nil, err
	}
	if err := a.Store.DeleteDevice(ctx, r.Env, id); err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, Deleted{string(id), true}}, nil
}
