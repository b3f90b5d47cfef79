package intake

import (
	"encoding/json"
	"fmt"

	"busbar"
)

// effect has an event that a producer offers about a registered device act on what is known of the device, as the routes for
// readings and connections do, and completes its data to what subscribers are promised of the type. A *busbar.Error
// refuses the event.
func (g *group) effect(u *unit, e *busbar.Event) error {
	d, _, ok := g.device(e.Environment, e.DeviceID)
	if !ok {
		return nil
	}
	facts := map[string]any{"deviceId": d.ID, "deviceType": d.Family, "timestamp": e.Timestamp.UTC().Format(timeFormat)}
	switch e.Type {
	case busbar.TypeDeviceUpdated:
		if err := g.reported(u, d, e, facts); err != nil {
			return err
		}
	case busbar.TypeDeviceConnected, busbar.TypeDeviceReconnected:
		g.connected(d, e, busbar.Connected)
	case busbar.TypeDeviceDisconnected:
		g.connected(d, e, busbar.Disconnected)
	default:
		return nil
	}
	return complete(e, facts)
}

// complete lays facts over an event's data; what else the producer says stays.
func complete(e *busbar.Event, facts map[string]any) error {
	var data map[string]json.RawMessage
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return fmt.Errorf("read data of event: %w", err)
	}
	for name, fact := range facts {
		b, err := json.Marshal(fact)
		if err != nil {
			return fmt.Errorf("complete data of event: %w", err)
		}
		data[name] = b
	}
	b, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("complete data of event: %w", err)
	}
	e.Data = b
	return nil
}

// connected notes a connection that a producer tells of, unless a later one is known already.
func (g *group) connected(d *busbar.Device, e *busbar.Event, status busbar.Connection) {
	if e.Timestamp.Before(d.ConnectionAt) {
		e.Flags = append(e.Flags, busbar.FlagLate)
		return
	}
	g.connect(d, status, e.Timestamp)
}

// reported merges the state that a producer's device.updated tells. One that is late is left as it was told.
func (g *group) reported(u *unit, d *busbar.Device, e *busbar.Event, facts map[string]any) error {
	var data struct {
		State map[string]any `json:"state"`
	}
	if err := json.Unmarshal(e.Data, &data); err != nil {
		return busbar.Invalid("data.state", "type", "must be an object")
	}
	state, err := d.Family.Spec().CheckState("data.state", data.State)
	if err != nil {
		return err
	}
	m := g.merge(d, state, e.Timestamp)
	if m.late {
		e.Flags = append(e.Flags, busbar.FlagLate)
		return nil
	}
	if m.back {
		if _, err := g.announceSync(u, d, m.previous, e.Timestamp); err != nil {
			return err
		}
	}
	if m.changed == nil {
		m.changed = []string{}
	}
	facts["changed"], facts["state"], facts["previous"] = m.changed, orEmpty(d.Announced), orEmpty(m.previous)
	if cause := echo(d, m.changed, e.Timestamp); cause.ActionID != "" {
		if cause.RootEventID == "" {
			cause.RootEventID = e.ID
		}
		e.Causation = cause
	}
	return nil
}
