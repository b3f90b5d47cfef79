package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"busbar"
)

// Snapshot is what a decision is made from, read in one moment. Nothing in it is changed.
type Snapshot struct {
	Environment busbar.Environment
	// Site is nil when the event has none.
	Site     *busbar.Site
	Location *time.Location
	// Clock is that of a simulated site; zero for a real one.
	Clock Clock
	// Devices are those of the site by id, with their states after the event.
	Devices []*busbar.Device
	// Before is the event's device as it was before the event; nil when the event has no registered device.
	Before *busbar.Device
	// Stopped: the emergency stop is on, for the environment or the site.
	Stopped bool
	// Explain has each run carry its clauses.
	Explain bool
	Rules   []*Standing
	// Open are the open actions of the site's devices.
	Open map[busbar.DeviceID]OpenAction
}

// Standing is a rule with where it stands.
type Standing struct {
	*Compiled
	ID      string
	Version int
	// Paused: it kept triggering itself, or ran into a limit.
	Paused bool
	// Keys are the edges by scope key. One that is not there was never asked.
	Keys map[string]EdgeState
	// Edge, if set, is that of the one key that the rule is asked about, and Keys are not looked at.
	Edge *EdgeState
}

// edge is where the rule stands with a key.
func (r *Standing) edge(key string) EdgeState {
	if r.Edge != nil {
		return *r.Edge
	}
	return r.Keys[key]
}

// EventRunID names the run of a rule at an event.
func EventRunID(env busbar.Environment, rule string, version int, key string, event busbar.EventID) string {
	return derivedID("run_", string(env), rule, strconv.Itoa(version), key, string(event))
}

// OpenAction is a command on its way to a device.
type OpenAction struct {
	ActionID busbar.ActionID
	// RuleID is empty when a person made it.
	RuleID   string
	Priority int
	// Queued: another one waits behind it.
	Queued bool
}

// EdgeState is where a rule stands with one scope key.
type EdgeState struct {
	// Version is that of the rule under which the edge was set; 0 is never.
	Version int
	Spent   bool
	// Number counts the firings; it only grows, so that rule, key and number name a firing.
	Number int64
	// FiredAt is when it fired last, for the cooldown; it outlives edits.
	FiredAt time.Time
	Hold    *Hold
}

// Hold is a condition that must stay true until it is due.
type Hold struct {
	ID      string
	Version int
	// EventID and At are of the event that began it.
	EventID busbar.EventID
	Since   time.Time
	Due     time.Time
	// UnknownSince is when the condition stopped being known; zero while it is.
	UnknownSince time.Time
}

// HoldEnd is the end of a hold without a firing.
type HoldEnd struct {
	ID       string
	Decision Decision
}

// Decision is what became of a rule at an event.
type Decision string

// The decisions.
const (
	DecisionDepthLimit    Decision = "depth_limit"
	DecisionDisabled      Decision = "disabled"
	DecisionLate          Decision = "late"
	DecisionTooOld        Decision = "too_old"
	DecisionFirstSight    Decision = "first_sight"
	DecisionFalse         Decision = "false"
	DecisionUnknown       Decision = "unknown"
	DecisionAlreadyTrue   Decision = "already_true"
	DecisionOutsideWindow Decision = "outside_window"
	DecisionCooldown      Decision = "cooldown"
	DecisionHolding       Decision = "holding"
	DecisionHoldBroken    Decision = "hold_broken"
	DecisionSuperseded    Decision = "superseded"
	DecisionNoTarget      Decision = "no_target"
	DecisionHeld          Decision = "held"
	DecisionFired         Decision = "fired"
	DecisionShadowed      Decision = "shadowed"
	DecisionError         Decision = "error"
)

// Trigger says what a rule was asked at.
type Trigger string

// The triggers.
const (
	TriggerEvent  Trigger = "event"
	TriggerHold   Trigger = "hold"
	TriggerWindow Trigger = "window"
)

// Run is what a rule decided, and why.
type Run struct {
	ID          string         `json:"id"`
	RuleID      string         `json:"ruleId"`
	RuleVersion int            `json:"ruleVersion"`
	Key         string         `json:"key"`
	Trigger     Trigger        `json:"trigger"`
	EventID     busbar.EventID `json:"eventId,omitempty"`
	Decision    Decision       `json:"decision"`
	DecidedAt   time.Time      `json:"decidedAt"`
	// Lateness is how long after the event it was decided.
	Lateness time.Duration `json:"-"`
	// Unknown is what was not known of the condition, or of the first step; LeftOut what was left out of lists.
	Unknown []Unknown `json:"unknown,omitempty"`
	LeftOut []Unknown `json:"leftOut,omitempty"`
	// Error says what could not be evaluated.
	Error string `json:"error,omitempty"`
	// Limit is the bound that it ran into: steps or memory; empty when it was none.
	Limit string `json:"limit,omitempty"`
	// Cut: the event lay too deep, and the rule would have fired, or begun a hold, otherwise.
	Cut     bool     `json:"cut,omitempty"`
	Targets []Target `json:"targets,omitempty"`
	// HoldID is the hold that this run began, is part of, or came of.
	HoldID string `json:"holdId,omitempty"`
	// Firing is what is to be done; nil unless it fired or was shadowed.
	Firing *Firing `json:"firing,omitempty"`
	// Clauses are the parts of the condition, each on its own; there when the snapshot asks for them.
	Clauses []Clause `json:"clauses,omitempty"`
	// Before and After are the edge; they are the same when nothing moved.
	Before EdgeState `json:"-"`
	After  EdgeState `json:"-"`
	// Ended is a hold that came to nothing here, with what its runs become; nil when none did.
	Ended *HoldEnd `json:"-"`
}

// Moved reports whether the run changed anything but the list of runs.
func (r *Run) Moved() bool { return r.Firing != nil || !sameEdge(&r.Before, &r.After) }

func sameEdge(a, b *EdgeState) bool {
	if (a.Hold == nil) != (b.Hold == nil) || a.Hold != nil && *a.Hold != *b.Hold {
		return false
	}
	return a.Version == b.Version && a.Spent == b.Spent && a.Number == b.Number && a.FiredAt.Equal(b.FiredAt)
}

// Firing is what a rule does once.
type Firing struct {
	// Number is the edge's.
	Number int64 `json:"number"`
	// Shadow: it is on record only.
	Shadow bool `json:"shadow,omitempty"`
	// First is what the first step does, resolved from the same snapshot. The steps after it wait for its end.
	First     StepPlan         `json:"first"`
	Causation busbar.Causation `json:"causation"`
}

// Target is a device that a step thought of.
type Target struct {
	DeviceID busbar.DeviceID `json:"deviceId"`
	Taken    bool            `json:"taken"`
	// Reason says why it was not: held, refused.
	Reason string `json:"reason,omitempty"`
	// Holder is the action, the rule or the person that holds it.
	Holder string `json:"holder,omitempty"`
	// Message is what the check of the command said.
	Message string `json:"message,omitempty"`
}

// Command is an action to be made.
type Command struct {
	DeviceID   busbar.DeviceID            `json:"deviceId"`
	Family     busbar.Family              `json:"deviceType"`
	Command    string                     `json:"command"`
	Parameters map[string]busbar.Quantity `json:"parameters,omitempty"`
	OnConflict busbar.ConflictStrategy    `json:"onConflict,omitempty"`
	ExpiresIn  time.Duration              `json:"-"`
	Start      time.Time                  `json:"start,omitzero"`
	End        time.Time                  `json:"end,omitzero"`
}

// Emission is an event to be made.
type Emission struct {
	Type string         `json:"type"`
	Data map[string]any `json:"data"`
}

// derivedID names what is determined by its cause, so that deciding it twice gives it once.
func derivedID(prefix string, parts ...string) string {
	var space [256]byte
	text := space[:0]
	for _, p := range parts {
		text = strconv.AppendInt(text, int64(len(p)), 10)
		text = append(text, ':')
		text = append(text, p...)
	}
	sum := sha256.Sum256(text)
	return prefix + hex.EncodeToString(sum[:16])
}
