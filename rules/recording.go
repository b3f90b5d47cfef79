package rules

import (
	"slices"
	"time"

	"busbar"
)

// Recording is what happened, as it was kept.
type Recording struct {
	Environment busbar.Environment
	Sites       []*busbar.Site
	// Devices are those of the sites. What they are called and can do, and their settings, are taken as they are given; so are
	// the states of those that no event is about. The states of the others are in the events.
	Devices []*busbar.Device
	// Events are in the order in which they were received. Those of one site are played in the order of their Seq.
	Events []busbar.Event
	// Until is how long holds may end, and windows open, after the last event.
	Until time.Time
}

// Recall puts a device into the state that an event told, as of now.
func Recall(d *busbar.Device, e *busbar.Event) error {
	data, err := decode(e)
	if err != nil {
		return err
	}
	if t, ok := tells(e, data); ok {
		d.Announced, d.SyncLost, d.ReportedAt = t.state, t.lost, e.Timestamp
		if t.lost {
			d.ReportedAt = e.Timestamp.Add(-d.StaleAfter)
		}
	}
	return nil
}

// Rewind puts a device into the state that an event told of it, and gives the device as it was before. An event that tells nothing
// of its device, or came late, leaves both as the device is.
func Rewind(d *busbar.Device, e *busbar.Event) (before *busbar.Device, err error) {
	was := *d
	data, err := decode(e)
	if err != nil || slices.Contains(e.Flags, busbar.FlagLate) {
		return &was, err
	}
	if c := connectionOf(e.Type); c != "" {
		d.Connection, was.Connection = c, busbar.Connected
		if c == busbar.Connected {
			was.Connection = busbar.Disconnected
		}
		return &was, nil
	}
	t, ok := tells(e, data)
	if !ok {
		return &was, nil
	}
	d.Announced, was.Announced = t.state, t.previous
	now, silent := e.Timestamp, e.Timestamp.Add(-d.StaleAfter)
	observe(d, now)
	observe(&was, now)
	if t.lost {
		observe(d, silent)
	}
	if t.back {
		observe(&was, silent.Add(-MaxActWithin))
	}
	return &was, nil
}

// observe has all fields of a device be as old as one reading.
func observe(d *busbar.Device, at time.Time) {
	d.ObservedAt = make(map[string]time.Time, len(d.Announced))
	for name := range d.Announced {
		d.ObservedAt[name] = at
	}
	d.StateAt, d.ReportedAt = at, at
}

// ordered gives the events of each site in the order of Seq, in the places that they have together.
func (r *Recording) ordered() []*busbar.Event {
	all := make([]*busbar.Event, len(r.Events))
	places := make(map[busbar.SiteID][]int)
	for i := range r.Events {
		all[i] = &r.Events[i]
		if e := all[i]; e.SiteID != "" && e.Seq > 0 {
			places[e.SiteID] = append(places[e.SiteID], i)
		}
	}
	for _, at := range places {
		own := make([]*busbar.Event, len(at))
		for i, place := range at {
			own[i] = all[place]
		}
		slices.SortStableFunc(own, func(a, b *busbar.Event) int { return int(a.Seq - b.Seq) })
		for i, place := range at {
			all[place] = own[i]
		}
	}
	return all
}

// recordedSite is a site while its events are played. The one of events without a site has none and no devices.
type recordedSite struct {
	env     busbar.Environment
	site    *busbar.Site
	loc     *time.Location
	devices []*recordedDevice
}

// recordedDevice is a device as events told of it so far.
type recordedDevice struct {
	*busbar.Device
	// lostAt is when it fell silent; zero while it reports.
	lostAt time.Time
	// seen: an event told its state, and connection, so that what was before the first one is known.
	seenState, seenConnection bool
}

// told is what an event tells of the state of its device.
type told struct {
	state, previous busbar.State
	// lost and back: it fell silent, or ended a silence.
	lost, back bool
}

// tells gives what an event with such data tells of the state of its device; ok is false when it tells nothing that was taken in.
func tells(e *busbar.Event, data map[string]any) (t told, ok bool) {
	if e.Type != busbar.TypeDeviceUpdated || slices.Contains(e.Flags, busbar.FlagLate) {
		return t, false
	}
	state, ok := data["state"].(map[string]any)
	previous, _ := data["previous"].(map[string]any)
	t.state, t.previous = valuesOf(state), valuesOf(previous)
	if sync, is := data["sync"].(map[string]any); is {
		available, _ := sync["available"].(bool)
		t.lost, t.back = !available, available
	}
	return t, ok
}

// valuesOf is what of a recorded state can be a field's value. No field holds a list or an object, but an event that was taken in
// before its device was registered may say anything.
func valuesOf(recorded map[string]any) busbar.State {
	state := make(busbar.State, len(recorded))
	for name, v := range recorded {
		switch v.(type) {
		case nil, bool, float64, string:
			state[name] = v
		}
	}
	return state
}

func (s *recordedSite) find(id busbar.DeviceID) *recordedDevice {
	i := slices.IndexFunc(s.devices, func(d *recordedDevice) bool { return d.ID == id })
	if i < 0 {
		return nil
	}
	return s.devices[i]
}

func (s *recordedSite) family(id busbar.DeviceID) busbar.Family {
	if d := s.find(id); d != nil {
		return d.Family
	}
	return ""
}

// begin learns from an event what was before it, when it is the first that tells something of its device.
func (s *recordedSite) begin(e *busbar.Event, start time.Time) error {
	d := s.find(e.DeviceID)
	if d == nil || slices.Contains(e.Flags, busbar.FlagLate) {
		return nil
	}
	switch {
	case e.Type == busbar.TypeDeviceUpdated && !d.seenState:
		data, err := decode(e)
		if err != nil {
			return err
		}
		t, ok := tells(e, data)
		if !ok {
			return nil
		}
		d.seenState, d.Announced, d.lostAt = true, t.previous, time.Time{}
		if t.back {
			// It fell silent before all that is recorded.
			d.lostAt = start.Add(-MaxActWithin)
		}
	case connectionOf(e.Type) != "" && !d.seenConnection:
		d.seenConnection, d.Connection = true, busbar.Connected
		if connectionOf(e.Type) == busbar.Connected {
			d.Connection = busbar.Disconnected
		}
	}
	return nil
}

// connectionOf is what an event of a type tells of a connection; empty when nothing.
func connectionOf(eventType string) busbar.Connection {
	switch eventType {
	case busbar.TypeDeviceConnected, busbar.TypeDeviceReconnected:
		return busbar.Connected
	case busbar.TypeDeviceDisconnected:
		return busbar.Disconnected
	}
	return ""
}

// apply has an event with such data act on its device, and gives the device as it was before; nil when it is about none of the
// site's.
func (s *recordedSite) apply(e *busbar.Event, data map[string]any) (before *recordedDevice) {
	d := s.find(e.DeviceID)
	if d == nil {
		return nil
	}
	was := *d
	after := *d.Device
	if t, ok := tells(e, data); ok {
		after.Announced, d.lostAt = t.state, time.Time{}
		if t.lost {
			d.lostAt = e.Timestamp
		}
	} else if c := connectionOf(e.Type); c != "" && !slices.Contains(e.Flags, busbar.FlagLate) {
		after.Connection = c
	}
	d.Device = &after
	return &was
}

// at is the device as rules see it at a time. An event tells no more of how old a reading is than that a device fell silent,
// so that until then all of its fields count as reported just now, and after it all as of the last time that it spoke.
func (d *recordedDevice) at(now time.Time) *busbar.Device {
	observed := now
	if !d.lostAt.IsZero() {
		observed = d.lostAt.Add(-d.StaleAfter)
	}
	shown := *d.Device
	observe(&shown, observed)
	shown.SyncLost = !d.lostAt.IsZero()
	return &shown
}

// snapshot is the site at a time. Before is the event's device as it was, nil when there is none.
func (s *recordedSite) snapshot(before *recordedDevice, now time.Time) *Snapshot {
	snap := &Snapshot{Environment: s.env, Site: s.site, Location: s.loc, Devices: make([]*busbar.Device, 0, len(s.devices))}
	for _, d := range s.devices {
		if !d.CreatedAt.After(now) {
			snap.Devices = append(snap.Devices, d.at(now))
		}
	}
	if before != nil && !before.CreatedAt.After(now) {
		snap.Before = before.at(now)
	}
	return snap
}
