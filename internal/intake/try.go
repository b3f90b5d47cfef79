package intake

import (
	"context"
	"fmt"
	"time"

	"busbar"
)

// TryBegun is a try that may be made now.
type TryBegun struct {
	Action busbar.Action
	// Number is zero when there is nothing to try: the action has moved on.
	Number int
	// FirstAt is when the first try of this phase began, zero when this is the first.
	FirstAt time.Time
	// Wait is how long to wait before the next look, when it cannot be tried now because a rule's guard is not known.
	Wait time.Duration
}

// BeginTry puts on record that the driver of an action is being asked. What was begun before and has not ended is put on
// record as interrupted.
func (in *Intake) BeginTry(ctx context.Context, env busbar.Environment, id busbar.ActionID) (TryBegun, error) {
	t := &beginTryTask{moveTask: moveTask{env: env, id: id}}
	err := in.do(ctx, env, t)
	return TryBegun{t.action, t.number, t.firstAt, t.wait}, err
}

type beginTryTask struct {
	moveTask
	number  int
	firstAt time.Time
	wait    time.Duration
}

func (t *beginTryTask) decide(g *group, u *unit) error {
	t.number, t.firstAt, t.wait = 0, time.Time{}, 0
	a, err := t.load(g, u)
	if err != nil {
		return err
	}
	if need, _ := a.Next(g.now); need != busbar.NeedTry {
		return nil
	}
	if wanted, err := t.wanted(g, u, &a); err != nil || !wanted {
		return err
	}
	if err := g.tx.InterruptTries(a.ID); err != nil {
		return err
	}
	if _, t.firstAt, err = g.tx.TriesOf(a.ID, a.Phase); err != nil {
		return err
	}
	a.Tries++
	a.UpdatedAt = g.now
	try := busbar.Try{ActionID: a.ID, Number: a.Tries, Phase: a.Phase, At: g.now, Outcome: busbar.TryOpen}
	t.action, t.number = a, a.Tries
	return errorOf(g.tx.SaveAction(&a), g.tx.SaveTry(&try))
}

// TryEnd is how a try ended.
type TryEnd struct {
	Number   int
	Duration time.Duration
	// Outcome is TryAccepted, TryPending, TryRefused or TryFailed.
	Outcome busbar.TryOutcome
	Code    string
	Message string
	Remote  string
	// RetryAfter is how long the other side asked to be left alone.
	RetryAfter time.Duration
}

// TryEnded is what a try has made of its action.
type TryEnded struct {
	Action busbar.Action
	// Wait is how long to wait before the next try; zero when none follows.
	Wait time.Duration
}

// EndTry puts on record how a try ended, and moves the action on. An outcome that comes when the action has moved on already
// is put on record only.
func (in *Intake) EndTry(ctx context.Context, env busbar.Environment, id busbar.ActionID, end TryEnd) (TryEnded, error) {
	t := &endTryTask{moveTask: moveTask{env: env, id: id}, end: end}
	err := in.do(ctx, env, t)
	return TryEnded{t.action, t.wait}, err
}

type endTryTask struct {
	moveTask
	end  TryEnd
	wait time.Duration
}

func (t *endTryTask) decide(g *group, u *unit) error {
	t.wait = 0
	a, err := t.load(g, u)
	if err != nil {
		return err
	}
	try, err := g.tx.Try(a.ID, t.end.Number)
	if err != nil {
		return err
	}
	if try.Outcome != busbar.TryOpen && try.Outcome != busbar.TryInterrupted {
		return nil
	}
	try.Outcome, try.ErrorCode, try.Message, try.Duration = t.end.Outcome, t.end.Code, t.end.Message, t.end.Duration
	if t.end.Outcome == busbar.TryFailed && a.Phase == try.Phase && try.Number == a.Tries {
		if t.wait, err = t.backoff(g, &a); err != nil {
			return err
		}
		try.NextTryAt = g.now.Add(t.wait)
	}
	if err := g.tx.SaveTry(&try); err != nil || a.Phase != try.Phase {
		return err
	}
	return t.apply(g, u, &a)
}

// backoff is how long to wait after this failure; never longer than the action may be tried.
func (t *endTryTask) backoff(g *group, a *busbar.Action) (time.Duration, error) {
	failed, _, err := g.tx.TriesOf(a.ID, a.Phase)
	wait := max(busbar.Backoff(failed), t.end.RetryAfter)
	return max(min(wait, a.ExpiresAt.Sub(g.now)), time.Millisecond), err
}

func (t *endTryTask) apply(g *group, u *unit, a *busbar.Action) error {
	moves := map[busbar.TryOutcome]busbar.Move{
		busbar.TryAccepted: busbar.MoveAccept, busbar.TryPending: busbar.MovePend, busbar.TryRefused: busbar.MoveRefuse,
		busbar.TryFailed: busbar.MoveMiss,
	}
	move, ok := moves[t.end.Outcome]
	if !ok {
		return fmt.Errorf("a try of action %s cannot end %s", a.ID, t.end.Outcome)
	}
	if move == busbar.MoveMiss && t.end.Number != a.Tries {
		return nil
	}
	return t.follow(g, u, a, busbar.Step{Move: move, Code: t.end.Code, Message: t.end.Message, Remote: t.end.Remote})
}

// follow takes the step that a driver's answer asks for.
func (t *moveTask) follow(g *group, u *unit, a *busbar.Action, s busbar.Step) error {
	if s.Move == busbar.MoveAccept || s.Move == busbar.MovePend {
		g.echo(u, a)
	}
	next, err := g.move(u, a, s)
	if err != nil {
		return err
	}
	t.action = next
	return g.promote(u, &next)
}

// EndPoll moves an action on whose driver was asked what became of it. One that has moved on already stays as it is.
func (in *Intake) EndPoll(ctx context.Context, env busbar.Environment, id busbar.ActionID, s busbar.Step) (busbar.Action, error) {
	t := &endPollTask{moveTask{env: env, id: id}, s}
	err := in.do(ctx, env, t)
	return t.action, err
}

type endPollTask struct {
	moveTask
	step busbar.Step
}

func (t *endPollTask) decide(g *group, u *unit) error {
	a, err := t.load(g, u)
	if err != nil || !a.Awaiting() {
		return err
	}
	return t.follow(g, u, &a, t.step)
}
