package rules

import (
	"fmt"
	"strings"
	"time"

	"busbar"
)

// Branch is a list of steps of a rule.
type Branch string

// The branches.
const (
	BranchThen       Branch = "then"
	BranchElseFailed Branch = "else_failed"
)

// Place is where a run stands when a step is to be worked out after it was decided.
type Place struct {
	Branch Branch
	// Step counts from 0 in its branch.
	Step int
	// Key is the run's.
	Key string
	// Event is what the run was decided at, or what began its hold; nil when a window's opening was.
	Event *busbar.Event
	// Results are those of the steps that have ended, those of BranchThen first.
	Results []StepResult
	// Failure is what brought the run to BranchElseFailed.
	Failure *Failure
}

// Resolve works a step out against a snapshot of now, with the code that Decide works the first one out with. What the event
// changed is past by then: `changed` is empty and `previous` is the state of now. It is an error when the rule has no such step.
func (r *Standing) Resolve(s *Snapshot, at *Place, now time.Time) (*StepPlan, error) {
	step, resolver, err := r.later(s, at, now)
	if err != nil {
		return nil, err
	}
	return resolver.plan(step), nil
}

// Guard asks a step's guard again before a try, and nothing else: the plan has no targets, and its status is StepReady,
// StepNotNow, StepNoLongerWanted or StepError. A step without a guard is ready.
func (r *Standing) Guard(s *Snapshot, at *Place, now time.Time) (*StepPlan, error) {
	step, resolver, err := r.later(s, at, now)
	if err != nil {
		return nil, err
	}
	plan := &StepPlan{Status: StepReady}
	resolver.guard(step, plan)
	return plan, nil
}

// each goes through the steps of a firing as if each succeeded at once. Do is given their plans, and reports whether the next
// one follows. It is for tests and back-tests.
func (r *Standing) each(s *Snapshot, run *Run, e *busbar.Event, now time.Time, do func(step int, plan *StepPlan) bool) error {
	at := Place{Branch: BranchThen, Key: run.Key, Event: e}
	plan := &run.Firing.First
	for at.Step = range r.then {
		if at.Step > 0 {
			var err error
			if plan, err = r.Resolve(s, &at, now); err != nil {
				return err
			}
		}
		if !do(at.Step, plan) {
			return nil
		}
		status := "done"
		if plan.Status == StepNoLongerWanted {
			status = string(plan.Status)
		}
		at.Results = append(at.Results, StepResult{Status: status})
	}
	return nil
}

// later finds a step and what its expressions see.
func (r *Standing) later(s *Snapshot, at *Place, now time.Time) (*compiledStep, *resolver, error) {
	steps := r.then
	if at.Branch == BranchElseFailed {
		steps = r.elseFailed
	}
	if at.Step < 0 || at.Step >= len(steps) {
		return nil, nil, fmt.Errorf("rule %s, version %d, has no step %s[%d]", r.ID, r.Version, at.Branch, at.Step)
	}
	in, err := s.since(at.Event, at.Key, now)
	if err != nil {
		return nil, nil, err
	}
	in.Steps, in.Error = at.Results, at.Failure
	return &steps[at.Step], &resolver{in: in, rule: r, snap: s, steps: MaxSteps, now: now}, nil
}

// since is what expressions see at a time after an event, or when there is none.
func (s *Snapshot) since(e *busbar.Event, key string, now time.Time) (*Input, error) {
	in := &Input{Site: s.Site, Devices: s.Devices, Location: s.Location, Clock: s.Clock}
	if in.Location == nil && s.Site != nil {
		in.Location = s.Site.Location()
	}
	if e != nil {
		var err error
		if in, err = s.after(e); err != nil {
			return nil, err
		}
	} else if id, ok := KeyDevice(key); ok {
		in.Device = s.device(id)
	}
	in.At, in.Changed, in.Previous = now, nil, nil
	if in.Device != nil {
		in.Previous = in.Device.Announced
	}
	return in, nil
}

// KeyDevice is the device that a scope key is about; ok is false when it is about a site or the rule.
func KeyDevice(key string) (id busbar.DeviceID, ok bool) {
	text, ok := strings.CutPrefix(key, devicePrefix)
	return busbar.DeviceID(text), ok
}
