package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"busbar"
	"busbar/activities"
)

// RunActionInput names an action.
type RunActionInput struct {
	Environment busbar.Environment `json:"environment"`
	ActionID    busbar.ActionID    `json:"actionId"`
}

// RunActionResult says how an action has ended.
type RunActionResult struct {
	State     busbar.ActionState `json:"state"`
	ErrorCode string             `json:"errorCode,omitempty"`
}

// RunAction carries a command out: it waits for its start or its turn, has the driver asked until it takes the command, waits
// for the result or for the end of the window, and has the device go back to what was before. The action's row is the
// truth, so all that this workflow knows is what it is doing about it now.
func RunAction(ctx workflow.Context, in RunActionInput) (RunActionResult, error) {
	r := runAction{in: in, wake: workflow.GetSignalChannel(ctx, WakeSignal)}
	return r.run(ctx)
}

type runAction struct {
	in   RunActionInput
	wake workflow.ReceiveChannel
}

func (r *runAction) run(ctx workflow.Context) (RunActionResult, error) {
	for {
		// What woke it before now is part of what is read now.
		for r.wake.ReceiveAsync(nil) {
			continue
		}
		next, err := r.next(ctx)
		if err != nil {
			return RunActionResult{}, err
		}
		switch next.Kind {
		case activities.CommandEnded:
			return RunActionResult{State: next.State, ErrorCode: next.ErrorCode}, nil
		case activities.CommandWait:
			err = r.wait(ctx, next)
		case activities.CommandPush, activities.CommandRevert, activities.CommandPoll:
			err = r.perform(ctx, next)
		default:
			err = fmt.Errorf("action %s: the activity asks for %q", r.in.ActionID, next.Kind)
		}
		if err != nil {
			return RunActionResult{}, err
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return RunActionResult{}, workflow.NewContinueAsNewError(ctx, RunActionName, r.in)
		}
	}
}

// readNextTime is how long a database may be away before the workflow gives up and the action fails.
const readNextTime = 7 * 24 * time.Hour

// next does what is due and says what to do now.
func (r *runAction) next(ctx workflow.Context) (activities.CommandNext, error) {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout:    20 * time.Second,
		ScheduleToCloseTimeout: readNextTime,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
	})
	var c *activities.Commands
	var next activities.CommandNext
	if err := workflow.ExecuteLocalActivity(ctx, c.NextStep, r.target()).Get(ctx, &next); err != nil {
		return next, fmt.Errorf("read next step of %s: %w", r.in.ActionID, err)
	}
	return next, nil
}

func (r *runAction) target() activities.CommandTarget {
	return activities.CommandTarget{Environment: r.in.Environment, ActionID: r.in.ActionID}
}

// wait returns when its time is over or it was woken. Without a time only others can end it.
func (r *runAction) wait(ctx workflow.Context, next activities.CommandNext) error {
	ctx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	var err error
	ended := workflow.NewNamedSelector(ctx, next.Summary).
		AddReceive(r.wake, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) }).
		AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) { err = ctx.Err() })
	if next.Wait > 0 {
		timer := workflow.NewTimerWithOptions(ctx, next.Wait, workflow.TimerOptions{Summary: next.Summary})
		ended.AddFuture(timer, func(f workflow.Future) { err = f.Get(ctx, nil) })
	}
	ended.Select(ctx)
	return err
}

// perform has a driver asked until that has led to something. The waits between the tries are those of the activity, so
// that they do not fill the history.
func (r *runAction) perform(ctx workflow.Context, next activities.CommandNext) error {
	ctx, cancel := workflow.WithCancel(ctx)
	defer cancel()
	done := workflow.ExecuteActivity(commandOptions(ctx, next), commandActivity(next.Kind), r.target())
	for !done.IsReady() {
		woken := false
		workflow.NewNamedSelector(ctx, next.Summary).
			AddFuture(done, func(workflow.Future) {}).
			AddReceive(r.wake, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil); woken = true }).
			Select(ctx)
		if !woken {
			break
		}
		now, err := r.next(ctx)
		if err != nil {
			return err
		}
		if now.Kind != next.Kind {
			// The activity may be waiting for its next try, which is not wanted any more.
			return nil
		}
	}
	if err := done.Get(ctx, nil); err != nil {
		return fmt.Errorf("%s: %w", next.Summary, err)
	}
	return nil
}

func commandActivity(k activities.CommandKind) any {
	var c *activities.Commands
	switch k {
	case activities.CommandRevert:
		return c.RevertCommand
	case activities.CommandPoll:
		return c.PollCommand
	case activities.CommandPush, activities.CommandEnded, activities.CommandWait:
	}
	return c.PushCommand
}

func commandOptions(ctx workflow.Context, next activities.CommandNext) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: activities.CommandTimeout,
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		// The waits between tries come with the errors; these are for when the database is away.
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
		Summary:     next.Summary,
	})
}
