package busbar

import (
	"encoding/json"
	"fmt"
	"time"
)

type (
	// RuleID names a rule, `rule_…` unless its owner chose another.
	RuleID string
	// RunID names what a rule decided at an event, the end of a hold or the opening of its window; `run_…`.
	RunID string
)

// NewRuleID makes a fresh rule id.
func NewRuleID() RuleID { return RuleID(newID("rule_")) }

// MaxActiveRules is how many rules of an environment may be active or in shadow at once.
const MaxActiveRules = 2000

// Rule is a rule as it stands. What it says is its newest version's text, which package rules reads.
type Rule struct {
	ID          RuleID
	Environment Environment
	Name        string
	// Mode is active, shadow or disabled.
	Mode string
	// Version is the newest, and the one that decides.
	Version int
	// Windowed: it has a window, and is asked when that opens.
	Windowed bool
	// Text is the newest version's, in canonical JSON.
	Text json.RawMessage
	// Source is what was applied, word by word; empty when it was made of JSON.
	Source string
	// PausedAt is when it was stopped because it kept triggering itself or running into a limit; zero when it was not.
	PausedAt    time.Time
	PauseReason string
	// FiredAt is when it fired last.
	FiredAt   time.Time
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Paused reports whether it decides nothing until somebody sets its mode.
func (r *Rule) Paused() bool { return !r.PausedAt.IsZero() }

// RuleVersion is one save of a rule.
type RuleVersion struct {
	RuleID RuleID
	Number int
	Text   json.RawMessage
	Source string
	// Restored is the version that it restored; zero when none.
	Restored  int
	CreatedAt time.Time
}

// Run is what a rule decided, as it is kept.
type Run struct {
	ID          RunID
	Environment Environment
	RuleID      RuleID
	RuleVersion int
	// Shadow: the rule was in shadow.
	Shadow bool
	// Key is what the edge belongs to: device:ID, site:ID or rule.
	Key string
	// Trigger is event, hold or window.
	Trigger string
	// EventID is what it was asked at; of a hold, the event that began it. Empty for a window.
	EventID EventID
	// RootID is the first event of the chain.
	RootID    EventID
	SiteID    SiteID
	Decision  string
	DecidedAt time.Time
	// Lateness is how long after the event it was decided.
	Lateness time.Duration
	HoldID   string
	// Number is that of the firing among those of its key, Seq its place in the history of its site; zero when none.
	Number int64
	Seq    int64
	// Status says how the steps stand; empty when there are none to take.
	Status RunStatus
	// Detail is what package intake keeps of the decision; empty when it stands in the pack of the event.
	Detail json.RawMessage
	// Steps are those that were begun.
	Steps   []RunStep
	EndedAt time.Time
}

// WorkflowID is the id of the workflow that takes the steps.
func (r *Run) WorkflowID() string { return RunWorkflowID(r.Environment, r.ID) }

// RunWorkflowID is Run.WorkflowID for when only the id is at hand.
func RunWorkflowID(env Environment, id RunID) string { return fmt.Sprintf("run-%s-%s", env, id) }

// HoldWorkflowID is the id of the workflow that sleeps until a hold is due.
func HoldWorkflowID(env Environment, holdID string) string {
	return fmt.Sprintf("hold-%s-%s", env, holdID)
}

// WindowWorkflowID is the id of the workflow that sleeps until a rule's window opens.
func WindowWorkflowID(env Environment, id RuleID) string { return fmt.Sprintf("window-%s-%s", env, id) }

// RunStatus is how the steps of a run stand.
type RunStatus string

// The statuses.
const (
	RunOpen   RunStatus = "open"
	RunDone   RunStatus = "done"
	RunFailed RunStatus = "failed"
)

// RunStep is a step that was begun, or one more try of it.
type RunStep struct {
	// Branch is then or else_failed.
	Branch string `json:"branch"`
	// Index counts the steps of the branch from 0, Try the tries of the step.
	Index int `json:"index"`
	Try   int `json:"try"`
	// Status is open, done, failed, no_longer_wanted, no_target, held, unknown, expired or superseded.
	Status    string          `json:"status"`
	ActionIDs []ActionID      `json:"actionIds,omitempty"`
	EventID   EventID         `json:"eventId,omitempty"`
	Targets   json.RawMessage `json:"targets,omitempty"`
	// Code and Message say why it failed.
	Code    string    `json:"code,omitempty"`
	Message string    `json:"message,omitempty"`
	At      time.Time `json:"at"`
	EndedAt time.Time `json:"endedAt,omitzero"`
}

// AutomationStop is an emergency stop that somebody pulled.
type AutomationStop struct {
	Environment Environment
	// SiteID is empty when it is for the environment.
	SiteID SiteID
	By     string
	At     time.Time
}
