package rules

import "busbar"

// siteLists are the names of a site's lists of devices.
var siteLists = []struct {
	name   string
	family busbar.Family
}{
	{"batteries", busbar.Battery},
	{"evChargers", busbar.EVCharger},
	{"vehicles", busbar.Vehicle},
	{"hvacs", busbar.HVAC},
	{"solarInverters", busbar.SolarInverter},
	{"meters", busbar.Meter},
}

var (
	siteObject  = makeSite()
	eventObject = makeEvent()
	causeObject = makeCause()
	stepObject  = &object{name: "a step", members: []member{
		{"status", "How it ended.", typ{kind: kindString, enum: []string{"done", "failed", "no_longer_wanted"}}, func(_ *frame, ref any) value {
			return stringOf(ref.(*StepResult).Status)
		}},
		{"message", "What was said of it.", typ{kind: kindString}, func(_ *frame, ref any) value { return stringOf(ref.(*StepResult).Message) }},
	}}
	errorObject = &object{name: "the error", members: []member{
		{"code", "The device's or the driver's code.", typ{kind: kindString}, func(_ *frame, ref any) value { return stringOf(ref.(*Failure).Code) }},
		{"message", "What was said of it.", typ{kind: kindString}, func(_ *frame, ref any) value { return stringOf(ref.(*Failure).Message) }},
		{"step", "Which step failed, from 1.", typ{kind: kindNumber}, func(_ *frame, ref any) value { return numberOf(float64(ref.(*Failure).Step)) }},
	}}
	// filterObject is what an endpoint's filter sees.
	filterObject = &object{name: "a filter", members: []member{
		{"type", "The event's type.", typ{kind: kindString}, func(f *frame, _ any) value { return stringOf(f.in.eventType) }},
		{"data", "What the event's producer said.", typ{kind: kindMap}, eventData},
	}}
)

func eventData(f *frame, _ any) value {
	if f.in.Data == nil {
		return value{kind: kindMap, ref: map[string]any{}}
	}
	return value{kind: kindMap, ref: f.in.Data}
}

func makeSite() *object {
	o := &object{name: "the site", members: []member{
		{"id", "The site's id.", typ{kind: kindString}, func(f *frame, _ any) value { return stringOf(string(f.in.Site.ID)) }},
		{"name", "Its name.", typ{kind: kindString}, func(f *frame, _ any) value { return stringOf(f.in.Site.Name) }},
		{"timezone", "Its IANA time zone.", typ{kind: kindString}, func(f *frame, _ any) value { return stringOf(f.in.Site.Timezone) }},
	}}
	for _, l := range siteLists {
		t := listType(typ{kind: kindObject, object: byFamily[l.family].device})
		o.members = append(o.members, member{l.name, "Its devices of the family " + string(l.family) + ", by id.", t, func(f *frame, _ any) value {
			var items []value
			for _, d := range f.in.Devices {
				if d.Family == l.family {
					f.memory -= valueBytes
					items = append(items, value{kind: kindObject, ref: d})
				}
			}
			return listOf(items)
		}})
	}
	meter := typ{kind: kindObject, object: byFamily[busbar.Meter].device}
	o.members = append(o.members, member{"meter", "Its first meter; nil when it has none.", meter, func(f *frame, _ any) value {
		for _, d := range f.in.Devices {
			if d.Family == busbar.Meter {
				return value{kind: kindObject, ref: d}
			}
		}
		return value{kind: kindNil}
	}})
	return o
}

func makeEvent() *object {
	text := func(of func(e *busbar.Event) string) func(*frame, any) value {
		return func(f *frame, _ any) value { return stringOf(of(f.in.Event)) }
	}
	return &object{name: "the event", members: []member{
		{"id", "The event's id.", typ{kind: kindString}, text(func(e *busbar.Event) string { return string(e.ID) })},
		{"type", "Its type.", typ{kind: kindString}, text(func(e *busbar.Event) string { return e.Type })},
		{"deviceId", "The device that it is about; empty when there is none.", typ{kind: kindString}, text(func(e *busbar.Event) string { return string(e.DeviceID) })},
		{"siteId", "The site that it is about; empty when there is none.", typ{kind: kindString}, text(func(e *busbar.Event) string { return string(e.SiteID) })},
		{"timestamp", "When it happened.", typ{kind: kindTime}, func(f *frame, _ any) value { return timeOf(f.in.now()) }},
		{"data", "What its producer said.", typ{kind: kindMap}, eventData},
	}}
}

func makeCause() *object {
	text := func(of func(c *busbar.Causation) string) func(*frame, any) value {
		return func(f *frame, _ any) value { return stringOf(of(&f.in.Event.Causation)) }
	}
	return &object{name: "the cause", members: []member{
		{"rootEventId", "The event that began it all.", typ{kind: kindString}, text(func(c *busbar.Causation) string { return string(c.RootEventID) })},
		{"parentId", "What it follows from directly; empty when nothing.", typ{kind: kindString}, text(func(c *busbar.Causation) string { return c.ParentID })},
		{"ruleId", "The rule that it follows from; empty when none.", typ{kind: kindString}, text(func(c *busbar.Causation) string { return c.RuleID })},
		{"actionId", "The action that it follows from; empty when none.", typ{kind: kindString}, text(func(c *busbar.Causation) string { return c.ActionID })},
		{"depth", "How many firings lie between it and its root.", typ{kind: kindNumber}, func(f *frame, _ any) value {
			return numberOf(float64(f.in.Event.Causation.Depth))
		}},
		{"inferred", "It was recognised as an echo, and not told.", typ{kind: kindBool}, func(f *frame, _ any) value {
			return boolOf(f.in.Event.Causation.Inferred)
		}},
	}}
}

// scene is where an expression of a rule stands, which decides what it may name.
type scene struct {
	// family is the rule's deviceType, empty when it has none.
	family busbar.Family
	// steps and failure: there are steps before it, and one has failed.
	steps, failure bool
}

// scenes are made once: they are the same for all rules.
var scenes = makeScenes()

func makeScenes() map[scene]*object {
	made := make(map[scene]*object)
	for _, family := range append(busbar.Families(), "") {
		for _, s := range []scene{{family, false, false}, {family, true, false}, {family, true, true}} {
			made[s] = s.make()
		}
	}
	return made
}

// variables are the names that expressions in a scene may use.
func (s scene) variables() *object { return scenes[s] }

func (s scene) make() *object {
	device, state, previous := anyDevice, anyState, anyPrevious
	changeable := []string{"sync"}
	for _, family := range busbar.Families() {
		if s.family != "" && family != s.family {
			continue
		}
		for _, f := range family.Spec().Fields {
			changeable = append(changeable, f.Name)
		}
	}
	if s.family != "" {
		device, state, previous = byFamily[s.family].device, byFamily[s.family].state, byFamily[s.family].previous
	}
	o := &object{name: "a rule", members: []member{
		{"event", "What happened.", typ{kind: kindObject, object: eventObject}, ofEvent("event")},
		{"device", "What it happened to.", typ{kind: kindObject, object: device}, eventDevice},
		{"state", "The state of that device, after the event.", typ{kind: kindObject, object: state}, eventDevice},
		{"previous", "The state of that device, before the event.", typ{kind: kindObject, object: previous}, eventDevice},
		{"changed", "The names of the fields that the event changed.", listType(typ{kind: kindString, enum: changeable}), changedNames},
		{"site", "Where it happened.", typ{kind: kindObject, object: siteObject}, func(f *frame, _ any) value {
			if f.in.Site == nil {
				return unknownOf("site", ReasonMissing)
			}
			return value{kind: kindObject, ref: f.in.Site}
		}},
		{"now", "The event's time, on the site's clock.", typ{kind: kindTime}, func(f *frame, _ any) value { return timeOf(f.in.now()) }},
		{"cause", "What the event follows from.", typ{kind: kindObject, object: causeObject}, ofEvent("cause")},
	}}
	if s.steps {
		o.members = append(o.members, member{"steps", "The steps that have ended.", listType(typ{kind: kindObject, object: stepObject}), func(f *frame, _ any) value {
			items := make([]value, len(f.in.Steps))
			for i := range f.in.Steps {
				items[i] = value{kind: kindObject, ref: &f.in.Steps[i]}
			}
			return listOf(items)
		}})
	}
	if s.failure {
		o.members = append(o.members, member{"error", "What a step failed with.", typ{kind: kindObject, object: errorObject}, func(f *frame, _ any) value {
			if f.in.Error == nil {
				return unknownOf("error", ReasonMissing)
			}
			return value{kind: kindObject, ref: f.in.Error}
		}})
	}
	return o
}

// ofEvent is the event as such; there is none before it, and when a window opens.
func ofEvent(name string) func(*frame, any) value {
	return func(f *frame, _ any) value {
		if f.in.Event == nil {
			return unknownOf(name, ReasonMissing)
		}
		return value{kind: kindObject, ref: f.in.Event}
	}
}

func eventDevice(f *frame, _ any) value {
	if f.in.Device == nil {
		return unknownOf("device", ReasonMissing)
	}
	return value{kind: kindObject, ref: f.in.Device}
}

func changedNames(f *frame, _ any) value {
	items := make([]value, len(f.in.Changed))
	for i, name := range f.in.Changed {
		items[i] = stringOf(name)
	}
	return listOf(items)
}
