package busbar

import (
	"encoding/json"
	"fmt"
	"time"
)

// Limits of what one request may carry (CONTRACT §2 and §3).
const (
	MaxBodyBytes      = 1 << 20
	MaxEventDataBytes = 256 << 10
	MaxBatch          = 500
	// MaxClockSkew is how far ahead of the time received an event's own time may lie before it is clamped.
	MaxClockSkew = 5 * time.Minute
)

// Event is something that happened, once, to a device or to Busbar itself. It never changes after it was accepted.
type Event struct {
	ID          EventID
	Environment Environment
	Type        string
	DeviceID    DeviceID
	SiteID      SiteID
	// Seq is its place in the history of its site, zero when it has none.
	Seq int64
	// Timestamp is when it happened, as its producer says, clamped to ReceivedAt when that lies too far ahead.
	Timestamp  time.Time
	ReceivedAt time.Time
	// Data is a JSON object, as received but without insignificant white space.
	Data      json.RawMessage
	Flags     []EventFlag
	Causation Causation
}

// EventFlag marks something a reader of an event should know.
type EventFlag string

// The flags.
const (
	// FlagTimestampClamped: the producer's time lay more than MaxClockSkew ahead.
	FlagTimestampClamped EventFlag = "timestamp_clamped"
	// FlagUnknownDevice: the event names a device that is not registered.
	FlagUnknownDevice EventFlag = "unknown_device"
	// FlagLate: it reports a state that is older than the one already applied, and was not merged.
	FlagLate EventFlag = "late"
	// FlagTest: the event was made to try an endpoint and went to that endpoint only.
	FlagTest EventFlag = "test"
)

// Causation says what an event follows from.
type Causation struct {
	RootEventID EventID `json:"rootEventId"`
	ParentID    string  `json:"parentId,omitempty"`
	RuleID      string  `json:"ruleId,omitempty"`
	ActionID    string  `json:"actionId,omitempty"`
	Depth       int     `json:"depth"`
	Inferred    bool    `json:"inferred"`
}

// WorkflowID is the id of the workflow that carries the event out. It comes from the event alone, so that starting it
// twice starts it once.
func (e Event) WorkflowID() string { return EventWorkflowID(e.Environment, e.ID) }

// EventWorkflowID is Event.WorkflowID for when only the id is at hand.
func EventWorkflowID(env Environment, id EventID) string {
	return fmt.Sprintf("event-%s-%s", env, id)
}

// IngestStatus is what became of an event that was offered.
type IngestStatus string

// The outcomes of offering an event without an error.
const (
	StatusAccepted  IngestStatus = "accepted"
	StatusDuplicate IngestStatus = "duplicate"
)
