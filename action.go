package busbar

import (
	"fmt"
	"time"
)

// Action is a command on its way to a device. Its row is the truth: the workflow that carries it out reads it before
// every step.
type Action struct {
	ID          ActionID
	Environment Environment
	DeviceID    DeviceID
	Family      Family
	SiteID      SiteID
	Command     string
	Parameters  map[string]Quantity
	State       ActionState
	// Slot is what it occupies on its device: at most one action has each. It is empty when the action has ended.
	Slot Slot
	// Start and End are zero when the command is immediate or has no end.
	Start, End time.Time
	// ExpiresIn is how long after its start tries may go on; ExpiresAt is set once it has its turn, and again for the way
	// back.
	ExpiresIn time.Duration
	ExpiresAt time.Time
	// HoldFor keeps rules off the device for that long after the push.
	HoldFor time.Duration
	// Phase is what is being carried out of it.
	Phase Phase
	// Before is the command that the device goes back to when a window ends.
	Before *Instruction
	// Tries counts the tries over all phases; it only grows.
	Tries int
	// Remote is what a driver's own API calls the command that it has taken.
	Remote string
	Result *ActionResult
	// ErrorCode and ErrorMessage say why it failed, or why the last try did.
	ErrorCode    string
	ErrorMessage string
	// CancelReason says why it was cancelled.
	CancelReason CancelReason
	// Replaces is the action whose place it took, ReplacedBy the one that took its own.
	Replaces, ReplacedBy ActionID
	// RuleID and RunID are set when a rule made it.
	RuleID, RunID string
	// RunStep is the step and the try of the run, as "then/0/1".
	RunStep string
	// Priority is how it weighs against a rule that wants the device: 100 for people, of a rule's action the rule's.
	Priority int
	// FiringSeq is the place of the rule's firing in the history of the site; zero when a person made it.
	FiringSeq int64
	Causation Causation

	CreatedAt time.Time
	UpdatedAt time.Time
	// AcknowledgedAt is when it left the schedule, AcceptedAt when the device took it.
	AcknowledgedAt time.Time
	AcceptedAt     time.Time
	CompletedAt    time.Time
}

// ActionState is where an action stands.
type ActionState string

// The states: scheduled → acknowledged → completed, failed or cancelled.
const (
	// ActionScheduled: it waits for its start, or for the one before it.
	ActionScheduled ActionState = "scheduled"
	// ActionAcknowledged: it is being carried out.
	ActionAcknowledged ActionState = "acknowledged"
	ActionCompleted    ActionState = "completed"
	ActionFailed       ActionState = "failed"
	ActionCancelled    ActionState = "cancelled"
)

// ParseActionState rejects what is not a state.
func ParseActionState(s string) (ActionState, error) {
	switch a := ActionState(s); a {
	case ActionScheduled, ActionAcknowledged, ActionCompleted, ActionFailed, ActionCancelled:
		return a, nil
	default:
		return "", fmt.Errorf("%q is none of scheduled, acknowledged, completed, failed, cancelled", s)
	}
}

// Terminal reports whether nothing follows.
func (s ActionState) Terminal() bool {
	return s == ActionCompleted || s == ActionFailed || s == ActionCancelled
}

// Slot is a place on a device. The database holds that at most one action has each.
type Slot string

// The slots.
const (
	SlotCurrent Slot = "current"
	SlotQueued  Slot = "queued"
)

// Phase is the part of an action that a driver is asked for.
type Phase string

// The phases.
const (
	// PhaseWaiting: its start or its turn has not come.
	PhaseWaiting Phase = "waiting"
	// PhasePush: the command is being tried.
	PhasePush Phase = "push"
	// PhaseAwait: the driver took the command and its result follows.
	PhaseAwait Phase = "await"
	// PhaseWindow: the command is in force until the end of the window.
	PhaseWindow Phase = "window"
	// PhaseRevert: the way back is being tried.
	PhaseRevert Phase = "revert"
	// PhaseAwaitRevert: the driver took the way back and its result follows.
	PhaseAwaitRevert Phase = "await_revert"
	PhaseEnded       Phase = "ended"
)

// Instruction is what a driver is asked to have a device do.
type Instruction struct {
	Command    string              `json:"command"`
	Parameters map[string]Quantity `json:"parameters,omitempty"`
}

// Instruction is what the current phase asks for.
func (a *Action) Instruction() Instruction {
	if (a.Phase == PhaseRevert || a.Phase == PhaseAwaitRevert) && a.Before != nil {
		return *a.Before
	}
	return Instruction{a.Command, a.Parameters}
}

// IdempotencyKey goes with every try of the current phase, so that a device carries it out once.
func (a *Action) IdempotencyKey() string {
	if a.Phase == PhaseRevert || a.Phase == PhaseAwaitRevert {
		return string(a.ID) + RevertSuffix
	}
	return string(a.ID)
}

// RevertSuffix ends the idempotency key of the way back.
const RevertSuffix = "-revert"

// Awaiting reports whether a driver took the command and its result is still to come.
func (a *Action) Awaiting() bool { return a.Phase == PhaseAwait || a.Phase == PhaseAwaitRevert }

// Execution is how the action is timed.
func (a *Action) Execution() Execution {
	switch {
	case !a.End.IsZero():
		return Windowed
	case !a.Start.IsZero():
		return Scheduled
	default:
		return Immediate
	}
}

// Cancellable reports whether it can still be taken back: no try of it was accepted.
func (a *Action) Cancellable() bool {
	return a.State == ActionScheduled ||
		a.State == ActionAcknowledged && a.AcceptedAt.IsZero() && (a.Phase == PhaseWaiting || a.Phase == PhasePush)
}

// WorkflowID is the id of the workflow that carries the action out.
func (a *Action) WorkflowID() string { return ActionWorkflowID(a.Environment, a.ID) }

// ActionWorkflowID is Action.WorkflowID for when only the id is at hand.
func ActionWorkflowID(env Environment, id ActionID) string {
	return fmt.Sprintf("action-%s-%s", env, id)
}

// ActionResult is what a device or its gateway said of a command.
type ActionResult struct {
	Success bool   `json:"success"`
	Message string `json:"message"`
}

// CancelReason says why an action was cancelled.
type CancelReason string

// The reasons.
const (
	CancelRequested  CancelReason = "requested"
	CancelReplaced   CancelReason = "replaced"
	CancelRulePaused CancelReason = "rule_paused"
)

// PersonPriority is how a person's command weighs against rules, which have 0 to 99.
const PersonPriority = 100

// ConflictStrategy says what a push does when its device has an open action.
type ConflictStrategy string

// The strategies; without one a conflict is an error.
const (
	CancelAndReplace ConflictStrategy = "cancel_and_replace"
	QueueAfter       ConflictStrategy = "queue_after"
)

// ConflictStrategies lists them.
func ConflictStrategies() []ConflictStrategy { return []ConflictStrategy{CancelAndReplace, QueueAfter} }

// ParseConflictStrategy rejects what is not a strategy.
func ParseConflictStrategy(s string) (ConflictStrategy, error) {
	switch c := ConflictStrategy(s); c {
	case CancelAndReplace, QueueAfter:
		return c, nil
	default:
		return "", fmt.Errorf("%q is neither %q nor %q", s, CancelAndReplace, QueueAfter)
	}
}

// Limits and defaults of actions.
const (
	DefaultExpiresIn = 10 * time.Minute
	MinExpiresIn     = time.Second
	MaxExpiresIn     = 24 * time.Hour
	// Horizon is how far ahead an action may start.
	Horizon = 30 * 24 * time.Hour
)

// Error codes of actions that Busbar gives; drivers and gateways add their own.
const (
	// ActionExpired: no try was accepted in time.
	ActionExpired = "EXPIRED"
	// ActionDeviceDeleted: the device was gone when its turn came.
	ActionDeviceDeleted = "DEVICE_NOT_FOUND"
	// ActionUnsupported: the device lost the capability meanwhile.
	ActionUnsupported = "UNSUPPORTED_MODE"
	// ActionRefused: the device will not do it, and its gateway gave no code.
	ActionRefused = "DEVICE_REFUSED"
	// ActionNotWanted: a rule's guard was false when it was to be tried.
	ActionNotWanted = "NO_LONGER_WANTED"
	// ActionWorkflowLost: its workflow was ended by a person.
	ActionWorkflowLost = "WORKFLOW_TERMINATED"
)

// Try is one time that a driver was asked to carry out a phase of an action.
type Try struct {
	ActionID ActionID
	// Number counts from 1 over all phases.
	Number   int
	Phase    Phase
	At       time.Time
	Duration time.Duration
	Outcome  TryOutcome
	// ErrorCode and Message are the driver's.
	ErrorCode string
	Message   string
	NextTryAt time.Time
}

// TryOutcome is how a try ended.
type TryOutcome string

// The outcomes.
const (
	// TryOpen: it has begun, and how it ended is not known yet.
	TryOpen TryOutcome = "open"
	// TryInterrupted: it was cut off, and whether the device was asked is not known.
	TryInterrupted TryOutcome = "interrupted"
	TryAccepted    TryOutcome = "accepted"
	// TryPending: taken, and the result follows.
	TryPending TryOutcome = "pending"
	// TryRefused: the device will not do it.
	TryRefused TryOutcome = "refused"
	// TryFailed: it could not be asked; it is asked again.
	TryFailed TryOutcome = "failed"
)
