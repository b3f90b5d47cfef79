package rules

import (
	"fmt"

	"busbar"
)

// Bounds of an expression. Over one of them is an error that names it, before or while it is evaluated.
const (
	MaxSourceBytes = 4 << 10
	MaxNodes       = 300
	// MaxNesting is how deep brackets may nest.
	MaxNesting = 64
	// MaxSteps is how many operations one evaluation may take, MinSteps what it gets however many rules share an event.
	MaxSteps = 100_000
	MinSteps = 1_000
	// MaxMemory is how many bytes of text and lists one evaluation may make, all that it lets go of included.
	MaxMemory = 16 << 20
	// MaxPattern is how long a regular expression may be, in bytes.
	MaxPattern = 256
)

// stepsForAll is shared by the rules that match one event.
const stepsForAll = 2_000_000

// Steps is how many operations an evaluation may take when as many rules match an event. It counts rules, not time, so
// that a busy machine decides as an idle one does.
func Steps(matching int) int {
	if matching < 1 {
		return MaxSteps
	}
	return min(MaxSteps, max(MinSteps, stepsForAll/matching))
}

// EvaluationError says why an expression has no value: a limit that it ran into, or a value of another kind than an
// operator needs, as an event's data may hold.
type EvaluationError struct {
	// Limit is the name of the limit: steps or memory; empty when it was none.
	Limit string
	// At is the part of the source that could not be evaluated.
	At      string
	Message string
}

// Error names the part and the reason.
func (e *EvaluationError) Error() string {
	if e.At == "" {
		return e.Message
	}
	return fmt.Sprintf("%s: %s", e.At, e.Message)
}

// invalidExpression is what a client gets for text that does not compile.
func invalidExpression(diagnostics []Diagnostic) *busbar.Error {
	first := &diagnostics[0]
	message := first.Message
	if first.Field != "" {
		message = first.Field + ": " + message
	}
	if n := len(diagnostics) - 1; n > 0 {
		message = fmt.Sprintf("%s (and %d more)", message, n)
	}
	e := busbar.Errorf(busbar.CodeInvalidExpression, "%s", message)
	e.Details = map[string]any{"diagnostics": diagnostics}
	return e
}
