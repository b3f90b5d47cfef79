package api

import (
	"fmt"
	"slices"
	"strings"

	"busbar"
	"busbar/internal/webhook"
	"busbar/web/strictjson"
)

// driverFields are what the kinds of drivers take beside their kind.
func driverFields(k busbar.DriverKind) []string {
	switch k {
	case busbar.DriverHTTP:
		return []string{"url", "secret"}
	case busbar.DriverAmps:
		return []string{"url", "apiKey", "deviceId"}
	case busbar.DriverSimulator, busbar.DriverManual:
	}
	return nil
}

// applyDriver changes how a device is reached.
func (c *deviceChange) applyDriver(d *busbar.Device, fresh bool) error {
	b := &c.body.Driver.Value
	var p problems
	kind := d.Driver.Kind
	switch {
	case b.Kind.Has():
		var err error
		if kind, err = busbar.ParseDriverKind(b.Kind.Value); err != nil {
			return busbar.Invalid("driver.kind", "enum", "%s", shorten(err.Error()))
		}
	case fresh || b.Kind.Null:
		return busbar.Invalid("driver.kind", "required", "is missing")
	}
	next := busbar.Driver{Kind: kind}
	if kind == d.Driver.Kind {
		next = d.Driver
	}
	takes := driverFields(kind)
	for _, f := range []struct {
		name  string
		given strictjson.Optional[string]
		into  *string
	}{
		{"url", b.URL, &next.URL},
		{"secret", b.Secret, &next.Secret},
		{"apiKey", b.APIKey, &next.Secret},
		{"deviceId", b.DeviceID, &next.DeviceID},
	} {
		path := "driver." + f.name
		if !slices.Contains(takes, f.name) {
			if f.given.Given {
				p.add(path, "unused", "a driver of the kind %s has no %s", kind, f.name)
			}
			continue
		}
		if f.given.Given {
			*f.into = f.given.Value
		}
		if *f.into == "" && f.name != "secret" {
			p.add(path, "required", "is missing")
		}
	}
	if err := c.checkSecret(&p, &next); err != nil {
		return err
	}
	d.Driver = next
	return p.err()
}

// checkSecret checks what a driver shows to the other side, and makes a signing secret where none is given.
func (c *deviceChange) checkSecret(p *problems, d *busbar.Driver) error {
	c.secret = ""
	switch d.Kind {
	case busbar.DriverHTTP:
		if d.Secret == "" {
			secret, err := webhook.GenerateHMAC()
			if err != nil {
				return fmt.Errorf("make secret of driver: %w", err)
			}
			d.Secret, c.secret = secret, secret
		}
		if _, err := webhook.ParseKey(d.Secret); err != nil || !strings.HasPrefix(d.Secret, "whsec_") {
			p.add("driver.secret", "format", "must be whsec_ and base64 of 18 to 75 bytes")
		}
	case busbar.DriverAmps:
		if err := busbar.CheckKey(d.Secret); err != nil {
			p.add("driver.apiKey", "format", "%v", err)
		}
		p.text("driver.deviceId", d.DeviceID, maxDeviceText)
	case busbar.DriverSimulator, busbar.DriverManual:
	}
	return nil
}
