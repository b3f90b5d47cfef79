package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"busbar"
	"busbar/internal/store"
)

// keepEvery is how often a reading that says the same as before goes into the history all the same.
const keepEvery = time.Minute

// timeFormat is RFC 3339 with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// Read takes in what devices of an environment report, in this order. A reading that changes what rules and subscribers
// see becomes a device.updated. The outcomes are in the order of the readings; each is committed.
func (in *Intake) Read(ctx context.Context, env busbar.Environment, readings []Reading) ([]ReadingOutcome, error) {
	t := &readTask{env: env, readings: readings}
	if err := in.do(ctx, env, t); err != nil {
		return nil, err
	}
	for _, o := range t.outcomes {
		status := string(o.Status)
		if o.Err != nil {
			status = "refused"
		}
		in.cfg.Observer.Reading(env, status)
	}
	return t.outcomes, nil
}

type readTask struct {
	env      busbar.Environment
	readings []Reading
	outcomes []ReadingOutcome
}

func (t *readTask) concerns(*store.DecisionTx) ([]busbar.DeviceID, bool, error) {
	ids := make([]busbar.DeviceID, 0, len(t.readings))
	for i := range t.readings {
		if t.readings[i].Err == nil {
			ids = append(ids, t.readings[i].DeviceID)
		}
	}
	return ids, false, nil
}

func (t *readTask) size() int { return len(t.readings) }

func (t *readTask) decide(g *group, u *unit) error {
	t.outcomes = make([]ReadingOutcome, len(t.readings))
	for i := range t.readings {
		r := &t.readings[i]
		if r.Err != nil {
			t.outcomes[i].Err = r.Err
			continue
		}
		outcome, err := g.read(u, r)
		if err := errorOf(err, g.follow()); err != nil {
			return err
		}
		t.outcomes[i] = outcome
	}
	return nil
}

// read decides of one reading.
func (g *group) read(u *unit, r *Reading) (ReadingOutcome, error) {
	d, _, ok := g.device(u.env, r.DeviceID)
	if !ok {
		return ReadingOutcome{Err: busbar.DeviceNotFound(r.DeviceID)}, nil
	}
	spec := d.Family.Spec()
	state, err := spec.CheckState("state", r.State)
	if err != nil {
		return ReadingOutcome{Err: asError(err)}, nil
	}
	at := r.ObservedAt
	if at.IsZero() || at.After(g.now.Add(busbar.MaxClockSkew)) {
		at = g.now
	}
	m := g.merge(d, state, at)
	if m.late {
		return ReadingOutcome{Status: ReadingLate}, nil
	}
	outcome := ReadingOutcome{Status: ReadingUnchanged}
	if m.back {
		if outcome, err = g.announceSync(u, d, m.previous, at); err != nil {
			return outcome, err
		}
	}
	if len(m.changed) == 0 {
		return outcome, nil
	}
	e, err := updated(d, m.changed, m.previous, at)
	if err != nil {
		return ReadingOutcome{}, err
	}
	return ReadingOutcome{Status: ReadingUpdated, EventID: g.emit(u, e)}, nil
}

// announceSync tells that a device fell silent or is back: an event of its own, whatever else has changed. Rules are asked at
// it before anything else happens, and see the state that it tells.
func (g *group) announceSync(u *unit, d *busbar.Device, state busbar.State, at time.Time) (ReadingOutcome, error) {
	changed := d.Announced
	d.Announced = state
	defer func() { d.Announced = changed }()
	e, err := updated(d, []string{fieldSync}, state, at)
	if err != nil {
		return ReadingOutcome{}, err
	}
	outcome := ReadingOutcome{Status: ReadingUpdated, EventID: g.emit(u, e)}
	if err := g.follow(); err != nil {
		return outcome, err
	}
	g.note(d)
	return outcome, nil
}

// asError is for errors that are known to be about a request.
func asError(err error) *busbar.Error {
	e, ok := errors.AsType[*busbar.Error](err)
	if !ok {
		return &busbar.Error{Code: busbar.CodeInternal, Message: "it could not be checked", Err: err}
	}
	return e
}

// merged is what a reading changed.
type merged struct {
	// late: it is older than what is known already, and changed nothing.
	late bool
	// back: it ended a silence.
	back bool
	// changed are the fields whose rounded values differ from those in previous.
	changed  []string
	previous busbar.State
}

// fieldSync stands among the changed fields for a device that fell silent or is back.
const fieldSync = "sync"

// merge lays a reading over what is known of a device.
func (g *group) merge(d *busbar.Device, state busbar.State, at time.Time) merged {
	reading := store.Reading{Environment: d.Environment, DeviceID: d.ID, ObservedAt: at, ReceivedAt: g.now, State: state}
	if at.Before(d.StateAt) {
		reading.Late = true
		g.readings = append(g.readings, reading)
		return merged{late: true}
	}
	g.note(d)
	spec := d.Family.Spec()
	m := merged{previous: d.Announced, back: d.SyncLost}
	news := differs(d.State, state)
	d.State = d.State.Merge(state)
	rounded := spec.Round(d.State)
	if m.changed = spec.Changed(d.Announced, rounded); len(m.changed) > 0 {
		d.Announced = rounded
	}
	d.SyncLost = false
	observed := make(map[string]time.Time, len(d.State))
	for name := range d.State {
		observed[name] = d.ObservedAt[name]
	}
	for name := range state {
		observed[name] = at
	}
	d.ObservedAt, d.StateAt, d.ReportedAt = observed, at, g.now
	if d.CheckAt.IsZero() {
		d.CheckAt = d.StaleAt()
	}
	if news || g.now.Sub(d.KeptAt) >= keepEvery {
		d.KeptAt = g.now
		g.readings = append(g.readings, reading)
	}
	g.devices.add(d)
	return m
}

// differs reports whether a reading says anything else, as reported, than what is known.
func differs(known, reading busbar.State) bool {
	for name, v := range reading {
		if was, ok := known[name]; !ok || was != v {
			return true
		}
	}
	return false
}

// updatedData is the data of a device.updated.
type updatedData struct {
	DeviceID   busbar.DeviceID `json:"deviceId"`
	DeviceType busbar.Family   `json:"deviceType"`
	Timestamp  string          `json:"timestamp"`
	Changed    []string        `json:"changed"`
	State      busbar.State    `json:"state"`
	Previous   busbar.State    `json:"previous"`
	// Sync is there when it is among the changed.
	Sync *syncData `json:"sync,omitempty"`
}

type syncData struct {
	Available bool `json:"available"`
}

// updated is the event that tells of a change.
func updated(d *busbar.Device, changed []string, previous busbar.State, at time.Time) (busbar.Event, error) {
	data := updatedData{
		DeviceID: d.ID, DeviceType: d.Family, Timestamp: at.UTC().Format(timeFormat),
		Changed: changed, State: orEmpty(d.Announced), Previous: orEmpty(previous),
	}
	if slices.Contains(changed, fieldSync) {
		data.Sync = &syncData{Available: d.Synced()}
	}
	b, err := json.Marshal(data)
	if err != nil {
		return busbar.Event{}, fmt.Errorf("write change of %s: %w", d.ID, err)
	}
	return busbar.Event{Type: busbar.TypeDeviceUpdated, DeviceID: d.ID, Timestamp: at, Data: b, Causation: echo(d, changed, at)}, nil
}

func orEmpty(s busbar.State) busbar.State {
	if s == nil {
		return busbar.State{}
	}
	return s
}

// echo is the causation of a change that a command has likely brought about: it came soon after the command was accepted,
// and touches what the command affects.
func echo(d *busbar.Device, changed []string, at time.Time) busbar.Causation {
	if d.Echo == nil || at.Before(d.Echo.At) || at.Sub(d.Echo.At) > busbar.EchoWindow {
		return busbar.Causation{}
	}
	command, ok := d.Family.Spec().Command(d.Echo.Command)
	if !ok || !slices.ContainsFunc(changed, func(name string) bool { return slices.Contains(command.Affects, name) }) {
		return busbar.Causation{}
	}
	c := d.Echo.Causation
	c.ParentID, c.ActionID, c.Inferred = string(d.Echo.ActionID), string(d.Echo.ActionID), true
	return c
}
