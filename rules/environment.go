package rules

import (
	"slices"
	"time"

	"busbar"
)

// familyObjects are what a family's devices, states and settings look like in expressions.
type familyObjects struct{ device, state, previous, settings *object }

var (
	byFamily = makeFamilies()
	// anyDevice and anyState are of a device of which the family is not known before it is there.
	anyState, anyPrevious = makeAnyState(), makeAnyPrevious()
	anySettingsObject     = anySettings()
	anyDevice             = deviceObject("a device", anyState, anySettingsObject)
)

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func isDevice(o *object) bool {
	return o == anyDevice || slices.ContainsFunc(busbar.Families(), func(f busbar.Family) bool { return byFamily[f].device == o })
}

func isState(o *object) bool {
	return o == anyState || slices.ContainsFunc(busbar.Families(), func(f busbar.Family) bool { return byFamily[f].state == o })
}

// familyOfState is the family of which an object is the state; empty when it may be of any.
func familyOfState(o *object) busbar.Family {
	for _, f := range busbar.Families() {
		if byFamily[f].state == o {
			return f
		}
	}
	return ""
}

func makeFamilies() map[busbar.Family]familyObjects {
	made := make(map[busbar.Family]familyObjects, len(busbar.Families()))
	for _, family := range busbar.Families() {
		spec := family.Spec()
		state := &object{name: "the state of " + article(family)}
		previous := &object{name: "the previous state of " + article(family)}
		for i := range spec.Fields {
			field := &spec.Fields[i]
			state.members = append(state.members, member{field.Name, field.Doc, fieldType(field), currentField(field.Name)})
			previous.members = append(previous.members, member{field.Name, field.Doc, fieldType(field), previousField(field.Name)})
		}
		settings := &object{name: "the settings of " + article(family)}
		for _, s := range spec.Settings {
			settings.members = append(settings.members, member{s.Name, s.Doc, typ{kind: kindNumber}, setting(s.Name, s.Range.Unit)})
		}
		made[family] = familyObjects{deviceObject(article(family), state, settings), state, previous, settings}
	}
	return made
}

// article is how messages call a device of a family.
func article(f busbar.Family) string {
	switch f {
	case busbar.EVCharger, busbar.HVAC:
		return "an " + string(f)
	case busbar.Battery, busbar.SolarInverter, busbar.Vehicle, busbar.Meter:
	}
	return "a " + string(f)
}

func fieldType(f *busbar.Field) typ {
	switch f.Kind {
	case busbar.KindNumber:
		return typ{kind: kindNumber, field: f}
	case busbar.KindBool:
		return typ{kind: kindBool}
	case busbar.KindText:
		return typ{kind: kindString, enum: f.Enum}
	}
	return typ{kind: kindAny}
}

// reported is a value of a state.
func reported(v any) (value, bool) {
	switch v := v.(type) {
	case float64:
		return numberOf(v), true
	case bool:
		return boolOf(v), true
	case string:
		return value{kind: kindString, ref: v}, true
	}
	return value{}, false
}

// currentField is a field as of now: not known when it was never reported, reported as null, or too long ago.
func currentField(name string) func(*frame, any) value {
	return func(f *frame, ref any) value {
		d := ref.(*busbar.Device)
		raw, there := d.Announced[name]
		if !there {
			return unknownField(d, name, ReasonMissing)
		}
		v, ok := reported(raw)
		switch {
		case !ok:
			return unknownField(d, name, ReasonNull)
		case f.in.stale(d, name):
			return unknownField(d, name, ReasonStale)
		}
		return v
	}
}

// previousField is a field as it was before the event.
func previousField(name string) func(*frame, any) value {
	return func(f *frame, _ any) value {
		raw, there := f.in.Previous[name]
		if !there {
			return unknownOf("previous."+name, ReasonMissing)
		}
		if v, ok := reported(raw); ok {
			return v
		}
		return unknownOf("previous."+name, ReasonNull)
	}
}

// setting is a device's, in the unit that its family declares.
func setting(name string, unit busbar.Unit) func(*frame, any) value {
	return func(_ *frame, ref any) value {
		d := ref.(*busbar.Device)
		q, ok := d.Settings[name]
		if ok {
			q, ok = q.In(unit)
		}
		if !ok {
			return unknownField(d, "settings."+name, ReasonMissing)
		}
		return numberOf(q.Value)
	}
}

func deviceObject(name string, state, settings *object) *object {
	families := make([]string, 0, len(busbar.Families()))
	for _, f := range busbar.Families() {
		families = append(families, string(f))
	}
	of := func(ref any) *busbar.Device { return ref.(*busbar.Device) }
	return &object{name: name, members: []member{
		{"id", "The device's id.", typ{kind: kindString}, func(_ *frame, ref any) value { return stringOf(string(of(ref).ID)) }},
		{"type", "Its family.", typ{kind: kindString, enum: families}, func(_ *frame, ref any) value { return stringOf(string(of(ref).Family)) }},
		{"name", "Its name.", typ{kind: kindString}, func(_ *frame, ref any) value { return stringOf(of(ref).Name) }},
		{"connected", "It can be reached.", typ{kind: kindBool}, func(_ *frame, ref any) value { return boolOf(of(ref).Connection == busbar.Connected) }},
		{"state", "What it reported last, rounded.", typ{kind: kindObject, object: state}, itself},
		{"settings", "What it was set to.", typ{kind: kindObject, object: settings}, itself},
	}}
}

// itself is for members that are views of the same thing.
func itself(_ *frame, ref any) value { return value{kind: kindObject, ref: ref} }

// makeAnyState has the fields of all families. A field that the device's family has not is not known.
func makeAnyState() *object {
	return unite("the state of a device", currentField)
}

func makeAnyPrevious() *object { return unite("the previous state of a device", previousField) }

func unite(name string, get func(string) func(*frame, any) value) *object {
	o := &object{name: name}
	for _, family := range busbar.Families() {
		spec := family.Spec()
		for i := range spec.Fields {
			field := &spec.Fields[i]
			t := fieldType(field)
			known, ok := o.member(field.Name)
			if !ok {
				o.members = append(o.members, member{field.Name, field.Doc, t, get(field.Name)})
				continue
			}
			known.typ = uniteTypes(known.typ, t)
		}
	}
	return o
}

// uniteTypes is the type of fields of one name in several families: their bounds and sets may differ.
func uniteTypes(a, b typ) typ {
	if a.kind != b.kind {
		return typ{kind: kindAny}
	}
	t := typ{kind: a.kind}
	if a.enum != nil && b.enum != nil {
		t.enum = append(slices.Clone(a.enum), b.enum...)
	}
	return t
}

func anySettings() *object {
	o := &object{name: "the settings of a device"}
	for _, family := range busbar.Families() {
		for _, s := range family.Spec().Settings {
			o.members = append(o.members, member{s.Name, s.Doc, typ{kind: kindNumber}, setting(s.Name, s.Range.Unit)})
		}
	}
	return o
}

var timeObject = &object{name: "a time", members: []member{
	{"hour", "0 to 23.", typ{kind: kindNumber}, timePart(func(t time.Time) int { return t.Hour() })},
	{"minute", "0 to 59.", typ{kind: kindNumber}, timePart(func(t time.Time) int { return t.Minute() })},
	{"second", "0 to 59.", typ{kind: kindNumber}, timePart(func(t time.Time) int { return t.Second() })},
	{"weekday", "The day of the week.", typ{kind: kindString, enum: weekdays}, func(_ *frame, ref any) value {
		return stringOf(weekdays[ref.(time.Time).Weekday()])
	}},
	{"day", "Of the month, from 1.", typ{kind: kindNumber}, timePart(func(t time.Time) int { return t.Day() })},
	{"month", "1 to 12.", typ{kind: kindNumber}, timePart(func(t time.Time) int { return int(t.Month()) })},
	{"year", "", typ{kind: kindNumber}, timePart(func(t time.Time) int { return t.Year() })},
}}

func timePart(of func(time.Time) int) func(*frame, any) value {
	return func(_ *frame, ref any) value { return numberOf(float64(of(ref.(time.Time)))) }
}

var quantityObject = &object{name: "a quantity", members: []member{
	{"value", "Its number.", typ{kind: kindNumber}, func(_ *frame, ref any) value { return numberOf(ref.(busbar.Quantity).Value) }},
	{"unit", "Its unit.", typ{kind: kindString}, func(_ *frame, ref any) value { return stringOf(string(ref.(busbar.Quantity).Unit)) }},
}}
