package rules

import (
	"slices"
	"strings"

	"busbar"
)

// typ is what is known of a value before it is there.
type typ struct {
	kind kind
	// elem is what a list holds.
	elem *typ
	// object is what an object has.
	object *object
	// enum is the closed set that a string is of.
	enum []string
	// field is where a number comes from, for its bounds and its resolution.
	field *busbar.Field
}

// object is a kind of thing with named members.
type object struct {
	// name is how messages call it, as `a battery's state`.
	name    string
	members []member
}

// member is one name of an object.
type member struct {
	name, doc string
	typ       typ
	get       func(f *frame, ref any) value
}

func (o *object) member(name string) (*member, bool) {
	i := slices.IndexFunc(o.members, func(m member) bool { return m.name == name })
	if i < 0 {
		return nil, false
	}
	return &o.members[i], true
}

func (o *object) names() []string {
	names := make([]string, len(o.members))
	for i := range o.members {
		names[i] = o.members[i].name
	}
	return names
}

func (t typ) String() string {
	switch t.kind {
	case kindObject:
		return t.object.name
	case kindList:
		if t.elem != nil {
			if plural, ok := strings.CutPrefix(t.elem.String(), "a "); ok {
				return "a list of " + plural + "s"
			}
			if plural, ok := strings.CutPrefix(t.elem.String(), "an "); ok {
				return "a list of " + plural + "s"
			}
		}
	case kindUnknown, kindNil, kindBool, kindNumber, kindString, kindTime, kindDuration, kindQuantity, kindMap, kindAny, kindBad:
	}
	return t.kind.String()
}

// loose reports whether nothing can be said about the value before it is there.
func (t typ) loose() bool { return t.kind == kindAny || t.kind == kindBad }

// could reports whether a value of this type may be of a kind.
func (t typ) could(k kind) bool { return t.kind == k || t.loose() || t.kind == kindNil }

func listType(elem typ) typ { return typ{kind: kindList, elem: &elem} }

func (t typ) element() typ {
	if t.elem == nil {
		return typ{kind: kindAny}
	}
	return *t.elem
}

// join is the type of what is one or the other; ok is false when the two have nothing in common.
func join(a, b typ) (joined typ, ok bool) {
	switch {
	case a.kind == kindBad || b.kind == kindBad:
		return typ{kind: kindBad}, true
	case a.kind == kindNil:
		return b, true
	case b.kind == kindNil:
		return a, true
	case a.kind == kindAny || b.kind == kindAny:
		return typ{kind: kindAny}, true
	case a.kind != b.kind:
		return typ{}, false
	}
	joined = typ{kind: a.kind}
	switch a.kind {
	case kindObject:
		if a.object == b.object {
			return a, true
		}
		if isDevice(a.object) && isDevice(b.object) {
			return typ{kind: kindObject, object: anyDevice}, true
		}
		return typ{}, false
	case kindList:
		elem, ok := join(a.element(), b.element())
		return listType(elem), ok
	case kindString:
		if a.enum != nil && b.enum != nil {
			joined.enum = append(slices.Clone(a.enum), b.enum...)
		}
	case kindUnknown, kindNil, kindBool, kindNumber, kindTime, kindDuration, kindQuantity, kindMap, kindAny, kindBad:
	}
	return joined, true
}
