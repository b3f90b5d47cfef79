package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"busbar"
	"busbar/activities"
)

// RunRuleInput names a run that fired.
type RunRuleInput struct {
	Environment busbar.Environment `json:"environment"`
	RunID       busbar.RunID       `json:"runId"`
	// At is where a run goes on that began under another history; zero is the first step.
	At busbar.StepPlace `json:"at,omitzero"`
}

// RunRuleResult says how a run has ended.
type RunRuleResult struct {
	Status busbar.RunStatus `json:"status"`
}

// lookEvery is how often the actions of a step are looked at in case the signal of their end was lost.
const lookEvery = 10 * time.Minute

// RunRule takes the steps of a run in order. Each is begun by an activity, which finds the actions that were made when the rule
// fired, and is looked at again when one of its actions has ended, until it says what follows. The actions have workflows of
// their own and outlive this one. The run's row is the truth, so all that is kept here is the step that is being taken.
func RunRule(ctx workflow.Context, in RunRuleInput) (RunRuleResult, error) {
	if in.At == (busbar.StepPlace{}) {
		in.At = busbar.FirstStep()
	}
	r := runRule{in: in, ended: workflow.GetSignalChannel(ctx, ActionEndedSignal)}
	return r.run(ctx)
}

type runRule struct {
	in    RunRuleInput
	ended workflow.ReceiveChannel
}

func (r *runRule) run(ctx workflow.Context) (RunRuleResult, error) {
	for {
		// What has ended before now is part of what is read now.
		drained(r.ended)
		next, err := r.take(ctx)
		if err != nil {
			return RunRuleResult{}, err
		}
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("**%s** %s", r.in.At.Label(), next.Summary))
		switch next.Kind {
		case activities.StepEnded:
			return RunRuleResult{Status: next.Status}, nil
		case activities.StepWaits:
			err = awaitSignal(ctx, r.ended, lookEvery, next.Summary)
		case activities.StepFollows:
			err = pause(ctx, next.Wait, next.Summary)
			r.in.At = next.Next
		default:
			err = fmt.Errorf("run %s: the activity asks for %q", r.in.RunID, next.Kind)
		}
		if err != nil {
			return RunRuleResult{}, err
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return RunRuleResult{}, workflow.NewContinueAsNewError(ctx, RunRuleName, r.in)
		}
	}
}

func (r *runRule) take(ctx workflow.Context) (activities.StepNext, error) {
	var a *activities.Rules
	var next activities.StepNext
	target := activities.StepTarget{Environment: r.in.Environment, RunID: r.in.RunID, At: r.in.At}
	if err := workflow.ExecuteLocalActivity(decisionOptions(ctx, r.in.At.Label()), a.TakeStep, target).Get(ctx, &next); err != nil {
		return next, fmt.Errorf("take step %s: %w", r.in.At, err)
	}
	return next, nil
}

// decisionOptions are those of an activity that is one transaction. The database may be away for as long as that of actions.
func decisionOptions(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout:    20 * time.Second,
		ScheduleToCloseTimeout: readNextTime,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
		Summary:                summary,
	})
}

// awaitSignal waits until it is signalled or the time is over.
func awaitSignal(ctx workflow.Context, signal workflow.ReceiveChannel, most time.Duration, summary string) error {
	timed, cancel := workflow.WithCancel(ctx)
	defer cancel()
	var err error
	workflow.NewNamedSelector(ctx, summary).
		AddReceive(signal, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) }).
		AddFuture(workflow.NewTimerWithOptions(timed, most, workflow.TimerOptions{Summary: summary}), func(f workflow.Future) { err = f.Get(ctx, nil) }).
		Select(ctx)
	return err
}

// pause waits for a time, if there is any to wait.
func pause(ctx workflow.Context, d time.Duration, summary string) error {
	if d <= 0 {
		return nil
	}
	return workflow.NewTimerWithOptions(ctx, d, workflow.TimerOptions{Summary: summary}).Get(ctx, nil)
}
