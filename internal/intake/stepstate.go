package intake

import (
	"time"

	"busbar"
)

// StepKind is what the workflow of a run does next.
type StepKind string

// The kinds.
const (
	// StepWaits: the actions of the step are on their way; it is looked at again when one of them has ended.
	StepWaits StepKind = "waits"
	// StepFollows: the step named is taken next, after a wait.
	StepFollows StepKind = "follows"
	// RunEnded: nothing follows.
	RunEnded StepKind = "ended"
)

// StepState is how a step stands that was taken, or looked at.
type StepState struct {
	Kind StepKind
	// Next is the step to take next: the one after, another try, the first of else_failed, or the same again when it could not be
	// taken yet.
	Next busbar.StepPlace
	Wait time.Duration
	// Summary is for people who read the workflow.
	Summary string
	// Status is how the run has ended.
	Status busbar.RunStatus
}

// HoldRef names a hold.
type HoldRef struct {
	Environment busbar.Environment
	RuleID      busbar.RuleID
	Key         string
	Shadow      bool
	HoldID      string
}

// HoldState is what became of a hold that was due.
type HoldState struct {
	// Decision is what the rule decided; empty when the hold had ended before.
	Decision string
	// Wait is how long until it is due again; zero when it has ended.
	Wait time.Duration
}

// WindowNext is when a rule's window opens.
type WindowNext struct {
	// Over: the rule has no window any more, or is gone or disabled.
	Over bool
	At   time.Time
	// Wait is how long until then; zero when it is to be opened now.
	Wait time.Duration
}

// WindowPage names a part of the sites at which a window opens.
type WindowPage struct {
	Environment busbar.Environment
	RuleID      busbar.RuleID
	// At is when it opens.
	At time.Time
	// After is the last site of the part before.
	After busbar.SiteID
}
