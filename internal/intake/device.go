package intake

import (
	"time"

	"busbar"
)

// Reading is what a device reported.
type Reading struct {
	DeviceID busbar.DeviceID
	// ObservedAt is when; zero is now.
	ObservedAt time.Time
	// State is as decoded from JSON; it is checked against the device's family.
	State map[string]any
	// Err says that the reading was refused already; it only keeps its place among the others.
	Err *busbar.Error
}

// ReadingStatus is what became of a reading.
type ReadingStatus string

// The outcomes of a reading.
const (
	// ReadingUpdated: a rounded value changed, and an event tells.
	ReadingUpdated ReadingStatus = "updated"
	// ReadingUnchanged: nothing that events or rules see has changed.
	ReadingUnchanged ReadingStatus = "unchanged"
	// ReadingLate: it is older than the state already applied; it is kept in the history and starts nothing.
	ReadingLate ReadingStatus = "late"
)

// ReadingOutcome is what became of a reading.
type ReadingOutcome struct {
	Status ReadingStatus
	// EventID is that of the device.updated; empty when there is none.
	EventID busbar.EventID
	Err     *busbar.Error
}

// ConnectionReport says that a device can or cannot be reached.
type ConnectionReport struct {
	DeviceID        busbar.DeviceID
	Status          busbar.Connection
	Reason          string
	ReconnectionURL string
}

// ConnectionOutcome is what became of it; without a change there is no event.
type ConnectionOutcome struct {
	Changed bool
	EventID busbar.EventID
}

// PushRequest asks for a command to be carried out.
type PushRequest struct {
	DeviceID busbar.DeviceID
	// Family, if set, is what the device must be of; DEVICE_NOT_FOUND otherwise.
	Family busbar.Family
	busbar.Push
}

// ResultReport is what a gateway says of a command that it took.
type ResultReport struct {
	// Key, if given, is the idempotency key of what it is about: the command or, of a window, the way back.
	Key       string
	Success   bool
	Message   string
	ErrorCode string
}
