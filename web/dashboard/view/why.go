package view

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"busbar"
	"busbar/rules"
	"busbar/web/api"
)

// Why says in one sentence how a run ended, and why. names are those of devices; an id stands for one that is not there.
func Why(r *api.Run, names map[busbar.DeviceID]string) string {
	p := RulePanel{Devices: names}
	switch r.Decision {
	case rules.DecisionFired:
		return "Fired: " + outcome(r, &p) + "."
	case rules.DecisionShadowed:
		return "Would have fired, and in shadow sent nothing: " + plannedText(r.Plan, &p) + "."
	case rules.DecisionHolding:
		return "Waits: the condition is true, and must stay so for a while."
	case rules.DecisionError:
		return "Failed: " + cmp.Or(strings.TrimSuffix(r.Error, "."), "something could not be evaluated") + "."
	case rules.DecisionDepthLimit:
		return "Was cut off: too many firings had followed from each other."
	default:
		return "Did not fire: " + notFired(r, &p) + "."
	}
}

// notFired is what kept a rule from firing.
func notFired(r *api.Run, p *RulePanel) string {
	switch r.Decision {
	case rules.DecisionFalse:
		return falseText(r.Clauses)
	case rules.DecisionUnknown:
		return unknownsText(r.Unknown)
	case rules.DecisionAlreadyTrue:
		return "the condition was true already, and the rule was not ready again"
	case rules.DecisionFirstSight:
		return "the condition was true at the first reading, so that it had not become true"
	case rules.DecisionOutsideWindow:
		return "it was outside of the rule's hours"
	case rules.DecisionCooldown:
		return "it had fired not long before, and rested"
	case rules.DecisionHoldBroken:
		return "the condition did not stay true for long enough"
	case rules.DecisionSuperseded:
		return "the rule was changed, or switched, while it waited"
	case rules.DecisionNoTarget:
		return "there was no device to command"
	case rules.DecisionHeld:
		return cmp.Or(p.targetsText(r.Targets), "the device is held")
	case rules.DecisionDisabled:
		return "automation was stopped, or the rule was paused"
	case rules.DecisionLate:
		return "the reading was older than what was known already"
	case rules.DecisionTooOld:
		return "the event came " + Span(time.Duration(r.LatenessMs)*time.Millisecond, 2) + " late, which is more than the rule acts on"
	case rules.DecisionFired, rules.DecisionShadowed, rules.DecisionHolding, rules.DecisionError, rules.DecisionDepthLimit:
	}
	return string(r.Decision)
}

// falseText says which part of a condition was false, with what it compared.
func falseText(clauses []rules.Clause) string {
	blamed := -1
	negated := ""
	for i := range clauses {
		c := &clauses[i]
		if negated != "" && strings.Contains(negated, c.Source) {
			continue // what is false below a not is not to blame
		}
		negated = ""
		if i+1 < len(clauses) && negates(c.Source, clauses[i+1].Source) {
			negated = c.Source
		}
		if c.Value == false && (i > 0 || len(clauses) == 1) && (blamed < 0 || len(clauses[blamed].Operands) == 0) {
			blamed = i
		}
	}
	if blamed < 0 {
		return "the condition is false"
	}
	c := &clauses[blamed]
	var known []string
	for _, o := range c.Operands {
		if o.Value != nil {
			known = append(known, o.Source+" is "+valueText(o.Value))
		}
	}
	needs := Short(c.Source, 120)
	if len(known) == 0 {
		return needs + " is false"
	}
	if len(c.Operands) == 1 {
		needs = strings.TrimPrefix(needs, c.Operands[0].Source+" ")
	}
	return strings.Join(known, " and ") + ", the condition needs " + needs
}

// negates reports whether a clause is not, and nothing else, before another.
func negates(source, other string) bool {
	rest, ok := strings.CutPrefix(source, "not")
	if !ok {
		rest, ok = strings.CutPrefix(source, "!")
	}
	trim := func(text string) string { return strings.Trim(text, " ()") }
	return ok && trim(rest) == trim(other)
}

// outcome is what a firing did.
func outcome(r *api.Run, p *RulePanel) string {
	text := plannedText(r.Plan, p)
	switch r.Status {
	case busbar.RunFailed:
		for _, step := range slices.Backward(r.Steps) {
			if m := step.Message; step.Status == "failed" && m != "" {
				return text + ", which failed: " + strings.TrimSuffix(m, ".")
			}
		}
		return text + ", which failed"
	case busbar.RunOpen:
		return text + ", which is under way"
	case busbar.RunDone:
	}
	return text
}

// plannedText is what the first step was to do.
func plannedText(plan *api.RunPlan, p *RulePanel) string {
	switch {
	case plan == nil:
		return "it had nothing to do"
	case plan.Emission != nil:
		return "make the event " + plan.Emission.Type
	case len(plan.Commands) == 0:
		return "its first step had nothing to send"
	}
	var told []string
	for i := range plan.Commands {
		c := &plan.Commands[i]
		told = append(told, "send "+c.Command+quantitiesText(c.Parameters)+" to "+p.device(c.DeviceID))
	}
	return strings.Join(told, ", ")
}

// decisionTone is the colour and the sign of a decision.
func decisionTone(d rules.Decision) (tone, icon string) {
	switch d {
	case rules.DecisionFired:
		return "good", "bolt"
	case rules.DecisionShadowed:
		return "info", "moon"
	case rules.DecisionHolding:
		return "info", "clock"
	case rules.DecisionError, rules.DecisionDepthLimit:
		return "bad", "cross"
	case rules.DecisionUnknown:
		return "warn", "question"
	case rules.DecisionHeld, rules.DecisionDisabled, rules.DecisionNoTarget:
		return "warn", "pause"
	case rules.DecisionFalse, rules.DecisionAlreadyTrue, rules.DecisionFirstSight, rules.DecisionOutsideWindow, rules.DecisionCooldown,
		rules.DecisionHoldBroken, rules.DecisionSuperseded, rules.DecisionLate, rules.DecisionTooOld:
	}
	return "mute", "minus"
}

// Decisions are all of them, those that matter most first.
func Decisions() []rules.Decision {
	return []rules.Decision{
		rules.DecisionFired, rules.DecisionShadowed, rules.DecisionHolding, rules.DecisionError, rules.DecisionHeld, rules.DecisionNoTarget, rules.DecisionUnknown,
		rules.DecisionFalse, rules.DecisionAlreadyTrue, rules.DecisionFirstSight, rules.DecisionHoldBroken, rules.DecisionCooldown, rules.DecisionOutsideWindow,
		rules.DecisionSuperseded, rules.DecisionDisabled, rules.DecisionLate, rules.DecisionTooOld, rules.DecisionDepthLimit,
	}
}

// decisionText is a decision as it is said.
func decisionText(d rules.Decision) string { return strings.ReplaceAll(string(d), "_", " ") }

// decisionOptions are the decisions that one may ask for.
func decisionOptions() []option {
	list := []option{{"", "Any"}}
	for _, d := range Decisions() {
		list = append(list, option{string(d), Sentence(decisionText(d))})
	}
	return list
}

// RunsPage is a list of runs.
type RunsPage struct {
	Now     time.Time
	Runs    []api.Run
	Names   Names
	Filters Form
	Pages   Pages
}

// Names are those of what runs are about.
type Names struct {
	Devices map[busbar.DeviceID]string
	Rules   map[busbar.RuleID]string
}

func (n Names) rule(id busbar.RuleID) string { return cmp.Or(n.Rules[id], string(id)) }

func (n Names) device(id busbar.DeviceID) string { return cmp.Or(n.Devices[id], string(id)) }

// mostOffers is how many names a filter offers; an id of any other can be typed.
const mostOffers = 200

func (n Names) ruleOptions() []option { return named(n.Rules) }

func (n Names) deviceOptions() []option { return named(n.Devices) }

// named are ids with their names as choices, by name.
func named[ID ~string](names map[ID]string) []option {
	list := make([]option, 0, len(names))
	for id, name := range names {
		list = append(list, option{string(id), Short(Plain(name), 60)})
	}
	slices.SortFunc(list, func(a, b option) int {
		return cmp.Or(strings.Compare(a.label, b.label), strings.Compare(a.value, b.value))
	})
	return list[:min(mostOffers, len(list))]
}

// RunPage is one run.
type RunPage struct {
	Now   time.Time
	Run   api.Run
	Names Names
	// Actions are those of its steps, as far as they are known.
	Actions map[busbar.ActionID]api.Action
}

// actionText is what a step told a device, as the label of a link to it.
func (p RunPage) actionText(id busbar.ActionID) string {
	a, known := p.Actions[id]
	if !known {
		return string(id)
	}
	return a.Command + quantitiesText(a.Parameters) + " to " + p.Names.device(a.DeviceID) + ", " + string(a.State)
}

// key names what an edge belongs to.
func (n Names) key(key string) string {
	if id, ok := rules.KeyDevice(key); ok {
		return n.device(id)
	}
	kind, id, _ := strings.Cut(key, ":")
	if id == "" {
		return "all together"
	}
	return kind + " " + id
}

// stepTone is the colour and the sign of a step.
func stepTone(status string) (tone, icon string) {
	switch status {
	case "done", "no_longer_wanted":
		return "good", "check"
	case "open":
		return "info", "clock"
	case "failed", "expired":
		return "bad", "cross"
	default:
		return "warn", "pause"
	}
}
