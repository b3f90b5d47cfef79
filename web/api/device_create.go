package api

import (
	"context"
	"net/http"

	"busbar"
	"busbar/internal/store"
)

func (a *API) createDevice(ctx context.Context, r *Request) (*Reply, error) {
	body, err := decode[DeviceBody](r)
	if err != nil {
		return nil, err
	}
	c, err := a.checkDevice(ctx, r.Env, body, true)
	if err != nil {
		return nil, err
	}
	now := a.Now()
	d := busbar.Device{
		ID: busbar.DeviceID(body.ID.Or(string(busbar.NewDeviceID()))), Environment: r.Env, Family: busbar.Family(body.Type.Value),
		Connection: busbar.Disconnected, CreatedAt: now, UpdatedAt: now,
	}
	if err := c.apply(&d, true); err != nil {
		return nil, err
	}
	return a.create(ctx, r, http.StatusCreated, func(tx *store.Tx) (any, error) {
		return a.viewDevice(&d, nil).withSecret(c.secret), noSite(d.SiteID, tx.CreateDevice(&d))
	})
}

// noSite makes a site that does not exist the fault of the field that names it.
func noSite(id busbar.SiteID, err error) error {
	if err != nil && busbar.CodeOf(err) == busbar.CodeNotFound {
		return busbar.Invalid("siteId", "unknown", "there is no site %q", id)
	}
	return err
}
