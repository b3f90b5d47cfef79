package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"busbar"
	"busbar/internal/store"
)

// Connect notes that a device can or cannot be reached. Only a change becomes an event.
func (in *Intake) Connect(ctx context.Context, env busbar.Environment, r ConnectionReport) (ConnectionOutcome, error) {
	t := &connectTask{report: r}
	err := in.do(ctx, env, t)
	return t.outcome, err
}

type connectTask struct {
	report  ConnectionReport
	outcome ConnectionOutcome
}

func (t *connectTask) concerns(*store.DecisionTx) ([]busbar.DeviceID, bool, error) {
	return []busbar.DeviceID{t.report.DeviceID}, false, nil
}

func (t *connectTask) size() int { return 1 }

func (t *connectTask) decide(g *group, u *unit) error {
	t.outcome = ConnectionOutcome{}
	d, _, ok := g.device(u.env, t.report.DeviceID)
	if !ok {
		return busbar.DeviceNotFound(t.report.DeviceID)
	}
	if d.Connection == t.report.Status {
		g.connect(d, t.report.Status, g.now)
		return nil
	}
	kind := busbar.TypeDeviceDisconnected
	if t.report.Status == busbar.Connected {
		kind = busbar.TypeDeviceConnected
		if d.WasConnected {
			kind = busbar.TypeDeviceReconnected
		}
	}
	e, err := connectionEvent(d, kind, &t.report, g.now)
	if err != nil {
		return err
	}
	g.connect(d, t.report.Status, g.now)
	t.outcome = ConnectionOutcome{Changed: true, EventID: g.emit(u, e)}
	return nil
}

func (g *group) connect(d *busbar.Device, status busbar.Connection, at time.Time) {
	g.note(d)
	d.Connection, d.ConnectionAt = status, at
	d.WasConnected = d.WasConnected || status == busbar.Connected
	g.devices.add(d)
}

func connectionEvent(d *busbar.Device, kind string, r *ConnectionReport, now time.Time) (busbar.Event, error) {
	data := struct {
		DeviceID        busbar.DeviceID `json:"deviceId"`
		DeviceType      busbar.Family   `json:"deviceType"`
		Timestamp       string          `json:"timestamp"`
		Reason          string          `json:"reason,omitempty"`
		ReconnectionURL string          `json:"reconnectionUrl,omitempty"`
	}{DeviceID: d.ID, DeviceType: d.Family, Timestamp: now.UTC().Format(timeFormat)}
	if kind == busbar.TypeDeviceDisconnected {
		data.Reason, data.ReconnectionURL = r.Reason, r.ReconnectionURL
	}
	b, err := json.Marshal(data)
	if err != nil {
		return busbar.Event{}, fmt.Errorf("write connection of %s: %w", d.ID, err)
	}
	return busbar.Event{Type: kind, DeviceID: d.ID, Timestamp: now, Data: b}, nil
}
