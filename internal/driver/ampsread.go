package driver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"busbar"
)

// ampsDevice is what is read of a device of the API.
type ampsDevice struct {
	State map[string]json.RawMessage `json:"state"`
	Sync  struct {
		Available    *bool  `json:"available"`
		LastPulledAt string `json:"lastPulledAt"`
	} `json:"sync"`
	// Connection is told by another Busbar only.
	Connection string `json:"connection"`
}

// Read reads a device. That the API has lost it, or cannot reach it, is a reading too: it is disconnected.
func (a amps) Read(ctx context.Context, d busbar.Device) (Reading, error) {
	reply, err := a.call(ctx, d.Environment, d.Driver, ampsCall{
		method: http.MethodGet, path: []string{d.Family.Segment(), d.Driver.DeviceID},
	})
	if code := lostDevice(err); code != "" {
		return Reading{Connection: busbar.Disconnected, Reason: code}, nil
	}
	if err != nil {
		return Reading{}, err
	}
	var said ampsDevice
	if err := reply.into(&said); err != nil {
		return Reading{}, err
	}
	return said.reading(d.Family.Spec(), reply.clock(a.now())), nil
}

// lostDevice is the code of an error that says that the API cannot get to a device, whoever has to mend it.
func lostDevice(err error) string {
	var code string
	if e, ok := errors.AsType[*Error](err); ok {
		code = e.Code
	}
	if e, ok := errors.AsType[*RefusedError](err); ok {
		code = e.Code
	}
	switch code {
	case CodeDeviceOffline, "DEVICE_NOT_FOUND", "INVALID_CREDENTIALS", "CREDENTIAL_NOT_FOUND", "MFA_REQUIRED", "INVALID_MFA_CODE", "ACCOUNT_LOCKED":
		return code
	}
	return ""
}

// reading keeps of a device what its family has a place for. A field that is not known here, or has a value that cannot
// be, is left out: the API's families may have more of them than ours, and the rest is news all the same.
func (d *ampsDevice) reading(spec *busbar.Spec, now time.Time) Reading {
	r := Reading{State: busbar.State{}, Current: len(d.State) > 0}
	if d.Sync.Available != nil {
		r.Current = *d.Sync.Available
	}
	for name, raw := range d.State {
		var value any
		if json.Unmarshal(raw, &value) != nil {
			continue
		}
		if field, err := spec.CheckState("state", map[string]any{name: value}); err == nil {
			r.State[name] = field[name]
		}
	}
	if at, err := time.Parse(time.RFC3339, d.Sync.LastPulledAt); err == nil && !at.After(now) {
		r.ObservedAt = at.UTC()
	}
	if c, err := busbar.ParseConnection(d.Connection); err == nil {
		r.Connection = c
	} else if r.Current {
		r.Connection = busbar.Connected
	}
	return r
}
