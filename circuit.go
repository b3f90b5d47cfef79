package busbar

import (
	"fmt"
	"time"
)

// Circuit says whether deliveries go to an endpoint now. While it is not closed they are parked, and one after the
// other finds out whether the endpoint takes them again.
type Circuit struct {
	State CircuitState
	// Since is when it came to that state; zero for one that was never open.
	Since time.Time
	// ProbeAt is when the next delivery is tried while it is open.
	ProbeAt time.Time
	// FailingSince is the first failed attempt after the last success; zero when the last attempt succeeded.
	FailingSince time.Time
	// Failures counts the failed attempts since then.
	Failures int
	// Crowded: it is half open because more comes for the endpoint than it takes at once, not because it has failed.
	Crowded bool
}

// CircuitState is a state of a circuit.
type CircuitState string

// The states.
const (
	// CircuitClosed: deliveries go out as they come.
	CircuitClosed CircuitState = "closed"
	// CircuitOpen: deliveries are parked; the oldest is tried now and then.
	CircuitOpen CircuitState = "open"
	// CircuitHalfOpen: a try is under way or has succeeded, or more comes than goes out at once; what is parked goes out, oldest
	// first.
	CircuitHalfOpen CircuitState = "half_open"
)

// ParseCircuitState rejects what is not a state.
func ParseCircuitState(s string) (CircuitState, error) {
	switch c := CircuitState(s); c {
	case CircuitClosed, CircuitOpen, CircuitHalfOpen:
		return c, nil
	default:
		return "", fmt.Errorf("%q is none of %q, %q and %q", s, CircuitClosed, CircuitOpen, CircuitHalfOpen)
	}
}

// An open circuit is tried after FirstProbe, and then after twice as long each time, up to LastProbe.
const (
	FirstProbe = 5 * time.Second
	LastProbe  = time.Minute
)

// NextProbe is how long to wait after a try that failed, when the wait before it was this long.
func NextProbe(wait time.Duration) time.Duration {
	return min(max(2*wait, FirstProbe), LastProbe)
}
