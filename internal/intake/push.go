package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"busbar"
	"busbar/internal/store"
)

// Push has a command carried out. When it returns without an error, the action survives a crash of this process and has been,
// or will be, started. With a key that was used before, it gives the action as it was answered then.
func (in *Intake) Push(ctx context.Context, env busbar.Environment, r PushRequest, key *Idempotency) (busbar.Action, error) {
	if err := in.cfg.Starter.Accepting(); err != nil {
		return busbar.Action{}, err
	}
	t := &pushTask{request: r, id: busbar.NewActionID()}
	err := in.offer(ctx, &unit{env: env, task: t, key: key})
	return t.action, err
}

type pushTask struct {
	request PushRequest
	id      busbar.ActionID
	action  busbar.Action
}

func (t *pushTask) concerns(*store.DecisionTx) ([]busbar.DeviceID, bool, error) {
	return []busbar.DeviceID{t.request.DeviceID}, true, nil
}

func (t *pushTask) size() int { return 2 }

// answer keeps the action as it is answered, so that the same request gets the same again.
func (t *pushTask) answer() (store.Answer, error) {
	b, err := json.Marshal(t.action)
	if err != nil {
		return store.Answer{}, fmt.Errorf("write answer: %w", err)
	}
	return store.Answer{Status: http.StatusAccepted, Body: b}, nil
}

func (t *pushTask) restore(a store.Answer) error {
	t.action = busbar.Action{}
	if err := json.Unmarshal(a.Body, &t.action); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

func (t *pushTask) decide(g *group, u *unit) error {
	d, site, ok := g.device(u.env, t.request.DeviceID)
	if !ok || t.request.Family != "" && t.request.Family != d.Family {
		return busbar.DeviceNotFound(t.request.DeviceID)
	}
	plan, err := d.Plan(&t.request.Push, site.Location(), g.now)
	if err != nil {
		return err
	}
	a, err := g.occupy(u, d, site, &plan, t.id, t.request.OnConflict)
	if err != nil {
		return err
	}
	if until := g.now.Add(a.HoldFor); a.HoldFor > 0 && until.After(d.HeldUntil) {
		d.HeldUntil = until
		g.devices.add(d)
	}
	t.action = a
	return nil
}

// takeSlot finds the place of a new action on its device.
func takeSlot(open map[busbar.Slot]*busbar.Action, strategy busbar.ConflictStrategy) (busbar.Slot, error) {
	current, queued := open[busbar.SlotCurrent], open[busbar.SlotQueued]
	switch {
	case current == nil:
		return busbar.SlotCurrent, nil
	case strategy == busbar.CancelAndReplace:
		return busbar.SlotCurrent, nil
	case strategy == busbar.QueueAfter && queued == nil:
		return busbar.SlotQueued, nil
	}
	ids := []busbar.ActionID{current.ID}
	reason, message := "no_strategy_supplied", "the device has an open action; say with onConflict what to do"
	if queued != nil {
		ids = append(ids, queued.ID)
	}
	if strategy == busbar.QueueAfter {
		reason, message = "queue_full", "the device has an open action, and another one is queued behind it already"
	}
	e := busbar.Errorf(busbar.CodeConflict, "%s", message)
	e.Details = map[string]any{"reason": reason, "conflictingActionIds": ids, "strategies": busbar.ConflictStrategies()}
	return "", e
}

// replace has a new action take the place of the current one. A window that is cut short hands on what the device goes back
// to: the new one would find the window's own command in force.
func (g *group) replace(u *unit, current, by *busbar.Action) error {
	by.Replaces, by.Before = current.ID, current.Before
	cancelled, err := g.move(u, current, busbar.Step{Move: busbar.MoveReplace, By: by.ID})
	if err != nil {
		return err
	}
	return g.wake(u, &cancelled)
}

// CancelAction takes an action back, which works while no try of it was accepted.
func (in *Intake) CancelAction(ctx context.Context, env busbar.Environment, id busbar.ActionID) (busbar.Action, error) {
	t := &cancelTask{moveTask: moveTask{env: env, id: id}}
	err := in.do(ctx, env, t)
	return t.action, err
}

type cancelTask struct{ moveTask }

func (t *cancelTask) decide(g *group, u *unit) error {
	a, err := t.load(g, u)
	if err != nil {
		return err
	}
	if !a.Cancellable() {
		return busbar.Errorf(busbar.CodeActionNotCancellable, "%s", whyNotCancellable(&a))
	}
	if a, err = g.move(u, &a, busbar.Step{Move: busbar.MoveCancel, Reason: busbar.CancelRequested}); err != nil {
		return err
	}
	t.action = a
	return errorOf(g.wake(u, &a), g.promote(u, &a))
}

func whyNotCancellable(a *busbar.Action) string {
	if a.State.Terminal() {
		return fmt.Sprintf("the action is %s already", a.State)
	}
	return "the device has accepted the action; push another command with onConflict cancel_and_replace instead"
}

// ReportResult takes down what a gateway says of a command that it took. A result that comes when the action has ended is put
// on record with its tries, and changes nothing.
func (in *Intake) ReportResult(ctx context.Context, env busbar.Environment, id busbar.ActionID, r ResultReport) (busbar.Action, error) {
	t := &reportTask{moveTask: moveTask{env: env, id: id}, report: r}
	err := in.do(ctx, env, t)
	return t.action, err
}

type reportTask struct {
	moveTask
	report ResultReport
}

func (t *reportTask) decide(g *group, u *unit) error {
	a, err := t.load(g, u)
	if err != nil {
		return err
	}
	if a.State.Terminal() {
		return t.late(g, &a)
	}
	if known, err := t.other(&a); known || err != nil {
		return err
	}
	step := t.step(&a)
	if _, applies := a.Follow(step); !applies {
		if a.Phase == busbar.PhaseWindow {
			// It is in force, so that is known already.
			return nil
		}
		return busbar.Errorf(busbar.CodeConflict, "the action was not sent to its device yet, so it has no result")
	}
	asked, _, err := g.tx.TriesOf(a.ID, asking(a.Phase))
	if err != nil {
		return err
	}
	if asked == 0 {
		return busbar.Errorf(busbar.CodeConflict, "the action was not sent to its device yet, so it has no result")
	}
	if step.Move == busbar.MoveAccept {
		g.echo(u, &a)
	}
	if a, err = g.move(u, &a, step); err != nil {
		return err
	}
	t.action = a
	return errorOf(g.wake(u, &a), g.promote(u, &a))
}

// other deals with a report that names another part of the action than the one that is being carried out: the command's, when
// the way back is being tried, is known already.
func (t *reportTask) other(a *busbar.Action) (known bool, err error) {
	command := string(a.ID)
	switch t.report.Key {
	case "", a.IdempotencyKey():
		return false, nil
	case command:
		t.action = *a
		return true, nil
	case command + busbar.RevertSuffix:
		return false, busbar.Errorf(busbar.CodeConflict, "the way back was not sent to the device yet, so it has no result")
	default:
		return false, busbar.Invalid("key", "unknown", "must be the key under which the command was sent: %s or %s", command, command+busbar.RevertSuffix)
	}
}

func (t *reportTask) step(a *busbar.Action) busbar.Step {
	if t.report.Success {
		return busbar.Step{Move: busbar.MoveAccept, Message: t.report.Message}
	}
	s := busbar.Step{Move: busbar.MoveRefuse, Code: t.report.ErrorCode, Message: t.report.Message}
	if s.Code == "" {
		s.Code = busbar.ActionRefused
	}
	if s.Message == "" {
		s.Message = "the device did not carry out " + a.Instruction().Command
	}
	return s
}

// late puts the first result on record that came too late.
func (t *reportTask) late(g *group, a *busbar.Action) error {
	last, found, err := g.tx.LastTry(a.ID)
	if err != nil || !found || last.Phase == busbar.PhaseEnded {
		return err
	}
	try := busbar.Try{
		ActionID: a.ID, Number: last.Number + 1, Phase: busbar.PhaseEnded, At: g.now, Outcome: busbar.TryAccepted, Message: t.report.Message,
	}
	if !t.report.Success {
		step := t.step(a)
		try.Outcome, try.ErrorCode, try.Message = busbar.TryRefused, step.Code, step.Message
	}
	return g.tx.SaveTry(&try)
}

// asking is the phase in which a driver was asked for what it now has in hand.
func asking(p busbar.Phase) busbar.Phase {
	switch p {
	case busbar.PhaseAwait:
		return busbar.PhasePush
	case busbar.PhaseAwaitRevert:
		return busbar.PhaseRevert
	case busbar.PhaseWaiting, busbar.PhasePush, busbar.PhaseWindow, busbar.PhaseRevert, busbar.PhaseEnded:
	}
	return p
}
