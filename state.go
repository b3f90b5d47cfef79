package busbar

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// State is what a device reported, by field: a float64, a bool, a string, or nil for what it says it does not know.
type State map[string]any

// mostFieldErrors bounds what is told of one reading, not what is read.
const mostFieldErrors = 20

// CheckState reads what a device of a family reports. Unknown fields are an UNKNOWN_FIELD, anything else that does not
// fit is a VALIDATION_FAILED; paths begin with prefix.
func (s *Spec) CheckState(prefix string, given map[string]any) (State, error) {
	var unknown, wrong []FieldError
	state := make(State, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if len(unknown)+len(wrong) == mostFieldErrors {
			break
		}
		path := prefix + "." + name
		f, ok := s.Field(name)
		if !ok {
			unknown = append(unknown, FieldError{path, "unknown", fmt.Sprintf("a %s has no field of this name; it has %s", s.Family, s.fieldNames())})
			continue
		}
		v, problem := f.check(given[name])
		if problem != "" {
			wrong = append(wrong, FieldError{path, "invalid", problem})
			continue
		}
		state[name] = v
	}
	if len(unknown) > 0 {
		return nil, &Error{
			Code: CodeUnknownField, Message: fmt.Sprintf("%s: %s", unknown[0].Path, unknown[0].Message), Fields: slices.Concat(unknown, wrong),
		}
	}
	if err := InvalidFields(wrong); err != nil {
		return nil, err
	}
	return state, nil
}

func (s *Spec) fieldNames() string {
	names := make([]string, len(s.Fields))
	for i := range s.Fields {
		names[i] = s.Fields[i].Name
	}
	return strings.Join(names, ", ")
}

// check says what is wrong with a value.
func (f *Field) check(v any) (any, string) {
	if v == nil {
		if !f.Nullable {
			return nil, "must not be null"
		}
		return nil, ""
	}
	switch f.Kind {
	case KindNumber:
		n, ok := v.(float64)
		switch {
		case !ok:
			return nil, "must be a number"
		case math.IsNaN(n) || n < f.Min || n > f.Max:
			return nil, fmt.Sprintf("must be from %v to %v %s", f.Min, f.Max, f.Unit)
		}
		return n, ""
	case KindBool:
		if b, ok := v.(bool); ok {
			return b, ""
		}
		return nil, "must be true or false"
	case KindText:
		if t, ok := v.(string); ok && slices.Contains(f.Enum, t) {
			return t, ""
		}
		return nil, "must be one of " + strings.Join(f.Enum, ", ")
	}
	return nil, "is of no known kind"
}

// Round gives a value of the field as events and rules see it: a number at the field's resolution, anything else as it is.
func (f *Field) Round(v any) any {
	n, ok := v.(float64)
	if !ok || f.StepsPerUnit == 0 {
		return v
	}
	// Adding zero makes a negative zero a positive one, which reads better.
	return math.Round(n*f.StepsPerUnit)/f.StepsPerUnit + 0
}

// Round gives the state as events and rules see it.
func (s *Spec) Round(state State) State {
	rounded := make(State, len(state))
	for name, v := range state {
		if f, ok := s.Field(name); ok {
			rounded[name] = f.Round(v)
		}
	}
	return rounded
}

// Changed lists the fields that differ between two rounded states, in the order of the family's fields. A field that a
// state lacks is as good as null.
func (s *Spec) Changed(before, after State) []string {
	var changed []string
	for i := range s.Fields {
		name := s.Fields[i].Name
		if before[name] != after[name] {
			changed = append(changed, name)
		}
	}
	return changed
}

// Merge gives the state with the fields of another laid over it.
func (s State) Merge(over State) State {
	merged := make(State, len(s)+len(over))
	maps.Copy(merged, s)
	maps.Copy(merged, over)
	return merged
}
