package api

import (
	"context"
	"net/http"
	"net/url"

	"busbar"
	"busbar/internal/intake"
	"busbar/web/strictjson"
)

// ConnectionBody says whether a device can be reached.
type ConnectionBody struct {
	Status          strictjson.Optional[string] `json:"status" enum:"connected,disconnected" required:"true"`
	Reason          strictjson.Optional[string] `json:"reason" doc:"Why it cannot be reached." example:"credentials_expired"`
	ReconnectionURL strictjson.Optional[string] `json:"reconnectionUrl" doc:"Where its owner can connect it again." example:"https://example.com/reconnect"`
}

// TakenConnection is what became of a report.
type TakenConnection struct {
	DeviceID   busbar.DeviceID   `json:"deviceId"`
	Connection busbar.Connection `json:"connection" enum:"connected,disconnected"`
	Changed    bool              `json:"changed"`
	EventID    busbar.EventID    `json:"eventId,omitempty" doc:"The event that tells of the change."`
}

// maxURLBytes bounds URLs that are handed on.
const maxURLBytes = 2048

func (a *API) createConnection(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.deviceID()
	if err != nil {
		return nil, err
	}
	body, err := decode[ConnectionBody](r)
	if err != nil {
		return nil, err
	}
	report, err := body.check()
	if err != nil {
		return nil, err
	}
	report.DeviceID = id
	outcome, err := a.Devices.Connect(ctx, r.Env, report)
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusAccepted, TakenConnection{id, report.Status, outcome.Changed, outcome.EventID}}, nil
}

func (b *ConnectionBody) check() (intake.ConnectionReport, error) {
	report := intake.ConnectionReport{Reason: b.Reason.Value, ReconnectionURL: b.ReconnectionURL.Value}
	var p problems
	p.required("status", b.Status, true)
	if b.Status.Value != "" {
		var err error
		if report.Status, err = busbar.ParseConnection(b.Status.Value); err != nil {
			p.add("status", "enum", "%s", shorten(err.Error()))
		}
	}
	p.text("reason", report.Reason, maxDescription)
	if link := report.ReconnectionURL; link != "" {
		// Busbar only hands it on, for a person to open.
		u, err := url.Parse(link)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || len(link) > maxURLBytes {
			p.add("reconnectionUrl", "format", "must be a URL that begins with https:// or http://, of at most %d bytes", maxURLBytes)
		}
	}
	if report.Status == busbar.Connected && (report.Reason != "" || report.ReconnectionURL != "") {
		p.add("status", "conflict", "reason and reconnectionUrl are for devices that are disconnected")
	}
	return report, p.err()
}
