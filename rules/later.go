package rules

import (
	"strconv"
	"strings"
	"time"

	"busbar"
)

// EndHold gives what becomes of a hold that is due. The snapshot is of now; e is the event that began the hold. The
// edge must still have a hold of this id, otherwise it was broken or ended meanwhile and nothing moves. A hold that began under
// another version begins anew, whether it is due or not. A run that ends the hold is the one that began it: that becomes what was
// decided.
func EndHold(s *Snapshot, rule *Standing, key, holdID string, e *busbar.Event, now time.Time) (Run, error) {
	in, err := s.since(e, key, now)
	if err != nil {
		return Run{}, err
	}
	edge := rule.edge(key)
	a := asking{snap: s, rule: rule, in: in, before: in, steps: MaxSteps, now: now, edge: edge, run: Run{
		ID: runThatBegan(holdID), RuleID: rule.ID, RuleVersion: rule.Version, Key: key,
		Trigger: TriggerHold, EventID: e.ID, HoldID: holdID, DecidedAt: now, Before: edge,
	}}
	a.run.Decision = a.holdEnd(holdID)
	if a.edge.Hold != nil || a.run.Decision == DecisionError {
		a.run.ID = derivedID("run_", string(s.Environment), rule.ID, strconv.Itoa(rule.Version), key, holdID)
	}
	a.run.After = a.edge
	a.explain()
	return a.run, nil
}

// runThatBegan is the run at which a hold began: both ids are derived from the same event, or the same older hold.
func runThatBegan(holdID string) string { return "run_" + strings.TrimPrefix(holdID, "hold_") }

// Concludes reports whether the run is that which began its hold, as what it has become.
func (r *Run) Concludes() bool {
	return r.Trigger == TriggerHold && r.After.Hold == nil && r.ID == runThatBegan(r.HoldID)
}

func (a *asking) holdEnd(holdID string) Decision {
	h := a.edge.Hold
	switch {
	case h == nil || h.ID != holdID:
		return DecisionSuperseded
	case a.rule.Rule.Mode == ModeDisabled || a.snap.Stopped || a.rule.Paused:
		a.drop(DecisionSuperseded)
		return DecisionSuperseded
	case h.Version != a.rule.Version:
		return a.renew(h)
	case a.now.Before(h.Due):
		return DecisionHolding
	}
	t := a.condition()
	a.follow(t)
	switch {
	case a.edge.Hold == nil && t == isError:
		a.spend()
		return DecisionError
	case a.edge.Hold == nil:
		return a.run.Ended.Decision
	case t == isUnknown:
		// Within its grace: it fires when it is known again, or ends with the grace.
		waiting := *a.edge.Hold
		waiting.Due = waiting.UnknownSince.Add(a.rule.Rule.Grace + time.Millisecond)
		a.edge.Hold = &waiting
		return DecisionHolding
	}
	if d := a.timely(); d != "" {
		if a.edge.Hold != nil {
			a.drop(d)
		}
		a.run.Ended.Decision = d
		return d
	}
	return a.fire()
}

// renew begins a hold anew under the version that the rule has now, unless the condition is false under it. The edge stays armed.
func (a *asking) renew(old *Hold) Decision {
	a.drop(DecisionSuperseded)
	a.edge.Version, a.edge.Spent = a.rule.Version, false
	t := a.condition()
	if a.rule.Rule.For == 0 || t != isTrue && t != isUnknown {
		return DecisionSuperseded
	}
	a.edge.Hold = &Hold{
		ID: derivedID("hold_", string(a.snap.Environment), a.rule.ID, strconv.Itoa(a.rule.Version), a.run.Key, old.ID), Version: a.rule.Version,
		EventID: old.EventID, Since: a.now, Due: a.now.Add(a.rule.Rule.For),
	}
	if t == isUnknown {
		a.edge.Hold.UnknownSince = a.now
	}
	a.run.HoldID = a.edge.Hold.ID
	return DecisionHolding
}

// OpenWindow gives what a rule decides for a key when its window opens: it fires when the condition is true and the edge
// armed. Device is what the key is about, nil for other scopes.
func OpenWindow(s *Snapshot, rule *Standing, key string, device *busbar.Device, now time.Time) Run {
	in := &Input{Device: device, Site: s.Site, Devices: s.Devices, Location: s.Location, Clock: s.Clock, At: now}
	if in.Location == nil && s.Site != nil {
		in.Location = s.Site.Location()
	}
	if device != nil {
		in.Previous = device.Announced
	}
	edge := rule.edge(key)
	a := asking{snap: s, rule: rule, in: in, before: in, steps: MaxSteps, now: now, edge: edge, run: Run{
		ID: derivedID("run_", string(s.Environment), rule.ID, strconv.Itoa(rule.Version), key, "window", strconv.FormatInt(now.UnixMicro(), 10)), RuleID: rule.ID, RuleVersion: rule.Version,
		Key: key, Trigger: TriggerWindow, DecidedAt: now, Before: edge,
	}}
	a.run.Decision = a.opening()
	a.run.After = a.edge
	a.explain()
	return a.run
}

func (a *asking) opening() Decision {
	if a.snap.Stopped || a.rule.Paused || a.rule.Rule.Mode == ModeDisabled {
		return DecisionDisabled
	}
	t := a.condition()
	a.follow(t)
	switch t {
	case isError:
		a.spend()
		return DecisionError
	case isUnknown:
		return DecisionUnknown
	case isFalse:
		return DecisionFalse
	case isTrue:
	}
	if a.rising() && a.edge.Version != a.rule.Version {
		// Nothing happened under this version yet: what is true already does not fire because of an edit.
		a.edge.Version, a.edge.Spent = a.rule.Version, true
		return DecisionFirstSight
	}
	return a.wanted()
}

// NextOpening is when a window opens next after a time, on the clock of a location; zero when it never does. An opening
// that a clock change skips is the next time that exists, one that comes twice is the first.
func (w *Window) NextOpening(after time.Time, loc *time.Location) time.Time {
	if w.Location != nil {
		loc = w.Location
	}
	day := after.In(loc)
	for range 9 {
		wall := time.Date(day.Year(), day.Month(), day.Day(), w.From/60, w.From%60, 0, 0, time.UTC)
		opening, err := busbar.LocalTime(wall.Format(busbar.LocalTimeLayout), loc)
		if err == nil && opening.After(after) && w.on(wall.Weekday()) {
			return opening
		}
		day = time.Date(day.Year(), day.Month(), day.Day()+1, 12, 0, 0, 0, loc)
	}
	return time.Time{}
}

// NextOpening is when a rule's window opens next after a time at a site; zero when the rule has none.
func (c *Compiled) NextOpening(after time.Time, loc *time.Location) time.Time {
	if c.window == nil {
		return time.Time{}
	}
	return c.window.NextOpening(after, loc)
}
