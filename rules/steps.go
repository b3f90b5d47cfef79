package rules

import (
	"errors"
	"fmt"
	"time"

	"busbar"
)

// StepStatus is what is to be done about a step now.
type StepStatus string

// The statuses.
const (
	// StepReady: the commands or the event are to be made.
	StepReady StepStatus = "ready"
	// StepNoTarget: the device is nil, or the list of devices is empty.
	StepNoTarget StepStatus = "no_target"
	// StepUnknown: the device, or a parameter, is not known, and nothing is sent.
	StepUnknown StepStatus = "unknown"
	// StepHeld: all devices are held by a higher priority or a person.
	StepHeld StepStatus = "held"
	// StepNotNow: the guard is not known; it is asked again.
	StepNotNow StepStatus = "not_now"
	// StepNoLongerWanted: the guard is false, and the step is a success with nothing sent.
	StepNoLongerWanted StepStatus = "no_longer_wanted"
	// StepError: an expression could not be evaluated, or no device can do it.
	StepError StepStatus = "error"
)

// StepPlan is what a step comes to, resolved against a snapshot.
type StepPlan struct {
	Status   StepStatus `json:"status"`
	Targets  []Target   `json:"targets,omitempty"`
	Commands []Command  `json:"commands,omitempty"`
	Emission *Emission  `json:"emission,omitempty"`
	Unknown  []Unknown  `json:"unknown,omitempty"`
	LeftOut  []Unknown  `json:"leftOut,omitempty"`
	Error    string     `json:"error,omitempty"`
	// Limit is the bound that an expression ran into: steps or memory; empty when it was none.
	Limit string `json:"limit,omitempty"`
}

// resolver works a step out.
type resolver struct {
	in    *Input
	rule  *Standing
	snap  *Snapshot
	steps int
	now   time.Time
}

func (p *StepPlan) fail(err error) *StepPlan {
	p.Status, p.Error = StepError, err.Error()
	if e, ok := errors.AsType[*EvaluationError](err); ok {
		p.Limit = e.Limit
	}
	return p
}

// unknown ends a plan because of what is not known; the causes may be none, as when a list was empty of numbers.
func (p *StepPlan) unknown(v value) *StepPlan {
	p.Status, p.Unknown = StepUnknown, v.unknowns()
	return p
}

func (r *resolver) plan(s *compiledStep) *StepPlan {
	if s.emit != nil {
		return r.emit(s)
	}
	return r.push(s)
}

// guard reports whether a step is still wanted; otherwise the plan says why not.
func (r *resolver) guard(s *compiledStep, p *StepPlan) bool {
	if s.guard == nil {
		return true
	}
	got := s.guard.run(r.in, r.steps)
	switch {
	case got.err != nil:
		p.fail(fmt.Errorf("guard: %w", got.err))
	case got.value.kind != kindBool:
		p.Status, p.Unknown = StepNotNow, got.value.unknowns()
	case !got.value.bool():
		p.Status = StepNoLongerWanted
	default:
		return true
	}
	return false
}

func (r *resolver) push(s *compiledStep) *StepPlan {
	p := &StepPlan{Status: StepReady}
	got := s.device.run(r.in, r.steps)
	p.LeftOut = got.leftOut
	if got.err != nil {
		return p.fail(fmt.Errorf("device: %w", got.err))
	}
	if got.value.kind == kindUnknown {
		return p.unknown(got.value)
	}
	devices, err := devicesOf(got.value)
	switch {
	case err != nil:
		return p.fail(fmt.Errorf("device: %w", err))
	case len(devices) == 0:
		p.Status = StepNoTarget
		return p
	case !r.guard(s, p):
		return p
	}
	parameters, ok := r.parameters(s, p)
	if !ok {
		return p
	}
	for _, d := range devices {
		r.target(s, p, d, parameters)
	}
	if len(p.Commands) == 0 {
		p.Status = StepHeld
		for i := range p.Targets {
			if p.Targets[i].Reason == reasonRefused {
				return p.fail(fmt.Errorf("%s: %s", p.Targets[i].DeviceID, p.Targets[i].Message))
			}
		}
	}
	return p
}

// devicesOf reads what a device expression gave.
func devicesOf(v value) ([]*busbar.Device, error) {
	switch v.kind {
	case kindNil:
		return nil, nil
	case kindObject:
		if d, ok := v.ref.(*busbar.Device); ok {
			return []*busbar.Device{d}, nil
		}
	case kindList:
		items, ok := v.ref.([]value)
		if !ok {
			break
		}
		if len(items) > MaxTargets {
			return nil, fmt.Errorf("it gives %d devices; the limit of targets is %d", len(items), MaxTargets)
		}
		var devices []*busbar.Device
		for _, item := range items {
			d, ok := item.ref.(*busbar.Device)
			if item.kind != kindObject || !ok {
				return nil, fmt.Errorf("it gives %s among devices", item.kind)
			}
			devices = append(devices, d)
		}
		return devices, nil
	case kindUnknown, kindBool, kindNumber, kindString, kindTime, kindDuration, kindQuantity, kindMap, kindAny, kindBad:
	}
	return nil, fmt.Errorf("it gives %s, where a device is needed", v.kind)
}

// parameters evaluates the parameters of a command; ok is false when the plan has ended there.
func (r *resolver) parameters(s *compiledStep, p *StepPlan) (values map[string]value, ok bool) {
	values = make(map[string]value, len(s.parameters))
	for _, parameter := range s.parameters {
		got := parameter.run(r.in, r.steps)
		p.LeftOut = mergeUnknowns(p.LeftOut, got.leftOut)
		switch {
		case got.err != nil:
			p.fail(fmt.Errorf("%s: %w", parameter.name, got.err))
			return nil, false
		case got.value.missing():
			p.unknown(got.value)
			return nil, false
		case got.value.kind != kindNumber && got.value.kind != kindQuantity:
			p.fail(fmt.Errorf("%s: it gives %s, where a number is needed", parameter.name, got.value.kind))
			return nil, false
		}
		values[parameter.name] = got.value
	}
	return values, true
}

// The reasons why a device was not taken.
const (
	reasonHeld    = "held"
	reasonRefused = "refused"
)

// target takes a device, or says why not.
func (r *resolver) target(s *compiledStep, p *StepPlan, d *busbar.Device, parameters map[string]value) {
	t := Target{DeviceID: d.ID}
	strategy, holder := r.holder(s, d)
	if holder != "" {
		t.Reason, t.Holder = reasonHeld, holder
		p.Targets = append(p.Targets, t)
		return
	}
	push := busbar.Push{
		Command: s.push.Command, Parameters: quantities(s, d, parameters), Start: s.push.Start, End: s.push.End,
		OnConflict: strategy, ExpiresIn: s.push.ExpiresIn,
	}
	action, err := d.Plan(&push, r.location(), r.now)
	if err != nil {
		t.Reason, t.Message = reasonRefused, messageOf(err)
		p.Targets = append(p.Targets, t)
		return
	}
	t.Taken = true
	p.Targets = append(p.Targets, t)
	p.Commands = append(p.Commands, Command{
		DeviceID: d.ID, Family: d.Family, Command: action.Command, Parameters: action.Parameters, OnConflict: strategy,
		ExpiresIn: action.ExpiresIn, Start: action.Start, End: action.End,
	})
}

func messageOf(err error) string {
	if e, ok := errors.AsType[*busbar.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

func (r *resolver) location() *time.Location {
	if r.in.Location == nil {
		return time.UTC
	}
	return r.in.Location
}

// holder names who keeps a rule off a device, and says otherwise what the command does to an open one.
func (r *resolver) holder(s *compiledStep, d *busbar.Device) (strategy busbar.ConflictStrategy, holder string) {
	if d.HeldUntil.After(r.now) {
		return "", "person"
	}
	open, busy := r.snap.Open[d.ID]
	switch {
	case !busy:
		return s.push.OnConflict, ""
	case open.RuleID != "" && open.RuleID == r.rule.ID:
		if s.push.OnConflict == "" || s.push.OnConflict == busbar.QueueAfter && open.Queued {
			return "", string(open.ActionID)
		}
		return s.push.OnConflict, ""
	case open.RuleID != "" && open.Priority < r.rule.Rule.Priority:
		return busbar.CancelAndReplace, ""
	default:
		return "", string(open.ActionID)
	}
}

// quantities are the parameters in their units; one without a unit is in what the device declares.
func quantities(s *compiledStep, d *busbar.Device, values map[string]value) map[string]busbar.Quantity {
	made := make(map[string]busbar.Quantity, len(values))
	for _, parameter := range s.parameters {
		v := values[parameter.name]
		if v.kind == kindQuantity {
			made[parameter.name] = v.quantity()
			continue
		}
		unit := parameter.unit
		if unit == "" {
			unit = d.Commands[s.push.Command].Parameters[parameter.name].Unit
		}
		made[parameter.name] = busbar.Quantity{Value: v.num, Unit: unit}
	}
	return made
}

func (r *resolver) emit(s *compiledStep) *StepPlan {
	p := &StepPlan{Status: StepReady}
	data, ok := r.fill(s, p, "", s.emit.Data)
	if !ok {
		return p
	}
	object, ok := data.(map[string]any)
	if !ok || object == nil {
		object = map[string]any{}
	}
	p.Emission = &Emission{Type: s.emit.Type, Data: object}
	return p
}

// fill replaces the expressions in an event's data by what they give. What is not known is null there: an event that
// tells less is better than none.
func (r *resolver) fill(s *compiledStep, p *StepPlan, path string, v any) (filled any, ok bool) {
	switch v := v.(type) {
	case string:
		got := s.data[path].run(r.in, r.steps)
		if got.err != nil {
			p.fail(fmt.Errorf("data%s: %w", path, got.err))
			return nil, false
		}
		p.Unknown = mergeUnknowns(p.Unknown, got.value.unknowns())
		p.LeftOut = mergeUnknowns(p.LeftOut, got.leftOut)
		return plain(got.value), true
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			if list[i], ok = r.fill(s, p, fmt.Sprintf("%s[%d]", path, i), item); !ok {
				return nil, false
			}
		}
		return list, true
	case map[string]any:
		object := make(map[string]any, len(v))
		for name, item := range v {
			if object[name], ok = r.fill(s, p, path+"."+name, item); !ok {
				return nil, false
			}
		}
		return object, true
	default:
		return v, true
	}
}
