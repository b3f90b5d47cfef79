package api

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"busbar"
)

// SettingsBody is a sparse map of settings.
type SettingsBody map[string]QuantityBody

// UpdatedSettings says which settings were changed.
type UpdatedSettings struct {
	DeviceID busbar.DeviceID            `json:"deviceId"`
	Updated  []string                   `json:"updated"`
	Settings map[string]busbar.SetRange `json:"settings" doc:"All of them, as they are now."`
}

func (a *API) updateSettings(ctx context.Context, r *Request, f busbar.Family) (*Reply, error) {
	id, err := r.deviceID()
	if err != nil {
		return nil, err
	}
	given, err := decodeSettings(r)
	if err != nil {
		return nil, a.aboutDevice(ctx, r.Env, id, f, err)
	}
	d, err := a.Store.UpdateDevice(ctx, r.Env, id, func(d *busbar.Device) error {
		if d.Family != f {
			return busbar.DeviceNotFound(id)
		}
		planned, err := d.PlanSettings(given)
		if err != nil {
			return err
		}
		settings := maps.Clone(d.Settings)
		if settings == nil {
			settings = make(map[string]busbar.Quantity, len(planned))
		}
		maps.Copy(settings, planned)
		d.Settings = settings
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, UpdatedSettings{id, slices.Sorted(maps.Keys(given)), d.Capabilities().Settings}}, nil
}

func decodeSettings(r *Request) (map[string]busbar.Quantity, error) {
	body, err := decode[SettingsBody](r)
	if err != nil {
		return nil, err
	}
	var p problems
	given := p.quantities("", body)
	if len(given) == 0 {
		p.add("body", "required", "must have at least one setting")
	}
	return given, p.err()
}

// aboutDevice makes an error of the body of a push one about the device it is for: one that does not exist comes first, and
// what the device can do goes with the rest.
func (a *API) aboutDevice(ctx context.Context, env busbar.Environment, id busbar.DeviceID, f busbar.Family, err error) error {
	var e *busbar.Error
	if !errors.As(err, &e) || Status(e.Code) != http.StatusUnprocessableEntity {
		return err
	}
	d, missing := a.Store.Device(ctx, env, id)
	switch {
	case missing != nil:
		return missing
	case d.Family != f:
		return busbar.DeviceNotFound(id)
	}
	about := *e
	about.Details = maps.Clone(e.Details)
	if about.Details == nil {
		about.Details = make(map[string]any, 1)
	}
	about.Details["deviceCapabilities"] = d.Capabilities()
	return &about
}
