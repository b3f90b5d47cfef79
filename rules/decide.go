package rules

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"busbar"
)

// Decide gives what the rules decide at an event, one run for each that the event concerns. It is pure: the live way, a
// back-test and the tests that a rule carries call this. The caller keeps what moved, in the transaction that gives the event its
// place.
func Decide(s *Snapshot, e *busbar.Event, late bool) ([]Run, error) {
	o := s.occasion(e)
	concerned := make([]*Standing, 0, len(s.Rules))
	for _, rule := range s.Rules {
		if o.concerns(rule) {
			concerned = append(concerned, rule)
		}
	}
	if len(concerned) == 0 {
		return nil, nil
	}
	after, err := s.after(e)
	if err != nil {
		return nil, err
	}
	before := s.before(after)
	runs := make([]Run, len(concerned))
	for i, rule := range concerned {
		runs[i] = s.decide(rule, &o, after, before, Steps(len(concerned)), late)
	}
	return runs, nil
}

// decide has one rule decide at an event, given what expressions see after and before it.
func (s *Snapshot) decide(rule *Standing, o *occasion, after, before *Input, steps int, late bool) Run {
	e := after.Event
	key, _ := o.keys.Of(rule.Rule)
	a := asking{
		snap: s, rule: rule, in: after, before: before, steps: steps, now: e.ReceivedAt, edge: rule.edge(key),
		run: Run{
			ID: EventRunID(s.Environment, rule.ID, rule.Version, key, e.ID), RuleID: rule.ID, RuleVersion: rule.Version, Key: key,
			Trigger: TriggerEvent, EventID: e.ID, DecidedAt: e.ReceivedAt, Lateness: max(0, e.ReceivedAt.Sub(e.Timestamp)),
		},
	}
	a.run.Before = a.edge
	a.run.Decision = a.event(late)
	a.run.After = a.edge
	a.explain()
	return a.run
}

// occasion is what decides which rules are asked at an event.
type occasion struct {
	event  *busbar.Event
	family busbar.Family
	keys   ScopeKeys
}

func (s *Snapshot) occasion(e *busbar.Event) occasion {
	o := occasion{event: e, keys: KeysOf(e)}
	if d := s.device(e.DeviceID); d != nil {
		o.family = d.Family
	}
	return o
}

// concerns reports whether a rule is asked.
func (o *occasion) concerns(r *Standing) bool {
	rule, e := r.Rule, o.event
	if !rule.Listens(e.Type, o.family) {
		return false
	}
	if len(rule.SiteIDs) > 0 && !slices.Contains(rule.SiteIDs, string(e.SiteID)) {
		return false
	}
	_, ok := o.keys.Of(rule)
	return ok
}

func (s *Snapshot) device(id busbar.DeviceID) *busbar.Device {
	i := slices.IndexFunc(s.Devices, func(d *busbar.Device) bool { return d.ID == id })
	if i < 0 {
		return nil
	}
	return s.Devices[i]
}

// after is what expressions see of an event.
func (s *Snapshot) after(e *busbar.Event) (*Input, error) {
	data, err := decode(e)
	if err != nil {
		return nil, err
	}
	return s.seen(e, data), nil
}

// seen is what expressions see of an event with such data.
func (s *Snapshot) seen(e *busbar.Event, data map[string]any) *Input {
	in := &Input{Event: e, Data: data, Device: s.device(e.DeviceID), Site: s.Site, Devices: s.Devices, Location: s.Location, Clock: s.Clock, At: e.Timestamp}
	if in.Location == nil && s.Site != nil {
		in.Location = s.Site.Location()
	}
	if in.Device == nil {
		return in
	}
	in.Previous = in.Device.Announced
	if s.Before != nil {
		in.Previous = s.Before.Announced
	}
	in.Changed = in.Device.Family.Spec().Changed(in.Previous, in.Device.Announced)
	if named, ok := in.Data["changed"].([]any); ok && e.Type == busbar.TypeDeviceUpdated {
		in.Changed = in.Changed[:0]
		for _, n := range named {
			if text, ok := n.(string); ok {
				in.Changed = append(in.Changed, text)
			}
		}
	}
	return in
}

// before is the state just before an event: nothing has happened, and what the event says is not known.
func (s *Snapshot) before(after *Input) *Input {
	in := *after
	in.Event, in.Data, in.Changed = nil, nil, nil
	if s.Before == nil || after.Device == nil {
		return &in
	}
	in.Device = s.Before
	in.Devices = slices.Clone(s.Devices)
	for i, d := range in.Devices {
		if d.ID == s.Before.ID {
			in.Devices[i] = s.Before
		}
	}
	return &in
}

// asking is one rule at one event, hold end or window opening.
type asking struct {
	snap   *Snapshot
	rule   *Standing
	in     *Input
	before *Input
	steps  int
	now    time.Time
	edge   EdgeState
	run    Run
	// unseen: there was no reading before this event, so that the event itself sets the edge.
	unseen bool
	// given is what the condition gave; nil when it was not asked.
	given *result
}

func (a *asking) rising() bool { return a.rule.Rule.Edge != EdgeEvery }

// truth is what a condition gave.
type truth int

const (
	isFalse truth = iota
	isTrue
	isUnknown
	isError
)

// ask evaluates a condition.
func (a *asking) ask(p *program, in *Input) (truth, result) {
	r := p.run(in, a.steps)
	switch {
	case r.err != nil:
		return isError, r
	case r.value.missing():
		return isUnknown, r
	case r.value.kind != kindBool:
		r.err = &EvaluationError{At: p.short, Message: fmt.Sprintf("gives %s, where a boolean is needed", r.value.kind)}
		return isError, r
	case r.value.bool():
		return isTrue, r
	default:
		return isFalse, r
	}
}

// condition evaluates `if` and puts on record what it did not know.
func (a *asking) condition() truth {
	t, r := a.ask(a.rule.condition, a.in)
	a.given = &r
	a.run.Unknown, a.run.LeftOut = r.value.unknowns(), r.leftOut
	a.fail("", r.err)
	return t
}

// fail puts on record what could not be evaluated; what came first stays.
func (a *asking) fail(part string, err *EvaluationError) {
	if err == nil || a.run.Error != "" {
		return
	}
	a.run.Error, a.run.Limit = part+err.Error(), err.Limit
}

// event goes through the gates in their order. What it gives is the decision; a.edge is what becomes of the edge.
func (a *asking) event(late bool) Decision {
	e := a.in.Event
	if e.Causation.Depth > MaxDepth {
		a.run.Cut = a.cut(late)
		a.spend()
		return DecisionDepthLimit
	}
	if a.snap.Stopped || a.rule.Paused {
		a.begin()
		if !a.unseen {
			a.follow(a.condition())
		}
		return DecisionDisabled
	}
	switch {
	case late:
		return DecisionLate
	case a.tooOld():
		return DecisionTooOld
	}
	a.begin()
	t := a.condition()
	a.follow(t)
	switch t {
	case isError:
		a.spend()
		return DecisionError
	case isUnknown:
		return DecisionUnknown
	case isFalse:
		a.see(false)
		return DecisionFalse
	case isTrue:
	}
	if a.unseen {
		a.see(true)
		return DecisionFirstSight
	}
	return a.wanted()
}

func (a *asking) tooOld() bool {
	return a.in.Event.ReceivedAt.Sub(a.in.Event.Timestamp) > a.rule.Rule.ActWithin
}

// cut reports whether the rule would have fired, or begun a hold, had the event not lain too deep.
func (a *asking) cut(late bool) bool {
	if a.snap.Stopped || a.rule.Paused || late || a.tooOld() {
		return false
	}
	would := *a
	would.begin()
	t := would.condition()
	would.follow(t)
	return t == isTrue && !would.unseen && (!would.rising() || !would.edge.Spent) && would.timely() == ""
}

// begin sets the edge at the first event under a version.
func (a *asking) begin() {
	switch {
	case !a.rising() || a.edge.Version == a.rule.Version:
	case a.edge.Hold != nil:
		// A key whose hold was running at the edit stays armed.
		a.drop(DecisionSuperseded)
		a.edge.Version, a.edge.Spent = a.rule.Version, false
	case a.in.Event.Type == busbar.TypeDeviceUpdated && a.before.Device != nil && len(a.before.Device.Announced) == 0:
		a.unseen = true
	default:
		t, _ := a.ask(a.rule.condition, a.before)
		a.edge.Version, a.edge.Spent = a.rule.Version, t == isTrue
	}
}

// see sets the edge from the event itself.
func (a *asking) see(spent bool) {
	if a.unseen {
		a.edge.Version, a.edge.Spent = a.rule.Version, spent
	}
}

// follow does what a condition means for re-arming and for a hold that is running.
func (a *asking) follow(t truth) {
	if a.rearmed(t) {
		a.edge.Spent = false
	}
	h := a.edge.Hold
	if h == nil {
		return
	}
	switch t {
	case isFalse:
		a.drop(DecisionHoldBroken)
	case isUnknown:
		a.cloud()
	case isTrue:
		if !h.UnknownSince.IsZero() {
			if a.beyondGrace(h) {
				a.drop(DecisionUnknown)
				return
			}
			known := *h
			known.UnknownSince = time.Time{}
			a.edge.Hold = &known
		}
	case isError:
		a.drop(DecisionHoldBroken)
	}
}

// cloud notes that the condition of a hold is not known, and ends the hold when that has lasted too long.
func (a *asking) cloud() {
	h := *a.edge.Hold
	if h.UnknownSince.IsZero() {
		h.UnknownSince = a.now
	}
	a.edge.Hold = &h
	if a.beyondGrace(&h) || a.rule.Rule.Grace == 0 {
		a.drop(DecisionUnknown)
	}
}

func (a *asking) beyondGrace(h *Hold) bool { return a.now.Sub(h.UnknownSince) > a.rule.Rule.Grace }

// rearmed reports whether the edge is armed again. Unknown never arms.
func (a *asking) rearmed(t truth) bool {
	if a.rule.rearm == nil {
		return t == isFalse
	}
	armed, r := a.ask(a.rule.rearm, a.in)
	a.fail("rearm: ", r.err)
	return armed == isTrue
}

// drop ends a hold.
func (a *asking) drop(why Decision) {
	a.run.Ended = &HoldEnd{a.edge.Hold.ID, why}
	a.edge.Hold = nil
}

// spend uses the edge up.
func (a *asking) spend() {
	if a.edge.Hold != nil {
		a.drop(DecisionHoldBroken)
	}
	if a.rising() {
		a.edge.Version, a.edge.Spent = a.rule.Version, true
	}
}

// wanted goes on where the condition is true.
func (a *asking) wanted() Decision {
	rule := a.rule.Rule
	if a.rising() && a.edge.Spent {
		return DecisionAlreadyTrue
	}
	if d := a.timely(); d != "" {
		return d
	}
	if rule.For > 0 && a.run.Trigger == TriggerEvent {
		if a.edge.Hold == nil {
			a.edge.Hold = &Hold{
				ID: derivedID("hold_", string(a.snap.Environment), a.rule.ID, strconv.Itoa(a.rule.Version), a.run.Key, string(a.in.Event.ID)), Version: a.rule.Version,
				EventID: a.in.Event.ID, Since: a.now, Due: a.now.Add(rule.For),
			}
		}
		a.run.HoldID = a.edge.Hold.ID
		if a.now.Before(a.edge.Hold.Due) {
			return DecisionHolding
		}
	}
	return a.fire()
}

// timely holds the window and the cooldown; the decision is empty when neither is in the way.
func (a *asking) timely() Decision {
	if w := a.rule.window; w != nil && !w.Contains(a.in.now()) {
		return DecisionOutsideWindow
	}
	if c := a.rule.Rule.Cooldown; c > 0 && !a.edge.FiredAt.IsZero() && a.in.At.Sub(a.edge.FiredAt) < c {
		a.spend()
		return DecisionCooldown
	}
	return ""
}

// fire works out the first step, and fires when there is something that it can do.
func (a *asking) fire() Decision {
	r := resolver{in: a.in, rule: a.rule, snap: a.snap, steps: a.steps, now: a.now}
	plan := r.plan(&a.rule.then[0])
	a.run.Targets = plan.Targets
	a.run.LeftOut = mergeUnknowns(a.run.LeftOut, plan.LeftOut)
	switch plan.Status {
	case StepNoTarget:
		return DecisionNoTarget
	case StepUnknown:
		a.run.Unknown = plan.Unknown
		return DecisionUnknown
	case StepHeld:
		return DecisionHeld
	case StepError:
		a.run.Error, a.run.Limit = "then[0]: "+plan.Error, plan.Limit
		a.end()
		return DecisionError
	case StepReady, StepNotNow, StepNoLongerWanted:
	}
	a.end()
	a.edge.Number++
	a.edge.FiredAt = a.in.At
	firing := &Firing{Number: a.edge.Number, Shadow: a.rule.Rule.Mode == ModeShadow, First: *plan}
	if e := a.in.Event; e != nil {
		firing.Causation = busbar.Causation{
			RootEventID: e.Causation.RootEventID, ParentID: a.run.ID, RuleID: a.rule.ID, Depth: e.Causation.Depth + 1,
		}
	}
	a.run.Firing = firing
	if firing.Shadow {
		return DecisionShadowed
	}
	return DecisionFired
}

// end spends the edge; a hold that came to its end is no broken one.
func (a *asking) end() {
	if a.edge.Hold != nil {
		a.run.HoldID = a.edge.Hold.ID
		a.edge.Hold = nil
	}
	a.spend()
}

// explain puts the parts of the condition on record.
func (a *asking) explain() {
	if a.snap.Explain {
		a.run.Clauses = explain(a.rule.condition.clauses, a.in, a.steps, a.given)
	}
}

// Clauses evaluates the parts of a rule's condition at an event, each on its own. It is for showing why a rule did not
// fire, and is not needed to decide.
func (r *Standing) Clauses(s *Snapshot, e *busbar.Event) ([]Clause, error) {
	in, err := s.after(e)
	if err != nil {
		return nil, err
	}
	return explain(r.condition.clauses, in, MaxSteps, nil), nil
}
