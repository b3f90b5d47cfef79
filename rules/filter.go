package rules

import (
	"encoding/json"
	"fmt"
)

// Filter is a condition over an event's `type` and `data`, that says whether an endpoint wants it.
type Filter struct{ code *code }

// CompileFilter makes a filter of its source. A text that does not compile is an INVALID_EXPRESSION with
// `diagnostics`. A filter may be used by many goroutines.
func CompileFilter(source string) (*Filter, error) {
	compiled, diagnostics := compileAs("filter", source, filterObject, kindBool)
	if compiled == nil {
		return nil, invalidExpression(Errors(diagnostics))
	}
	return &Filter{compiled.code}, nil
}

// Match reports whether the filter is true of an event. What the event's data lacks is unknown, and unknown is not
// true. An *EvaluationError says that it came upon a value of another kind than it needs, or a limit.
func (f *Filter) Match(eventType string, data json.RawMessage) (bool, error) {
	in := &Input{eventType: eventType}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &in.Data); err != nil {
			return false, fmt.Errorf("read data of event: %w", err)
		}
	}
	r := f.code.run(in, MaxSteps)
	switch {
	case r.err != nil:
		return false, r.err
	case r.value.kind == kindUnknown || r.value.kind == kindNil:
		return false, nil
	case r.value.kind != kindBool:
		return false, &EvaluationError{At: f.code.short, Message: fmt.Sprintf("gives %s, where a boolean is needed", r.value.kind)}
	}
	return r.value.bool(), nil
}
