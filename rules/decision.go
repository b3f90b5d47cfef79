package rules

import (
	"fmt"
	"slices"
	"strings"
)

// Decisions are all that can become of a rule at an event.
func Decisions() []Decision {
	return []Decision{
		DecisionDepthLimit, DecisionDisabled, DecisionLate, DecisionTooOld, DecisionFirstSight, DecisionFalse, DecisionUnknown,
		DecisionAlreadyTrue, DecisionOutsideWindow, DecisionCooldown, DecisionHolding, DecisionHoldBroken, DecisionSuperseded,
		DecisionNoTarget, DecisionHeld, DecisionFired, DecisionShadowed, DecisionError,
	}
}

// ParseDecision rejects what is not a decision.
func ParseDecision(s string) (Decision, error) {
	all := Decisions()
	if d := Decision(s); slices.Contains(all, d) {
		return d, nil
	}
	names := make([]string, len(all))
	for i, d := range all {
		names[i] = string(d)
	}
	return "", fmt.Errorf("%q is none of %s", s, strings.Join(names, ", "))
}
