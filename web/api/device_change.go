package api

import (
	"context"
	"maps"
	"time"

	"busbar"
	"busbar/web/strictjson"
)

// maxDeviceText bounds each of a device's texts.
const maxDeviceText = 100

// deviceChange is what a body makes of a device. What can be told without knowing the device was checked.
type deviceChange struct {
	body       DeviceBody
	staleAfter time.Duration
	settings   map[string]busbar.Quantity
	// secret is that of an http driver when it was made up here, to be shown once.
	secret string
}

// checkDevice checks what can be told without knowing the device. A name server may be asked here, so this comes before any
// transaction.
func (a *API) checkDevice(ctx context.Context, env busbar.Environment, body DeviceBody, fresh bool) (*deviceChange, error) {
	c := &deviceChange{body: body}
	var p problems
	p.chosenID(body.ID, fresh)
	p.required("type", body.Type, fresh)
	if body.Type.Value != "" && fresh {
		if _, err := busbar.ParseFamily(body.Type.Value); err != nil {
			p.add("type", "enum", "%s", shorten(err.Error()))
		}
	}
	if body.Type.Has() && !fresh {
		p.add("type", "immutable", "cannot be changed")
	}
	p.required("siteId", body.SiteID, fresh)
	if id := body.SiteID.Value; id != "" && !busbar.ValidID(id) {
		p.add("siteId", "format", "must have 1 to 64 of A-Z, a-z, 0-9, _ and -")
	}
	p.text("name", body.Name.Value, maxDeviceText)
	p.text("vendor", body.Vendor.Value, maxDeviceText)
	p.text("model", body.Model.Value, maxDeviceText)
	p.text("userId", body.UserID.Value, maxDeviceText)
	c.staleAfter = p.duration("staleAfter", body.StaleAfter, busbar.MinStaleAfter, busbar.MaxStaleAfter)
	if !body.Driver.Has() && (fresh || body.Driver.Null) {
		p.add("driver", "required", "is missing")
	}
	given := make(map[string]QuantityBody, len(body.Settings.Value))
	for name, q := range body.Settings.Value {
		if q.Has() {
			given[name] = q.Value
		}
	}
	c.settings = p.quantities("settings", given)
	if url := body.Driver.Value.URL; url.Has() {
		if err := p.note(a.checkURL(ctx, env, "driver.url", url.Value)); err != nil {
			return nil, err
		}
	}
	return c, p.err()
}

// apply changes a device. On a fresh one it fills in the defaults too. It may run more than once.
func (c *deviceChange) apply(d *busbar.Device, fresh bool) error {
	b := &c.body
	if b.SiteID.Has() {
		d.SiteID = busbar.SiteID(b.SiteID.Value)
	}
	replace(&d.Name, b.Name)
	replace(&d.Vendor, b.Vendor)
	replace(&d.Model, b.Model)
	replace(&d.UserID, b.UserID)
	if b.StaleAfter.Given || fresh {
		d.StaleAfter = c.staleAfter
		if !b.StaleAfter.Has() {
			d.StaleAfter = busbar.DefaultStaleAfter
		}
	}
	var p problems
	if b.Driver.Has() {
		if err := p.note(c.applyDriver(d, fresh)); err != nil {
			return err
		}
	}
	switch spec := d.Family.Spec(); {
	case b.Commands.Has():
		d.Commands = p.commands(spec, b.Commands.Value)
	case b.Commands.Null || fresh:
		d.Commands = spec.DefaultCommands()
	}
	if err := p.err(); err != nil {
		return err
	}
	return c.applySettings(d)
}

func replace(text *string, given strictjson.Optional[string]) {
	if given.Given {
		*text = given.Value
	}
}

func (c *deviceChange) applySettings(d *busbar.Device) error {
	given := &c.body.Settings
	settings := make(map[string]busbar.Quantity, len(d.Settings)+len(given.Value))
	if !given.Null {
		maps.Copy(settings, d.Settings)
	}
	for name, q := range given.Value {
		if q.Null {
			delete(settings, name)
		}
	}
	planned, err := d.PlanSettings(c.settings)
	if err != nil {
		return under("settings", err)
	}
	maps.Copy(settings, planned)
	d.Settings = settings
	return nil
}

// under puts the paths of an error about a part of the body below the name of that part.
func under(path string, err error) error {
	e, ok := err.(*busbar.Error) //nolint:errorlint // the domain gives it as it is
	if !ok {
		return err
	}
	for i := range e.Fields {
		e.Fields[i].Path = path + "." + e.Fields[i].Path
	}
	return e
}
