package busbar

import (
	"fmt"
	"time"
)

// Fault has a simulated device misbehave for a while.
type Fault struct {
	Environment Environment
	DeviceID    DeviceID
	Kind        FaultKind
	Until       time.Time
	// Delay is how late a slow device confirms.
	Delay     time.Duration
	CreatedAt time.Time
}

// MaxFault bounds how long a fault lasts.
const MaxFault = 24 * time.Hour

// FaultKind is a way in which a simulated device misbehaves.
type FaultKind string

// The kinds.
const (
	// FaultOffline: it cannot be reached and reports nothing.
	FaultOffline FaultKind = "offline"
	// FaultSlow: it confirms after a delay.
	FaultSlow FaultKind = "slow"
	// FaultRefuse: it refuses every command.
	FaultRefuse FaultKind = "refuse"
	// FaultRevert: it confirms, and then goes back to what it did before.
	FaultRevert FaultKind = "revert"
	// FaultDuplicate: it says everything twice.
	FaultDuplicate FaultKind = "duplicate"
	// FaultLate: its readings arrive after newer ones.
	FaultLate FaultKind = "late"
	// FaultMissingField: it leaves a field out.
	FaultMissingField FaultKind = "missing_field"
)

// ParseFaultKind rejects what is not a kind.
func ParseFaultKind(s string) (FaultKind, error) {
	switch k := FaultKind(s); k {
	case FaultOffline, FaultSlow, FaultRefuse, FaultRevert, FaultDuplicate, FaultLate, FaultMissingField:
		return k, nil
	default:
		return "", fmt.Errorf("%q is none of offline, slow, refuse, revert, duplicate, late, missing_field", s)
	}
}
