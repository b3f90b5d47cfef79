package intake

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"busbar"
	"busbar/internal/store"
)

// moveTask moves one action on.
type moveTask struct {
	env    busbar.Environment
	id     busbar.ActionID
	action busbar.Action
	// whole: the commands of the device are needed.
	whole bool
}

func (t *moveTask) concerns(tx *store.DecisionTx) ([]busbar.DeviceID, bool, error) {
	a, err := tx.Action(t.env, t.id)
	if err != nil {
		return nil, false, err
	}
	return []busbar.DeviceID{a.DeviceID}, t.whole, nil
}

func (t *moveTask) size() int { return 2 }

// load reads the action once its site is locked.
func (t *moveTask) load(g *group, u *unit) (busbar.Action, error) {
	a, err := g.tx.Action(u.env, t.id)
	t.action = a
	return a, err
}

// move takes a step of an action, writes it and has the event follow that tells of its end.
func (g *group) move(u *unit, a *busbar.Action, s busbar.Step) (busbar.Action, error) {
	s.At = g.now
	next, ok := a.Follow(s)
	if !ok {
		return next, fmt.Errorf("action %s: %s cannot happen in %s", a.ID, s.Move, a.Phase)
	}
	if err := g.tx.SaveAction(&next); err != nil {
		return next, err
	}
	if next.State.Terminal() {
		u.endings = append(u.endings, next.State)
	}
	g.forgetOpen(next.Environment, next.SiteID)
	if err := g.tellRun(u, &next); err != nil {
		return next, err
	}
	if next.Announcement() == "" {
		return next, nil
	}
	e, err := endOf(&next)
	if err != nil {
		return next, err
	}
	g.emit(u, e)
	return next, nil
}

// promote gives the place of an action that has ended to the one that is queued behind it.
func (g *group) promote(u *unit, ended *busbar.Action) error {
	if !ended.State.Terminal() {
		return nil
	}
	open, err := g.tx.OpenActions(store.DeviceRef{Environment: ended.Environment, ID: ended.DeviceID})
	if err != nil {
		return err
	}
	queued := open[busbar.SlotQueued]
	if queued == nil || open[busbar.SlotCurrent] != nil {
		return nil
	}
	if ended.Before != nil && ended.State == busbar.ActionCompleted {
		// The device is back to it, though it may not have said so yet.
		queued.Before = ended.Before
	}
	next, err := g.move(u, queued, busbar.Step{Move: busbar.MovePromote})
	if err != nil {
		return err
	}
	return g.wake(u, &next)
}

// wake has the workflow of an action that others have moved look at it again, whatever happens to this process.
func (g *group) wake(u *unit, a *busbar.Action) error {
	u.launches = append(u.launches, newLaunch(a, false, a.UpdatedAt))
	return g.tx.WakeAction(a)
}

// beginDue begins an action whose turn and start have come. A device that is gone, or that lost the command, ends it.
func (g *group) beginDue(a *busbar.Action, d *busbar.Device) (busbar.Action, error) {
	if need, _ := a.Next(g.now); need != busbar.NeedBegin {
		return *a, nil
	}
	next, ok := a.Follow(g.beginning(a, d))
	if !ok {
		return next, fmt.Errorf("action %s cannot begin in %s", a.ID, a.Phase)
	}
	return next, nil
}

func (g *group) beginning(a *busbar.Action, d *busbar.Device) busbar.Step {
	if d == nil {
		return busbar.Step{Move: busbar.MoveAbandon, At: g.now, Code: busbar.ActionDeviceDeleted, Message: "the device was deleted"}
	}
	capability, ok := d.Commands[a.Command]
	if !ok || !capability.Supports(a.Execution()) {
		return busbar.Step{
			Move: busbar.MoveAbandon, At: g.now, Code: busbar.ActionUnsupported,
			Message: fmt.Sprintf("the device does not support %s in this way any more", a.Command),
		}
	}
	before := d.Before()
	return busbar.Step{Move: busbar.MoveBegin, At: g.now, Before: &before}
}

// echo remembers that a device takes a command now, so that what changes soon after is known for its effect.
func (g *group) echo(u *unit, a *busbar.Action) {
	d, _, ok := g.device(u.env, a.DeviceID)
	if !ok {
		return
	}
	d.Echo = &busbar.Echo{ActionID: a.ID, Command: a.Instruction().Command, At: g.now, Causation: causationOf(a)}
	g.devices.add(d)
}

// causationOf is what the effects of an action follow from.
func causationOf(a *busbar.Action) busbar.Causation {
	c := a.Causation
	c.ParentID, c.ActionID, c.RuleID = string(a.ID), string(a.ID), cmp.Or(a.RuleID, c.RuleID)
	return c
}

// endOf is the event that tells how an action has ended.
func endOf(a *busbar.Action) (busbar.Event, error) {
	kind := a.Announcement()
	data := struct {
		ActionID     busbar.ActionID            `json:"actionId"`
		DeviceID     busbar.DeviceID            `json:"deviceId"`
		DeviceType   busbar.Family              `json:"deviceType"`
		Command      string                     `json:"command"`
		Parameters   map[string]busbar.Quantity `json:"parameters"`
		Result       *busbar.ActionResult       `json:"result,omitempty"`
		ErrorCode    string                     `json:"errorCode,omitempty"`
		ErrorMessage string                     `json:"errorMessage,omitempty"`
		Reason       busbar.CancelReason        `json:"reason,omitempty"`
		CompletedAt  string                     `json:"completedAt,omitempty"`
		CancelledAt  string                     `json:"cancelledAt,omitempty"`
	}{ActionID: a.ID, DeviceID: a.DeviceID, DeviceType: a.Family, Command: a.Command, Parameters: a.Parameters}
	if data.Parameters == nil {
		data.Parameters = map[string]busbar.Quantity{}
	}
	at := a.CompletedAt.UTC().Format(timeFormat)
	if kind == busbar.TypePushCancelled {
		data.Reason, data.CancelledAt = a.CancelReason, at
	} else {
		data.Result, data.ErrorCode, data.ErrorMessage, data.CompletedAt = a.Result, a.ErrorCode, a.ErrorMessage, at
	}
	b, err := json.Marshal(data)
	if err != nil {
		return busbar.Event{}, fmt.Errorf("write end of action %s: %w", a.ID, err)
	}
	return busbar.Event{
		ID: busbar.DerivedEventID("action", string(a.Environment), string(a.ID), kind), Type: kind, DeviceID: a.DeviceID,
		Timestamp: a.CompletedAt, Data: b, Causation: causationOf(a),
	}, nil
}

// Advance does for an action what is due and needs no driver: it begins it, lets it expire, ends its window. It gives the
// action as it then is, what it needs next, and how long to wait for that; without a wait it is up to others.
func (in *Intake) Advance(
	ctx context.Context, env busbar.Environment, id busbar.ActionID,
) (busbar.Action, busbar.Need, time.Duration, error) {
	a, err := in.cfg.Store.Action(ctx, env, id)
	if err != nil {
		return a, "", 0, err
	}
	need, until := a.Next(in.cfg.Now())
	if need == busbar.NeedBegin || need == busbar.NeedExpire || need == busbar.NeedRevert {
		t := &advanceTask{moveTask{env: env, id: id, whole: true}}
		if err := in.do(ctx, env, t); err != nil {
			return a, "", 0, err
		}
		a = t.action
		need, until = a.Next(in.cfg.Now())
	}
	if until.IsZero() {
		return a, need, 0, nil
	}
	return a, need, max(until.Sub(in.cfg.Now()), time.Millisecond), nil
}

type advanceTask struct{ moveTask }

func (t *advanceTask) decide(g *group, u *unit) error {
	a, err := t.load(g, u)
	if err != nil {
		return err
	}
	d, _, _ := g.device(u.env, a.DeviceID)
	for {
		var step busbar.Step
		switch need, _ := a.Next(g.now); need {
		case busbar.NeedBegin:
			step = g.beginning(&a, d)
		case busbar.NeedExpire:
			step = busbar.Step{Move: busbar.MoveExpire}
		case busbar.NeedRevert:
			step = busbar.Step{Move: busbar.MoveEndWindow}
		case busbar.NeedNothing, busbar.NeedTurn, busbar.NeedStart, busbar.NeedTry, busbar.NeedResult, busbar.NeedWindowEnd:
			t.action = a
			return nil
		}
		if a, err = g.move(u, &a, step); err != nil {
			return err
		}
		if err := g.promote(u, &a); err != nil {
			return err
		}
	}
}

// Abandon fails an action that cannot be carried out any more; one that has ended stays as it is.
func (in *Intake) Abandon(ctx context.Context, env busbar.Environment, id busbar.ActionID, code, message string) (failed bool, err error) {
	t := &abandonTask{moveTask: moveTask{env: env, id: id}, code: code, message: message}
	err = in.do(ctx, env, t)
	return t.failed, err
}

type abandonTask struct {
	moveTask
	code, message string
	failed        bool
}

func (t *abandonTask) decide(g *group, u *unit) error {
	a, err := t.load(g, u)
	if t.failed = err == nil && !a.State.Terminal(); !t.failed {
		return err
	}
	if a, err = g.move(u, &a, busbar.Step{Move: busbar.MoveAbandon, Code: t.code, Message: t.message}); err != nil {
		return err
	}
	return g.promote(u, &a)
}

// errorOf joins errors; unlike errors.Join it keeps the only one as it is.
func errorOf(errs ...error) error {
	var first error
	for _, err := range errs {
		if err != nil {
			if first != nil {
				return errors.Join(first, err)
			}
			first = err
		}
	}
	return first
}
