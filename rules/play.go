package rules

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"busbar"
)

// nextHold is the one that is due first.
func (w *world) nextHold() *pendingHold {
	var first *pendingHold
	for i := range w.pending {
		if first == nil || w.pending[i].hold.Due.Before(first.hold.Due) {
			first = &w.pending[i]
		}
	}
	return first
}

func (w *world) nextOpening() (*Standing, time.Time) {
	var rule *Standing
	var first time.Time
	for _, r := range w.rules {
		if at, ok := w.openings[r]; ok && (first.IsZero() || at.Before(first)) {
			rule, first = r, at
		}
	}
	return rule, first
}

// advance lets time pass, with all that is due on the way.
func (w *world) advance(until time.Time) error {
	for {
		hold := w.nextHold()
		rule, opening := w.nextOpening()
		switch {
		case hold != nil && !hold.hold.Due.After(until) && (opening.IsZero() || !opening.Before(hold.hold.Due)):
			if err := w.endHold(*hold); err != nil {
				return err
			}
		case !opening.IsZero() && !opening.After(until):
			if err := w.openWindow(rule, opening); err != nil {
				return err
			}
		default:
			w.now = until
			return nil
		}
	}
}

func (w *world) endHold(p pendingHold) error {
	if err := w.spend(); err != nil {
		return err
	}
	w.now = p.hold.Due
	w.pending = slices.DeleteFunc(w.pending, func(other pendingHold) bool { return other.hold.ID == p.hold.ID })
	run, err := EndHold(w.snapshot(nil), p.rule, p.key, p.hold.ID, &p.event, w.now)
	if err != nil {
		return err
	}
	if err := w.apply(p.rule, &run, p.event); err != nil {
		return err
	}
	return w.settle()
}

func (w *world) openWindow(rule *Standing, at time.Time) error {
	if err := w.spend(); err != nil {
		return err
	}
	w.now = at
	w.openings[rule] = rule.NextOpening(at, w.loc)
	for _, key := range slices.Sorted(maps.Keys(rule.Keys)) {
		var device *busbar.Device
		if id, ok := KeyDevice(key); ok {
			device = w.snapshot(nil).device(id)
		}
		run := OpenWindow(w.snapshot(nil), rule, key, device, at)
		if err := w.apply(rule, &run, busbar.Event{}); err != nil {
			return err
		}
	}
	return w.settle()
}

// spend pays for one more happening.
func (w *world) spend() error {
	if *w.budget--; *w.budget < 0 {
		return fmt.Errorf("more than %d events, openings of windows and ends of holds come of it", MaxPlayed)
	}
	return nil
}

// snapshot is the home now. Devices keep reporting what they reported last.
func (w *world) snapshot(before *busbar.Device) *Snapshot {
	for i, d := range w.devices {
		fresh := *d
		fresh.ObservedAt = make(map[string]time.Time, len(d.Announced))
		for name := range d.Announced {
			fresh.ObservedAt[name] = w.now
		}
		fresh.StateAt, fresh.ReportedAt = w.now, w.now
		w.devices[i] = &fresh
	}
	return &Snapshot{
		Environment: w.site.Environment, Site: w.site, Location: w.loc, Devices: slices.Clone(w.devices), Before: before, Rules: w.rules,
	}
}

// happen makes an event of what a test gives.
func (w *world) happen(g *Given) error {
	e := busbar.Event{Type: g.Type, SiteID: w.site.ID}
	data := map[string]any{}
	maps.Copy(data, g.Data)
	var before *busbar.Device
	if g.Device != "" {
		at := slices.IndexFunc(w.devices, func(d *busbar.Device) bool { return string(d.ID) == g.Device || string(d.Family) == g.Device })
		if at < 0 {
			return fmt.Errorf("the test home has no device %q; it has one of each family", g.Device)
		}
		w.snapshot(nil)
		before = w.devices[at]
		changed, err := w.report(at, g)
		if err != nil {
			return err
		}
		if g.Type == busbar.TypeDeviceUpdated && len(changed) == 0 {
			return nil
		}
		e.DeviceID = before.ID
		data["deviceId"], data["deviceType"] = string(before.ID), string(before.Family)
		if g.Type == busbar.TypeDeviceUpdated {
			data["changed"], data["state"], data["previous"] = changed, w.devices[at].Announced, before.Announced
		}
	}
	if err := w.occur(e, data, before); err != nil {
		return err
	}
	return w.settle()
}

// report changes a device as an event about it does, and gives what events and rules see of that.
func (w *world) report(at int, g *Given) ([]string, error) {
	after := *w.devices[at]
	spec := after.Family.Spec()
	state, err := spec.CheckState("state", g.State)
	if err != nil {
		return nil, err
	}
	after.State = after.State.Merge(state)
	after.Announced = spec.Round(after.State)
	switch g.Type {
	case busbar.TypeDeviceConnected, busbar.TypeDeviceReconnected:
		after.Connection = busbar.Connected
	case busbar.TypeDeviceDisconnected:
		after.Connection = busbar.Disconnected
	}
	changed := spec.Changed(w.devices[at].Announced, after.Announced)
	w.devices[at] = &after
	return changed, nil
}

// occur has the rules decide at an event.
func (w *world) occur(e busbar.Event, data map[string]any, before *busbar.Device) error {
	if err := w.spend(); err != nil {
		return err
	}
	w.events++
	e.ID = busbar.EventID(fmt.Sprintf("evt_%d", w.events))
	e.Environment, e.Timestamp, e.ReceivedAt = w.site.Environment, w.now, w.now
	if e.Causation.RootEventID == "" {
		e.Causation.RootEventID = e.ID
	}
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("write data of event: %w", err)
	}
	e.Data = text
	runs, err := Decide(w.snapshot(before), &e, false)
	if err != nil {
		return err
	}
	for i := range runs {
		rule := w.rules[slices.IndexFunc(w.rules, func(r *Standing) bool { return r.ID == runs[i].RuleID })]
		if err := w.apply(rule, &runs[i], e); err != nil {
			return err
		}
	}
	return nil
}

// settle has what rules emit happen in its turn.
func (w *world) settle() error {
	for len(w.unhandled) > 0 {
		next := w.unhandled[0]
		w.unhandled = w.unhandled[1:]
		if err := w.occur(busbar.Event{Type: next.Type, SiteID: w.site.ID, Causation: next.causation}, next.Data, nil); err != nil {
			return err
		}
	}
	return nil
}

// apply keeps what a run moved, and carries out what it fired.
func (w *world) apply(rule *Standing, run *Run, e busbar.Event) error {
	rule.Keys[run.Key] = run.After
	w.Runs = append(w.Runs, *run)
	w.note("%s %s", rule.ID, run.Decision)
	if run.Ended != nil {
		w.pending = slices.DeleteFunc(w.pending, func(p pendingHold) bool { return p.hold.ID == run.Ended.ID })
	}
	if h := run.After.Hold; h != nil && !slices.ContainsFunc(w.pending, func(p pendingHold) bool { return p.hold.ID == h.ID }) && h.Due.After(w.now) {
		w.pending = append(w.pending, pendingHold{rule, run.Key, *h, e})
	}
	if run.Firing == nil {
		return nil
	}
	cause := &e
	if e.ID == "" {
		cause = nil
	}
	return rule.each(w.snapshot(nil), run, cause, w.now, func(step int, plan *StepPlan) bool { return w.carry(rule, run, plan, step) })
}

// carry puts on record what a step does; it reports whether the next one follows.
func (w *world) carry(rule *Standing, run *Run, plan *StepPlan, step int) bool {
	for _, c := range plan.Commands {
		w.Commands = append(w.Commands, PlayedCommand{w.now, rule.ID, c})
		w.note("%s push %s %s%s", rule.ID, c.DeviceID, c.Command, parametersText(c.Parameters))
	}
	if e := plan.Emission; e != nil {
		made := PlayedEmission{w.now, rule.ID, *e, run.Firing.Causation}
		w.Emissions = append(w.Emissions, made)
		w.unhandled = append(w.unhandled, made)
		text, err := json.Marshal(e.Data)
		if err != nil {
			text = []byte(err.Error())
		}
		w.note("%s emit %s %s", rule.ID, e.Type, text)
	}
	if plan.Status == StepReady || plan.Status == StepNoLongerWanted {
		return true
	}
	w.note("%s then[%d] %s%s", rule.ID, step, plan.Status, strings.TrimRight(" "+plan.Error, " "))
	return false
}

func (w *world) note(format string, args ...any) {
	w.Log = append(w.Log, "+"+short(w.now.Sub(w.begun))+" "+fmt.Sprintf(format, args...))
}

func parametersText(parameters map[string]busbar.Quantity) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		fmt.Fprintf(&b, " %s=%s%s", name, formatNumber(parameters[name].Value), parameters[name].Unit)
	}
	return b.String()
}
