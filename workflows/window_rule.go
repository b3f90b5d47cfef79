package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"busbar"
	"busbar/activities"
)

// WindowRuleInput names a rule with a window.
type WindowRuleInput struct {
	Environment busbar.Environment `json:"environment"`
	RuleID      busbar.RuleID      `json:"ruleId"`
	// After is the last opening, when a run goes on where another ended.
	After time.Time `json:"after,omitzero"`
}

// openingsMost is how many openings a run sees before it begins a fresh history, and sleepMost how long it sleeps without
// asking again: sites may come, or move to another zone.
const (
	openingsMost = 30
	sleepMost    = 6 * time.Hour
)

// WindowRule sleeps until a rule's window opens and has the rule decide then, at every site, for as long as the rule has a
// window. It is signalled when the rule was saved.
func WindowRule(ctx workflow.Context, in WindowRuleInput) error {
	w := windowRule{in: in, changed: workflow.GetSignalChannel(ctx, ChangedSignal)}
	over, err := w.run(ctx)
	if err != nil || over {
		return err
	}
	return workflow.NewContinueAsNewError(ctx, WindowRuleName, w.in)
}

type windowRule struct {
	in      WindowRuleInput
	changed workflow.ReceiveChannel
}

// run reports whether the rule has no window any more.
func (w *windowRule) run(ctx workflow.Context) (bool, error) {
	for seen := 0; seen < openingsMost && !workflow.GetInfo(ctx).GetContinueAsNewSuggested(); {
		// Saves before now are part of what is read now.
		drained(w.changed)
		next, err := w.next(ctx)
		switch {
		case err != nil:
			return false, err
		case next.Over:
			if !drained(w.changed) {
				return true, nil
			}
			continue
		case next.Wait > 0:
			summary := "until the window opens at " + next.At.UTC().Format(time.RFC3339)
			if err := awaitSignal(ctx, w.changed, min(next.Wait, sleepMost), summary); err != nil {
				return false, err
			}
			continue
		}
		if err := w.open(ctx, next.At); err != nil {
			return false, err
		}
		w.in.After = next.At
		seen++
	}
	return false, nil
}

func (w *windowRule) next(ctx workflow.Context) (activities.Opening, error) {
	var a *activities.Rules
	var next activities.Opening
	target := activities.WindowTarget{Environment: w.in.Environment, RuleID: w.in.RuleID, After: w.in.After}
	if err := workflow.ExecuteLocalActivity(decisionOptions(ctx, "when the window opens next"), a.NextOpening, target).Get(ctx, &next); err != nil {
		return next, fmt.Errorf("find next opening of %s: %w", w.in.RuleID, err)
	}
	return next, nil
}

// open opens the window at all sites where it opens at this moment.
func (w *windowRule) open(ctx workflow.Context, at time.Time) error {
	var a *activities.Rules
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: activities.OpeningTime,
		HeartbeatTimeout:    activities.OpeningHeartbeat,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
		Summary:             "open the window of " + at.UTC().Format(time.RFC3339),
	})
	page := activities.OpeningPage{Environment: w.in.Environment, RuleID: w.in.RuleID, At: at}
	for {
		var opened activities.Opened
		if err := workflow.ExecuteActivity(ctx, a.OpenWindow, page).Get(ctx, &opened); err != nil {
			return fmt.Errorf("open window of %s: %w", w.in.RuleID, err)
		}
		if !opened.More {
			return nil
		}
		page.After = opened.After
	}
}
