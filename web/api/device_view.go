package api

import (
	"time"

	"busbar"
)

// Device is a device as its owner sees it: all that a read of its family has, and what it was created with.
type Device struct {
	DeviceRead
	Type       busbar.Family `json:"type" doc:"As deviceType." enum:"battery,ev_charger,hvac,solar_inverter,vehicle,meter"`
	Name       string        `json:"name"`
	Model      string        `json:"model"`
	UserID     string        `json:"userId"`
	StaleAfter string        `json:"staleAfter" doc:"A Go duration." example:"15m0s"`
	Driver     Driver        `json:"driver"`
	CreatedAt  Time          `json:"createdAt"`
	UpdatedAt  Time          `json:"updatedAt"`
}

// Driver is how a device is reached.
type Driver struct {
	Kind     busbar.DriverKind `json:"kind" enum:"simulator,http,amps,manual"`
	URL      string            `json:"url,omitempty"`
	DeviceID string            `json:"deviceId,omitempty" doc:"What an amps driver's API calls the device."`
	Secret   string            `json:"secret,omitempty" doc:"What an http driver signs with; only in the answer to the request that had it made." example:"whsec_…"`
}

// DeviceRead is a device as clients of its family see it.
type DeviceRead struct {
	ID                 busbar.DeviceID            `json:"id" example:"dev_battery"`
	DeviceType         busbar.Family              `json:"deviceType" enum:"battery,ev_charger,hvac,solar_inverter,vehicle,meter"`
	SiteID             busbar.SiteID              `json:"siteId"`
	Vendor             string                     `json:"vendor"`
	Connection         busbar.Connection          `json:"connection" enum:"connected,disconnected"`
	Sync               Sync                       `json:"sync"`
	State              busbar.State               `json:"state" doc:"What it reported last, by field, rounded to each field's resolution. GET /v1/families lists the fields."`
	Commands           busbar.Commands            `json:"commands" doc:"What it can do. A command, or a parameter, that is not there is not supported."`
	ConflictStrategies []busbar.ConflictStrategy  `json:"conflictStrategies"`
	Settings           map[string]busbar.SetRange `json:"settings" doc:"Those of its family; value is null when it was never set."`
	LastAction         *ActionSummary             `json:"lastAction"`
	HeldUntil          Time                       `json:"heldUntil,omitzero" doc:"A person keeps rules off it until then."`
}

// Sync says whether a device's state is to be believed.
type Sync struct {
	Available    bool  `json:"available" doc:"It has reported, and not been silent for longer than staleAfter since."`
	LastPulledAt *Time `json:"lastPulledAt" doc:"When it reported last."`
}

// ActionSummary is an action in short.
type ActionSummary struct {
	ID           busbar.ActionID    `json:"id"`
	Command      string             `json:"command"`
	State        busbar.ActionState `json:"state" enum:"scheduled,acknowledged,completed,failed,cancelled"`
	CreatedAt    Time               `json:"createdAt"`
	UpdatedAt    Time               `json:"updatedAt"`
	ErrorCode    *string            `json:"errorCode"`
	ErrorMessage *string            `json:"errorMessage"`
	Links        ActionLinks        `json:"links"`
}

// viewDeviceRead shows a device. The last actions are those of a page; a device without one may be missing there.
func (a *API) viewDeviceRead(d *busbar.Device, last map[busbar.DeviceID]busbar.Action) DeviceRead {
	can := d.Capabilities()
	v := DeviceRead{
		ID: d.ID, DeviceType: d.Family, SiteID: d.SiteID, Vendor: d.Vendor, Connection: d.Connection,
		Sync: Sync{Available: d.Synced(), LastPulledAt: optionalTime(d.ReportedAt)}, State: d.Announced,
		Commands: can.Commands, ConflictStrategies: can.ConflictStrategies, Settings: can.Settings,
	}
	if v.State == nil {
		v.State = busbar.State{}
	}
	if v.Commands == nil {
		v.Commands = busbar.Commands{}
	}
	if d.HeldUntil.After(a.Now()) {
		v.HeldUntil = Time(d.HeldUntil)
	}
	if act, ok := last[d.ID]; ok {
		v.LastAction = &ActionSummary{
			ID: act.ID, Command: act.Command, State: act.State, CreatedAt: Time(act.CreatedAt), UpdatedAt: Time(act.UpdatedAt),
			ErrorCode: optionalText(act.ErrorCode), ErrorMessage: optionalText(act.ErrorMessage), Links: a.actionLinks(&act),
		}
	}
	return v
}

func (a *API) viewDevice(d *busbar.Device, last map[busbar.DeviceID]busbar.Action) Device {
	return Device{
		DeviceRead: a.viewDeviceRead(d, last), Type: d.Family, Name: d.Name, Model: d.Model, UserID: d.UserID,
		StaleAfter: d.StaleAfter.String(), Driver: Driver{Kind: d.Driver.Kind, URL: d.Driver.URL, DeviceID: d.Driver.DeviceID},
		CreatedAt: Time(d.CreatedAt), UpdatedAt: Time(d.UpdatedAt),
	}
}

// withSecret shows a secret that was made for the driver.
func (d Device) withSecret(secret string) Device {
	d.Driver.Secret = secret
	return d
}

// optionalTime is null when there is no time.
func optionalTime(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	v := Time(t)
	return &v
}

// optionalText is null when there is no text.
func optionalText(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
