package intake

import (
	"fmt"

	"busbar"
	"busbar/rules"
)

// wanted reports whether a command may be tried now. That of a rule which may not act any more is taken back, and so is one whose
// guard is false; one whose guard is not known waits.
func (t *beginTryTask) wanted(g *group, u *unit, a *busbar.Action) (bool, error) {
	if a.RunID == "" || a.Phase != busbar.PhasePush {
		return true, nil
	}
	run, err := g.tx.Run(u.env, busbar.RunID(a.RunID))
	if busbar.CodeOf(err) == busbar.CodeNotFound {
		// Its retention is over; the action goes on by itself.
		return true, nil
	}
	if err != nil {
		return false, err
	}
	c, err := g.course(&run)
	if err != nil {
		return false, err
	}
	if c.off != "" {
		return false, t.takeBack(g, u, a, busbar.Step{Move: busbar.MoveCancel, Reason: busbar.CancelRulePaused, Message: c.off})
	}
	plan, err := g.askGuard(c, a)
	if err != nil {
		return false, err
	}
	switch plan.Status {
	case rules.StepNoLongerWanted:
		return false, t.takeBack(g, u, a, busbar.Step{
			Move: busbar.MoveCancel, Reason: busbar.CancelRequested, Code: busbar.ActionNotWanted, Message: "it is no longer wanted: the guard is false",
		})
	case rules.StepError:
		return false, t.takeBack(g, u, a, busbar.Step{Move: busbar.MoveAbandon, Code: string(busbar.CodeInvalidExpression), Message: plan.Error})
	case rules.StepNotNow:
		t.wait = guardWait(a, g.now)
		return false, nil
	case rules.StepReady, rules.StepNoTarget, rules.StepUnknown, rules.StepHeld:
	}
	return true, nil
}

// askGuard asks the guard of the step that made an action again.
func (g *group) askGuard(c *course, a *busbar.Action) (*rules.StepPlan, error) {
	at, err := busbar.ParseStepPlace(a.RunStep)
	if err != nil {
		return nil, fmt.Errorf("action %s: %w", a.ID, err)
	}
	if s := c.step(at); s == nil || s.Push == nil || s.Push.Guard == "" {
		return &rules.StepPlan{Status: rules.StepReady}, nil
	}
	snap, err := g.snapshotOf(c)
	if err != nil {
		return nil, err
	}
	return c.standing().Guard(snap, c.place(at), g.now)
}

// takeBack ends an action that is not to be tried any more.
func (t *beginTryTask) takeBack(g *group, u *unit, a *busbar.Action, s busbar.Step) error {
	next, err := g.move(u, a, s)
	if err != nil {
		return err
	}
	t.action = next
	return g.promote(u, &next)
}
