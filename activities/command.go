package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"busbar"
	"busbar/internal/driver"
	"busbar/internal/intake"
)

// CommandTimeout bounds one execution: two calls of a driver, and what is put on record around them.
const CommandTimeout = 60 * time.Second

// askTime bounds what a driver may take, in case its own bounds fail.
const askTime = 45 * time.Second

// Types of the errors by which a command asks to be run again. People read them in the Temporal UI.
const (
	ErrorTryFailed     = "TryFailed"
	ErrorResultPending = "ResultPending"
	ErrorNotNow        = "NotNow"
)

// Polls of a result come this often: soon at first, since most devices confirm within seconds.
const (
	pollFirst = time.Second
	pollMost  = 30 * time.Second
)

// PushCommand has the driver of an action's device asked for the command, once an execution: between them Temporal keeps the
// time. The row says whether it is still wanted, and counts the tries.
func (c *Commands) PushCommand(ctx context.Context, t CommandTarget) error { return c.ask(ctx, t) }

// RevertCommand has the driver asked for the way back at the end of a window.
func (c *Commands) RevertCommand(ctx context.Context, t CommandTarget) error { return c.ask(ctx, t) }

func (c *Commands) ask(ctx context.Context, t CommandTarget) error {
	stop := beat(ctx)
	defer stop()
	begun, err := c.cfg.Actions.BeginTry(ctx, t.Environment, t.ActionID)
	if err != nil {
		return fmt.Errorf("begin try: %w", err)
	}
	if begun.Wait > 0 {
		return again(ErrorNotNow, "the guard of the rule is not known", begun.Wait)
	}
	if begun.Number == 0 {
		// It has moved on; the workflow looks at what became of it.
		return nil
	}
	began := c.cfg.Now()
	// What is cut off here may happen at the device all the same, so it is seen through even when nobody wants it any more.
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	end, err := c.push(asking, &begun)
	if err != nil {
		return err
	}
	end.Number, end.Duration = begun.Number, c.cfg.Now().Sub(began)
	ended, err := c.cfg.Actions.EndTry(asking, t.Environment, t.ActionID, end)
	if err != nil {
		return fmt.Errorf("record try: %w", err)
	}
	c.cfg.Logger.InfoContext(ctx, "try",
		"action_id", t.ActionID, "device_id", begun.Action.DeviceID, "try", begun.Number, "command", begun.Action.Instruction().Command,
		"outcome", end.Outcome, "code", end.Code, "state", ended.Action.State, "ms", end.Duration.Milliseconds())
	if ended.Wait == 0 {
		return nil
	}
	return again(ErrorTryFailed, fmt.Sprintf("try %d: %s: %s", begun.Number, end.Code, end.Message), ended.Wait)
}

// push asks once, and says how that ended. An error is a fault of this side, and the try stays open.
func (c *Commands) push(ctx context.Context, begun *intake.TryBegun) (intake.TryEnd, error) {
	a := &begun.Action
	d, err := c.cfg.Sources.DeviceWithSecret(ctx, a.Environment, a.DeviceID)
	if busbar.CodeOf(err) == busbar.CodeDeviceNotFound {
		return intake.TryEnd{Outcome: busbar.TryRefused, Code: busbar.ActionDeviceDeleted, Message: "the device was deleted"}, nil
	}
	if err != nil {
		return intake.TryEnd{}, fmt.Errorf("read device: %w", err)
	}
	by, err := c.cfg.Drivers.Of(d.Driver.Kind)
	if err != nil {
		return intake.TryEnd{}, err
	}
	outcome, err := by.Push(ctx, driver.Request{
		Environment: a.Environment, Device: d, ActionID: a.ID, Instruction: a.Instruction(), IdempotencyKey: a.IdempotencyKey(),
		Phase: a.Phase, Try: begun.Number, FirstTryAt: begun.FirstAt,
	})
	if transient, ok := errors.AsType[*driver.Error](err); ok {
		return intake.TryEnd{
			Outcome: busbar.TryFailed, Code: transient.Code, Message: transient.Message, RetryAfter: transient.RetryAfter,
		}, nil
	}
	if err != nil {
		return intake.TryEnd{}, fmt.Errorf("push: %w", err)
	}
	end := intake.TryEnd{Code: outcome.Code, Message: outcome.Message, Remote: outcome.Remote}
	switch outcome.Kind {
	case driver.KindAccepted:
		end.Outcome = busbar.TryAccepted
	case driver.KindPending:
		end.Outcome = busbar.TryPending
	case driver.KindRefused:
		end.Outcome = busbar.TryRefused
	}
	return end, nil
}

// PollCommand asks the driver what became of a command that it took, until that is known or the time is over.
func (c *Commands) PollCommand(ctx context.Context, t CommandTarget) error {
	stop := beat(ctx)
	defer stop()
	attempt := activity.GetInfo(ctx).Attempt
	if attempt == 1 {
		// It was asked just now. A remote API that drops all that it takes is not asked in a circle without a pause.
		return again(ErrorResultPending, "the result is still to come", pollFirst)
	}
	a, err := c.cfg.Sources.Action(ctx, t.Environment, t.ActionID)
	if err != nil {
		return fmt.Errorf("read action: %w", err)
	}
	left := a.ExpiresAt.Sub(c.cfg.Now())
	if !a.Awaiting() || left <= 0 {
		return nil
	}
	by, d, err := c.poller(ctx, &a)
	if errors.Is(err, errNoPoller) {
		return nil
	}
	if err != nil {
		return err
	}
	outcome, err := by.Poll(ctx, driver.Request{
		Environment: a.Environment, Device: d, ActionID: a.ID, Instruction: a.Instruction(), IdempotencyKey: a.IdempotencyKey(), Phase: a.Phase,
	}, a.Remote)
	step, wait, err := polled(attempt, outcome, err)
	if err != nil {
		return err
	}
	if wait > 0 {
		return again(ErrorResultPending, step.Message, min(wait, left))
	}
	if _, err := c.cfg.Actions.EndPoll(ctx, t.Environment, t.ActionID, step); err != nil {
		return fmt.Errorf("record result: %w", err)
	}
	return nil
}

// polled is the step that the answer to a poll asks for, or how long to wait before the next one.
func polled(attempt int32, outcome driver.Outcome, err error) (busbar.Step, time.Duration, error) {
	wait := pollWait(attempt)
	if transient, ok := errors.AsType[*driver.Error](err); ok {
		step := busbar.Step{Move: busbar.MoveForget, Code: transient.Code, Message: transient.Message}
		if transient.Over {
			return step, 0, nil
		}
		return step, max(wait, transient.RetryAfter), nil
	}
	if err != nil {
		return busbar.Step{}, 0, fmt.Errorf("poll: %w", err)
	}
	step := busbar.Step{Code: outcome.Code, Message: outcome.Message}
	switch outcome.Kind {
	case driver.KindAccepted:
		step.Move = busbar.MoveAccept
	case driver.KindRefused:
		step.Move = busbar.MoveRefuse
	case driver.KindPending:
		step.Message = "the result is still to come"
		return step, wait, nil
	}
	return step, 0, nil
}

func pollWait(attempt int32) time.Duration {
	wait := pollFirst
	for ; attempt > 1 && wait < pollMost; attempt-- {
		wait *= 2
	}
	return min(wait, pollMost)
}
