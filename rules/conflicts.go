package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"busbar"
)

// Bounds of what is said of a rule among others, and of the search for circles.
const (
	maxConflicts = 20
	maxCircle    = 8
	maxSearched  = 200
)

// effect is what a step does to the world.
type effect struct {
	// field is the step's place in the rule.
	field    string
	push     *PushStep
	families []busbar.Family
	emits    string
}

// effects are those of all steps.
func (c *Compiled) effects() []effect {
	var all []effect
	for _, list := range []struct {
		name  string
		steps []compiledStep
	}{{"then", c.then}, {"else_failed", c.elseFailed}} {
		for i := range list.steps {
			step, at := &list.steps[i], fmt.Sprintf("%s[%d]", list.name, i)
			if step.emit != nil {
				all = append(all, effect{field: at + ".emit", emits: step.emit.Type})
				continue
			}
			families, _ := targets(step.device.typ)
			all = append(all, effect{field: at + ".push", push: step.push, families: slices.DeleteFunc(families, func(f busbar.Family) bool {
				_, takes := f.Spec().Command(step.push.Command)
				return !takes
			})})
		}
	}
	return all
}

// reads reports whether a rule's edge can move with a field of a family.
func (c *Compiled) reads(family busbar.Family, field string) bool {
	look := func(p *program) bool {
		return p != nil && slices.ContainsFunc(p.reads, func(r reading) bool { return r.field == field && (r.family == "" || r.family == family) })
	}
	return look(c.condition) || look(c.rearm)
}

// triggers reports whether an effect can bring about an event at which a rule is asked, and change what its condition reads.
func (e *effect) triggers(other *Compiled) bool {
	if e.emits != "" {
		return other.Rule.DeviceType == "" && other.Rule.Hears(e.emits)
	}
	for _, family := range e.families {
		if other.Rule.DeviceType != "" && other.Rule.DeviceType != family {
			continue
		}
		if slices.ContainsFunc(pushTypes, other.Rule.Hears) {
			return true
		}
		command, _ := family.Spec().Command(e.push.Command)
		if other.Rule.Hears(busbar.TypeDeviceUpdated) && slices.ContainsFunc(command.Affects, func(field string) bool { return other.reads(family, field) }) {
			return true
		}
	}
	return false
}

// pushTypes are the events that a command becomes.
var pushTypes = []string{
	busbar.TypePushCompleted, busbar.TypePushFailed, busbar.TypePushCancelled,
}

// Conflicts warns of what a rule and those that are active do to each other: they command the same devices at the same priority,
// its effect can trigger another, or they can trigger one another in a circle. It is said of what they could do: whether they ever
// will depends on the home.
func Conflicts(rule *Standing, others []*Standing) []Diagnostic {
	var near []*Standing
	for _, other := range others {
		if other.ID != rule.ID && other.Rule.Mode == ModeActive && shareSite(rule.Rule, other.Rule) {
			near = append(near, other)
		}
	}
	var found []Diagnostic
	warn := func(field, format string, args ...any) {
		if len(found) < maxConflicts {
			found = append(found, Diagnostic{Field: field, Severity: SeverityWarning, Message: fmt.Sprintf(format, args...)})
		}
	}
	effects := rule.effects()
	for _, other := range near {
		theirs := other.effects()
		for i := range effects {
			if family, ok := effects[i].clashes(theirs, rule.Compiled, other.Compiled); ok {
				warn(effects[i].field+".device", "%s commands devices of the type %s otherwise, with the same priority of %d: the second of them is held until the first one's command has ended",
					other.called(), family, rule.Rule.Priority)
			}
		}
	}
	circle := circleOf(rule, near)
	for i := range effects {
		for _, other := range near {
			if effects[i].triggers(other.Compiled) && !slices.Contains(circle, other) {
				warn(effects[i].field, "what this does can trigger %s", other.called())
			}
		}
	}
	if len(circle) > 0 {
		names := make([]string, len(circle))
		for i, r := range circle {
			names[i] = r.called()
		}
		warn("then", "rules can trigger one another in a circle: this one, then %s, then this one again", strings.Join(names, ", then "))
	}
	return found
}

// called is how messages call a rule.
func (r *Standing) called() string { return fmt.Sprintf("%q (%s)", r.Rule.Name, r.ID) }

// shareSite reports whether two rules may act at the same site.
func shareSite(a, b *Rule) bool {
	return len(a.SiteIDs) == 0 || len(b.SiteIDs) == 0 || slices.ContainsFunc(a.SiteIDs, func(id string) bool { return slices.Contains(b.SiteIDs, id) })
}

// clashes gives a family that both rules command otherwise, when their conditions can be true at the same time.
func (e *effect) clashes(theirs []effect, rule, other *Compiled) (busbar.Family, bool) {
	if e.push == nil || rule.Rule.Priority != other.Rule.Priority || apart(rule, other) {
		return "", false
	}
	for i := range theirs {
		if theirs[i].push == nil || sameOrder(e.push, theirs[i].push) {
			continue
		}
		for _, family := range e.families {
			if slices.Contains(theirs[i].families, family) {
				return family, true
			}
		}
	}
	return "", false
}

// sameOrder reports whether two steps tell a device the same.
func sameOrder(a, b *PushStep) bool {
	if a.Command != b.Command || len(a.Parameters) != len(b.Parameters) || a.Start != b.Start || a.End != b.End {
		return false
	}
	for name, p := range a.Parameters {
		if other := b.Parameters[name]; other.Value != p.Value || other.Unit != p.Unit {
			return false
		}
	}
	return true
}

// apart reports whether the conditions of two rules are never true at the same time: their windows do not meet, or both demand of
// the same thing what contradicts the other.
func apart(a, b *Compiled) bool {
	if a.window != nil && b.window != nil && a.window.Location == b.window.Location && !a.window.meets(b.window) {
		return true
	}
	for _, x := range a.demandsOfSite() {
		for _, y := range b.demandsOfSite() {
			if x.of == y.of && disjoint(x, y) {
				return true
			}
		}
	}
	return false
}

// demandsOfSite are what a condition demands of the meter, which is the same thing in all rules of a site. What it demands of another
// device of the event may be of another one each time.
func (c *Compiled) demandsOfSite() []relation {
	var all []relation
	for _, r := range c.condition.demands {
		if c.Rule.DeviceType == busbar.Meter && strings.HasPrefix(r.of, "state.") {
			r.of = "site.meter." + r.of
		}
		if strings.HasPrefix(r.of, "site.meter.") {
			all = append(all, r)
		}
	}
	return all
}

// meets reports whether two windows of one clock have a minute of the week in common.
func (w *Window) meets(other *Window) bool {
	const day, week = 24 * 60, 7 * 24 * 60
	var taken [week]bool
	mark := func(w *Window, do func(minute int) bool) bool {
		length := (w.To - w.From + day) % day
		for weekday := range 7 {
			if len(w.Days) > 0 && !slices.ContainsFunc(w.Days, func(d time.Weekday) bool { return int(d) == weekday }) {
				continue
			}
			for minute := range length {
				if do((weekday*day + w.From + minute) % week) {
					return true
				}
			}
		}
		return false
	}
	mark(w, func(minute int) bool { taken[minute] = true; return false })
	return mark(other, func(minute int) bool { return taken[minute] })
}

// circleOf is the shortest way from a rule over others back to it; nil when there is none.
func circleOf(rule *Standing, others []*Standing) []*Standing {
	effects := make(map[*Standing][]effect)
	leads := func(from, to *Standing) bool {
		if effects[from] == nil {
			effects[from] = from.effects()
		}
		return slices.ContainsFunc(effects[from], func(e effect) bool { return e.triggers(to.Compiled) })
	}
	ways := [][]*Standing{{rule}}
	seen := map[*Standing]bool{rule: true}
	for len(ways) > 0 && len(seen) < maxSearched {
		way := ways[0]
		ways = ways[1:]
		last := way[len(way)-1]
		if len(way) > 1 && leads(last, rule) {
			return way[1:]
		}
		if len(way) == maxCircle {
			continue
		}
		for _, next := range others {
			if !seen[next] && leads(last, next) {
				seen[next] = true
				ways = append(ways, append(slices.Clone(way), next))
			}
		}
	}
	return nil
}

// Families are those that a rule is about: whose events it is asked at, and whose devices it commands.
func (c *Compiled) Families() []busbar.Family {
	var all []busbar.Family
	if c.Rule.DeviceType != "" {
		all = append(all, c.Rule.DeviceType)
	}
	for _, e := range c.effects() {
		all = append(all, e.families...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Lacking warns of a rule that is about devices which are not there, or which do not take its commands. A family that is not
// among the devices is not looked at.
func Lacking(c *Compiled, devices map[busbar.Family][]busbar.Device) []Diagnostic {
	var found []Diagnostic
	warn := func(field, format string, args ...any) {
		found = append(found, Diagnostic{Field: field, Severity: SeverityWarning, Message: fmt.Sprintf(format, args...)})
	}
	where := ""
	if len(c.Rule.SiteIDs) > 0 {
		where = " at its sites"
	}
	if of, looked := devices[c.Rule.DeviceType]; looked && len(of) == 0 {
		warn("deviceType", "there is no device of the type %s%s", c.Rule.DeviceType, where)
	}
	for _, e := range c.effects() {
		if e.push == nil {
			continue
		}
		there, takes, looked := 0, false, true
		for _, family := range e.families {
			of, known := devices[family]
			looked = looked && known
			there += len(of)
			takes = takes || slices.ContainsFunc(of, func(d busbar.Device) bool { _, ok := d.Commands[e.push.Command]; return ok })
		}
		switch {
		case !looked || takes:
		case there == 0:
			warn(e.field+".device", "there is no device%s that this could be", where)
		default:
			warn(e.field+".command", "no device%s takes the command %s", where, e.push.Command)
		}
	}
	return found
}
