package intake

import (
	"context"
	"log/slog"
	"time"

	"busbar"
	"busbar/internal/store"
)

// Launch is an action whose workflow is to be started, or woken because the action has moved on.
type Launch struct {
	Environment busbar.Environment
	ActionID    busbar.ActionID
	DeviceID    busbar.DeviceID
	Command     string
	RuleID      string
	// Fresh: the action was made just now, so that its workflow cannot have started yet.
	Fresh bool
	// Noted is when it was noted that this is to be done.
	Noted time.Time
}

func newLaunch(a *busbar.Action, fresh bool, noted time.Time) Launch {
	return Launch{a.Environment, a.ID, a.DeviceID, a.Command, a.RuleID, fresh, noted}
}

// LogAttr names the action.
func (l Launch) LogAttr() slog.Attr { return slog.Any("action_id", l.ActionID) }

// ActionLaunches are the actions whose workflow is to be started or woken, as a launcher finds them in the store.
func ActionLaunches(s *store.Store) Noted[Launch] { return actionLaunches{s} }

type actionLaunches struct{ store *store.Store }

func (a actionLaunches) Claim(ctx context.Context, limit int) ([]Launch, error) {
	starts, err := a.store.ClaimActionStarts(ctx, limit)
	if err != nil {
		return nil, err
	}
	jobs := make([]Launch, len(starts))
	for i := range starts {
		jobs[i] = newLaunch(&starts[i].Action, false, starts[i].Noted)
	}
	return jobs, nil
}

func (a actionLaunches) Forget(ctx context.Context, l Launch) error {
	return a.store.ActionStarted(ctx, l.ActionID, l.Noted)
}

// RuleLaunch is a workflow of a rule that is to be started, or woken because its run has moved on.
type RuleLaunch struct {
	store.RuleStart
	// Fresh: the run or the hold began just now, so that its workflow cannot have started yet.
	Fresh bool
}

// LogAttr names the run or the hold.
func (l RuleLaunch) LogAttr() slog.Attr { return slog.String(string(l.Kind)+"_id", l.ID) }

// RuleLaunches are the workflows of rules that are to be started or woken, as a launcher finds them in the store.
func RuleLaunches(s *store.Store) Noted[RuleLaunch] { return ruleLaunches{s} }

type ruleLaunches struct{ store *store.Store }

func (r ruleLaunches) Claim(ctx context.Context, limit int) ([]RuleLaunch, error) {
	starts, err := r.store.ClaimRuleStarts(ctx, limit)
	if err != nil {
		return nil, err
	}
	jobs := make([]RuleLaunch, len(starts))
	for i := range starts {
		jobs[i].RuleStart = starts[i]
	}
	return jobs, nil
}

func (r ruleLaunches) Forget(ctx context.Context, l RuleLaunch) error {
	return r.store.RuleStarted(ctx, l.RuleStart)
}
