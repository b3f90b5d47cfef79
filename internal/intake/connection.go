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
	g.connect(d, t.report.Status)
	t.outcome = ConnectionOutcome{Changed: true, EventID: g.emit(u, e)}
	return nil
}

func (g *group) connect(d *busbar.Device, status busbar.Connection) {
	d.Connection = status
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

// effect has an event that a producer offers about a registered device act on what is known of the device, as the routes for
// readings and connections do.
func (g *group) effect(e *busbar.Event) *busbar.Error {
	d, _, ok := g.device(e.Environment, e.DeviceID)
	if !ok {
		return nil
	}
	switch e.Type {
	case busbar.TypeDeviceUpdated:
		return g.reported(d, e)
	case busbar.TypeDeviceConnected, busbar.TypeDeviceReconnected:
		g.connect(d, busbar.Connected)
	case busbar.TypeDeviceDisconnected:
		g.connect(d, busbar.Disconnected)
	}
	return nil
}

// reported merges the state that a producer's device.updated tells.
func (g *group) reported(d *busbar.Device, e *busbar.Event) *busbar.Error {
	var data struct {
		State map[string]any `json:"state"`
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return busbar.Invalid("data.state", "type", "must be an object")
	}
	state, err := d.Family.Spec().CheckState("data.state", data.State)
	if err != nil {
		return asError(err)
	}
	m := g.merge(d, state, e.Timestamp)
	if m.late {
		e.Flags = append(e.Flags, busbar.FlagLate)
		return nil
	}
	if cause := echo(d, m.changed, e.Timestamp); cause.ActionID != "" && e.Causation.ParentID == "" {
		e.Causation = cause
	}
	return nil
}
