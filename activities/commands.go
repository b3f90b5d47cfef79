package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"busbar"
	"busbar/internal/driver"
	"busbar/internal/intake"
)

// Actions moves actions on. Each call is one transaction, and finds what an earlier one has done.
type Actions interface {
	Advance(ctx context.Context, env busbar.Environment, id busbar.ActionID) (busbar.Action, busbar.Need, time.Duration, error)
	BeginTry(ctx context.Context, env busbar.Environment, id busbar.ActionID) (intake.TryBegun, error)
	EndTry(ctx context.Context, env busbar.Environment, id busbar.ActionID, end intake.TryEnd) (intake.TryEnded, error)
	EndPoll(ctx context.Context, env busbar.Environment, id busbar.ActionID, s busbar.Step) (busbar.Action, error)
}

// ActionSources is where actions and their devices are read.
type ActionSources interface {
	Action(ctx context.Context, env busbar.Environment, id busbar.ActionID) (busbar.Action, error)
	DeviceWithSecret(ctx context.Context, env busbar.Environment, id busbar.DeviceID) (busbar.Device, error)
}

// Drivers has the driver of each kind.
type Drivers interface {
	Of(kind busbar.DriverKind) (driver.Driver, error)
}

// CommandsConfig says what the activities of actions work with. All of it is needed.
type CommandsConfig struct {
	Actions Actions
	Sources ActionSources
	Drivers Drivers
	Now     func() time.Time
	Logger  *slog.Logger
}

// Commands are the activities of actions. They are safe for concurrent use.
type Commands struct{ cfg CommandsConfig }

// NewCommands checks the configuration.
func NewCommands(cfg CommandsConfig) (*Commands, error) {
	if cfg.Actions == nil || cfg.Sources == nil || cfg.Drivers == nil || cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("new activities of actions: something is missing")
	}
	return &Commands{cfg}, nil
}

// CommandTarget names an action for an activity.
type CommandTarget struct {
	Environment busbar.Environment `json:"environment"`
	ActionID    busbar.ActionID    `json:"actionId"`
}

// CommandKind is what a workflow does about an action.
type CommandKind string

// The kinds.
const (
	// CommandEnded: nothing any more.
	CommandEnded CommandKind = "ended"
	// CommandWait: wait, or be woken.
	CommandWait CommandKind = "wait"
	// CommandPush, CommandRevert: have the driver asked for the command, or for the way back.
	CommandPush   CommandKind = "push"
	CommandRevert CommandKind = "revert"
	// CommandPoll: have the driver asked what became of it.
	CommandPoll CommandKind = "poll"
)

// CommandNext is what a workflow is to do next.
type CommandNext struct {
	Kind CommandKind `json:"kind"`
	// Wait is how long; zero is until it is woken.
	Wait time.Duration `json:"wait,omitempty"`
	// Summary is for people who read the workflow.
	Summary string `json:"summary,omitempty"`
	// State and ErrorCode say how an action has ended.
	State     busbar.ActionState `json:"state,omitempty"`
	ErrorCode string             `json:"errorCode,omitempty"`
}

// NextStep does for an action what is due and needs no driver, and says what to do next.
func (c *Commands) NextStep(ctx context.Context, t CommandTarget) (CommandNext, error) {
	a, need, wait, err := c.cfg.Actions.Advance(ctx, t.Environment, t.ActionID)
	if busbar.CodeOf(err) == busbar.CodeNotFound {
		// Its retention is over.
		return CommandNext{Kind: CommandEnded}, nil
	}
	if err != nil {
		return CommandNext{}, fmt.Errorf("advance action: %w", err)
	}
	next := CommandNext{Kind: CommandWait, Wait: wait}
	switch need {
	case busbar.NeedNothing:
		return CommandNext{Kind: CommandEnded, State: a.State, ErrorCode: a.ErrorCode}, nil
	case busbar.NeedTurn:
		next.Summary = "until the action before it has ended"
	case busbar.NeedStart:
		next.Summary = "until its start"
	case busbar.NeedWindowEnd:
		next.Summary = "until the end of its window"
	case busbar.NeedTry:
		return CommandNext{Kind: asks(&a), Summary: summaryOf(&a)}, nil
	case busbar.NeedResult:
		return c.awaitResult(ctx, &a, next)
	case busbar.NeedBegin, busbar.NeedExpire, busbar.NeedRevert:
		// It became due in this very moment.
		next.Wait = time.Millisecond
	}
	return next, nil
}

// awaitResult has the result asked for if the driver can, and waited for otherwise.
func (c *Commands) awaitResult(ctx context.Context, a *busbar.Action, next CommandNext) (CommandNext, error) {
	next.Summary = "for the result of " + summaryOf(a)
	_, _, err := c.poller(ctx, a)
	switch {
	case errors.Is(err, errNoPoller):
		return next, nil
	case err != nil:
		return next, err
	}
	return CommandNext{Kind: CommandPoll, Summary: "result of " + summaryOf(a)}, nil
}

// asks is what the current phase has a driver asked for.
func asks(a *busbar.Action) CommandKind {
	if a.Phase == busbar.PhaseRevert {
		return CommandRevert
	}
	return CommandPush
}

func summaryOf(a *busbar.Action) string {
	return fmt.Sprintf("%s → %s", a.Instruction().Command, a.DeviceID)
}

// errNoPoller: the driver of the device tells results by itself.
var errNoPoller = errors.New("the driver cannot be polled")

// poller is the driver of an action's device, with the device.
func (c *Commands) poller(ctx context.Context, a *busbar.Action) (driver.Poller, busbar.Device, error) {
	d, err := c.cfg.Sources.DeviceWithSecret(ctx, a.Environment, a.DeviceID)
	if busbar.CodeOf(err) == busbar.CodeDeviceNotFound {
		return nil, d, errNoPoller
	}
	if err != nil {
		return nil, d, fmt.Errorf("read device: %w", err)
	}
	found, err := c.cfg.Drivers.Of(d.Driver.Kind)
	if err != nil {
		return nil, d, err
	}
	p, ok := found.(driver.Poller)
	if !ok {
		return nil, d, errNoPoller
	}
	return p, d, nil
}
