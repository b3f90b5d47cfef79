package intake

import (
	"time"

	"busbar"
	"busbar/internal/store"
)

// lookAt puts on record how a step has ended, once all of its actions have come far enough.
func (g *group) lookAt(c *course, step *busbar.RunStep) error {
	actions := make([]busbar.Action, 0, len(step.ActionIDs))
	for _, id := range step.ActionIDs {
		a, err := g.tx.Action(c.run.Environment, id)
		switch {
		case busbar.CodeOf(err) == busbar.CodeNotFound: // gone with its retention
			continue
		case err != nil:
			return err
		case !settled(&a):
			return nil
		}
		actions = append(actions, a)
	}
	step.Status, step.Code, step.Message = outcomeOf(actions)
	step.EndedAt = g.now
	return nil
}

// settled reports whether a step waits for an action no longer: it has ended, or is timed and was accepted.
func settled(a *busbar.Action) bool {
	return a.State.Terminal() || a.Execution() != busbar.Immediate && !a.AcceptedAt.IsZero()
}

// outcomeOf is what the actions of a step make of it. One that failed fails the step; one that was carried out makes it a success
// even where a newer firing, or a person, has taken another device.
func outcomeOf(actions []busbar.Action) (status, code, message string) {
	status = busbar.StepHeld
	weight := map[string]int{
		busbar.StepNoLongerWanted: 1, busbar.StepDisabled: 2, busbar.StepSuperseded: 3, busbar.StepDone: 4, busbar.StepFailed: 5,
	}
	for i := range actions {
		s, c, m := endedAs(&actions[i])
		if weight[s] > weight[status] {
			status, code, message = s, c, m
		}
	}
	return status, code, message
}

func endedAs(a *busbar.Action) (status, code, message string) {
	switch {
	case a.State == busbar.ActionFailed:
		return busbar.StepFailed, a.ErrorCode, string(a.DeviceID) + ": " + a.ErrorMessage
	case a.State != busbar.ActionCancelled:
		return busbar.StepDone, "", ""
	case a.CancelReason == busbar.CancelRulePaused:
		return busbar.StepDisabled, "", a.ErrorMessage
	case a.ErrorCode == busbar.ActionNotWanted:
		return busbar.StepNoLongerWanted, "", a.ErrorMessage
	case a.CancelReason == busbar.CancelReplaced:
		return busbar.StepSuperseded, "", "another action took the place of " + string(a.ID)
	default:
		return busbar.StepSuperseded, "", "a person cancelled " + string(a.ID)
	}
}

// tellRun has the run that made an action look at it.
func (g *group) tellRun(u *unit, a *busbar.Action) error {
	if a.RunID == "" || !settled(a) {
		return nil
	}
	for i := range g.runs {
		if g.runs[i].ID == busbar.RunID(a.RunID) {
			// It fired in this very transaction, and its workflow has yet to start.
			return nil
		}
	}
	run, err := g.tx.Run(a.Environment, busbar.RunID(a.RunID))
	switch {
	case busbar.CodeOf(err) == busbar.CodeNotFound || err == nil && run.Status != busbar.RunOpen:
		return nil
	case err != nil:
		return err
	}
	start := store.RuleStart{
		Environment: run.Environment, Kind: store.StartRun, ID: string(run.ID), RuleID: run.RuleID, Key: run.Key, Shadow: run.Shadow, Noted: g.now,
	}
	u.begun = append(u.begun, RuleLaunch{RuleStart: start})
	return g.tx.WakeRun(start)
}

// guardWait is how long a command waits whose guard is not known, when it was to be tried since a time.
func guardWait(a *busbar.Action, now time.Time) time.Duration {
	return notNow(now.Sub(a.AcknowledgedAt), a.ExpiresAt.Sub(a.AcknowledgedAt))
}
