package rules

import (
	"math"
	"slices"
	"strings"
	"time"

	"busbar"
)

// kind is what a value is. The first ones are those of values; any is for what is only known when it is there, and bad
// for what a diagnostic was made about already.
type kind uint8

const (
	kindUnknown kind = iota
	kindNil
	kindBool
	kindNumber
	kindString
	kindTime
	kindDuration
	kindQuantity
	kindList
	kindObject
	kindMap
	kindAny
	kindBad
)

var kindNames = [...]string{
	kindUnknown: "unknown", kindNil: "nil", kindBool: "a boolean", kindNumber: "a number", kindString: "a string",
	kindTime: "a time", kindDuration: "a duration", kindQuantity: "a quantity", kindList: "a list", kindObject: "an object",
	kindMap: "an object", kindAny: "any value", kindBad: "invalid",
}

func (k kind) String() string { return kindNames[k] }

// value is what an expression evaluates to. Numbers, booleans and durations are in num, everything else is in ref.
type value struct {
	kind kind
	num  float64
	ref  any
}

func numberOf(n float64) value { return value{kind: kindNumber, num: n} }

func boolOf(b bool) value {
	if b {
		return value{kind: kindBool, num: 1}
	}
	return value{kind: kindBool}
}

func stringOf(s string) value { return value{kind: kindString, ref: s} }

func timeOf(t time.Time) value { return value{kind: kindTime, ref: t} }

func durationOf(d time.Duration) value { return value{kind: kindDuration, num: float64(d)} }

func listOf(items []value) value { return value{kind: kindList, ref: items} }

func (v value) bool() bool { return v.num != 0 }

func (v value) text() string { return v.ref.(string) }

func (v value) time() time.Time { return v.ref.(time.Time) }

func (v value) duration() time.Duration { return time.Duration(v.num) }

func (v value) quantity() busbar.Quantity { return v.ref.(busbar.Quantity) }

// missing reports whether operators have nothing to work with.
func (v value) missing() bool { return v.kind == kindUnknown || v.kind == kindNil }

// Reason says why something is unknown.
type Reason string

// The reasons.
const (
	// ReasonMissing: it was never reported, or is not there.
	ReasonMissing Reason = "missing"
	// ReasonNull: the device says that it does not know.
	ReasonNull Reason = "null"
	// ReasonStale: it was observed too long ago.
	ReasonStale Reason = "stale"
	// ReasonNotFinite: a calculation gave NaN or an infinity.
	ReasonNotFinite Reason = "not_finite"
)

// Unknown is something that a condition needed and nobody knows.
type Unknown struct {
	// Name is that of the field, with the device's id before it, or the part of the source that gave nothing.
	Name   string          `json:"name"`
	Device busbar.DeviceID `json:"deviceId,omitempty"`
	Reason Reason          `json:"reason"`
}

// String names it, and says why it is not known.
func (u Unknown) String() string { return u.Name + " (" + string(u.Reason) + ")" }

// maxUnknowns is how many causes are kept of one value; a list of devices may have hundreds.
const maxUnknowns = 8

func unknownOf(name string, reason Reason) value {
	return value{kind: kindUnknown, ref: []Unknown{{Name: name, Reason: reason}}}
}

func unknownField(d *busbar.Device, field string, reason Reason) value {
	return value{kind: kindUnknown, ref: []Unknown{{Name: string(d.ID) + "." + field, Device: d.ID, Reason: reason}}}
}

// unknowns are the causes of an unknown value.
func (v value) unknowns() []Unknown {
	list, _ := v.ref.([]Unknown)
	return list
}

// either is unknown for all that made one of the operands unknown.
func either(a, b value) value {
	switch {
	case a.kind != kindUnknown:
		return value{kind: kindUnknown, ref: b.unknowns()}
	case b.kind != kindUnknown:
		return value{kind: kindUnknown, ref: a.unknowns()}
	}
	return value{kind: kindUnknown, ref: mergeUnknowns(a.unknowns(), b.unknowns())}
}

func mergeUnknowns(a, b []Unknown) []Unknown {
	merged := slices.Clone(a)
	for _, u := range b {
		if len(merged) >= maxUnknowns {
			break
		}
		if !slices.Contains(merged, u) {
			merged = append(merged, u)
		}
	}
	return merged
}

// finite is a number, unknown when it is none.
func finite(n float64, source string) value {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return unknownOf(source, ReasonNotFinite)
	}
	return numberOf(n)
}

// fromJSON is a value of an event's data.
func fromJSON(v any, name string) value {
	switch v := v.(type) {
	case nil:
		return unknownOf(name, ReasonNull)
	case bool:
		return boolOf(v)
	case float64:
		return finite(v, name)
	case string:
		return value{kind: kindString, ref: v}
	case []any:
		return value{kind: kindList, ref: v}
	case map[string]any:
		return value{kind: kindMap, ref: v}
	default:
		return unknownOf(name, ReasonMissing)
	}
}

// list gives the items of a list, whether it was made here or came with an event's data.
func (f *frame) list(v value, c *code) []value {
	if items, ok := v.ref.([]value); ok {
		return items
	}
	raw := v.ref.([]any)
	f.take(c, len(raw)*valueBytes)
	items := make([]value, len(raw))
	for i, r := range raw {
		items[i] = fromJSON(r, c.short)
	}
	return items
}

// same compares two values that are known. Values of different kinds differ; what has no equality is never equal.
func same(a, b value) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case kindBool, kindNumber, kindDuration:
		return a.num == b.num
	case kindString:
		return a.text() == b.text()
	case kindTime:
		return a.time().Equal(b.time())
	case kindQuantity:
		q, ok := b.quantity().In(a.quantity().Unit)
		return ok && q.Value == a.quantity().Value
	case kindObject:
		return a.ref == b.ref
	case kindNil:
		return true
	case kindUnknown, kindList, kindMap, kindAny, kindBad:
	}
	return false
}

// order compares two values of the same ordered kind; ok is false for other kinds.
func order(a, b value) (sign int, ok bool) {
	if a.kind != b.kind {
		return 0, false
	}
	switch a.kind {
	case kindNumber, kindDuration:
		return compareFloats(a.num, b.num), true
	case kindString:
		return strings.Compare(a.text(), b.text()), true
	case kindTime:
		return a.time().Compare(b.time()), true
	case kindQuantity:
		q, ok := b.quantity().In(a.quantity().Unit)
		return compareFloats(a.quantity().Value, q.Value), ok
	case kindUnknown, kindNil, kindBool, kindList, kindObject, kindMap, kindAny, kindBad:
	}
	return 0, false
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
