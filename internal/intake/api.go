// Package intake is the one door through which events enter: it decides what follows from an event, commits that with
// the event in one transaction, and sees to it that the event's workflow starts.
package intake

import (
	"busbar"
	"busbar/internal/store"
)

// Candidate is an event that someone offers.
type Candidate struct {
	// Event has an id unless Busbar is to give one, and a timestamp unless it happened just now. Data is a valid JSON
	// object without insignificant white space. The rest is filled in on acceptance.
	Event busbar.Event
	// Err says that the candidate was refused already; it only keeps its place among the others.
	Err *busbar.Error
}

// Outcome is what became of a candidate.
type Outcome struct {
	EventID    busbar.EventID
	Status     busbar.IngestStatus
	WorkflowID string
	// Err is set when the candidate was refused; the rest is then empty.
	Err *busbar.Error
}

// Idempotency is the Idempotency-Key of a request.
type Idempotency = store.IdempotencyKey
