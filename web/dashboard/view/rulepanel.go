package view

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"busbar"
	"busbar/rules"
	"busbar/web/api"
)

// of are the findings about a field.
func (p *RulePanel) of(field string) []Finding {
	var list []Finding
	for _, f := range p.Findings {
		if f.Field == field {
			list = append(list, f)
		}
	}
	return list
}

func (p *RulePanel) errors() int {
	n := 0
	for _, f := range p.Findings {
		if f.Severity == string(rules.SeverityError) {
			n++
		}
	}
	return n
}

// data are the findings for the script, which shows them beside their fields.
func (p *RulePanel) data() string {
	found := p.Findings
	if found == nil {
		found = []Finding{}
	}
	text, err := json.Marshal(found)
	if err != nil {
		return "[]"
	}
	return string(text)
}

// verdict says in a line how the rule stands.
func (p *RulePanel) verdict() (tone, icon, text string) {
	switch wrong, all := p.errors(), len(p.Findings); {
	case wrong > 0:
		return "bad", "cross", Plural(wrong, "thing is", "things are") + " not right yet"
	case p.failed() > 0:
		return "bad", "cross", Plural(p.failed(), "test fails", "tests fail")
	case all > 0:
		return "warn", "warn", Plural(all, "thing", "things") + " to look at"
	case !p.Complete:
		return "mute", "minus", "Not complete yet"
	default:
		return "good", "check", "It can be used as it is"
	}
}

func (p *RulePanel) failed() int {
	n := 0
	for _, t := range p.Tests {
		if !t.Passed {
			n++
		}
	}
	return n
}

func (p *RulePanel) device(id busbar.DeviceID) string {
	if name := p.Devices[id]; name != "" {
		return name
	}
	return string(id)
}

// clauseTone is how a clause came out: its colour, its sign and its word.
func clauseTone(c *rules.Clause) (tone, icon, word string) {
	switch value, isBool := c.Value.(bool); {
	case c.Error != "":
		return "bad", "warn", "error"
	case c.Value == nil:
		return "warn", "question", "unknown"
	case isBool && value:
		return "good", "check", "true"
	default:
		return "mute", "cross", "false"
	}
}

// clauseNote says what a clause compared, or why it is not known.
func clauseNote(c *rules.Clause) string {
	if c.Error != "" {
		return Sentence(c.Error)
	}
	var parts []string
	for _, u := range c.Unknown {
		parts = append(parts, unknownText(u))
	}
	for _, o := range c.Operands {
		if o.Value != nil {
			parts = append(parts, o.Source+" is "+valueText(o.Value))
		}
	}
	for _, u := range c.LeftOut {
		parts = append(parts, unknownText(u)+" and was left out")
	}
	return strings.Join(parts, ", ")
}

// unknownText says why something is not known.
func unknownText(u rules.Unknown) string {
	switch u.Reason {
	case rules.ReasonMissing:
		return u.Name + " was never reported"
	case rules.ReasonNull:
		return u.Name + " was reported as not known"
	case rules.ReasonStale:
		return u.Name + " is too old to be believed"
	case rules.ReasonNotFinite:
		return u.Name + " is no finite number"
	default:
		return u.Name + " is not known"
	}
}

// valueText is a value of an expression in a sentence.
func valueText(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		return strconv.Quote(Short(v, 60))
	case bool:
		return strconv.FormatBool(v)
	case nil:
		return "unknown"
	default:
		text, err := json.Marshal(v)
		if err != nil {
			return "a value"
		}
		return Short(string(unescapeHTML(text)), 80)
	}
}

// planText is what a step would do, in a sentence; more is what follows it.
func (p *RulePanel) planText(s *api.PlannedStep) (tone, icon, text string) {
	switch s.Status {
	case rules.StepReady:
		if s.Emission != nil {
			return "good", "bolt", "Makes the event " + s.Emission.Type + " with " + valueText(s.Emission.Data)
		}
		var told []string
		for i := range s.Commands {
			c := &s.Commands[i]
			told = append(told, c.Command+quantitiesText(c.Parameters)+" to "+p.device(c.DeviceID))
		}
		return "good", "command", "Sends " + strings.Join(told, "; ")
	case rules.StepNoTarget:
		return "mute", "minus", "Finds no device to command"
	case rules.StepUnknown:
		return "warn", "question", "Sends nothing: " + unknownsText(s.Unknown)
	case rules.StepHeld:
		return "warn", "pause", "Sends nothing: " + p.targetsText(s.Targets)
	case rules.StepNotNow:
		return "warn", "question", "Waits: the guard is unknown, for " + unknownsText(s.Unknown)
	case rules.StepNoLongerWanted:
		return "mute", "minus", "Sends nothing: the guard is false"
	case rules.StepError:
	}
	return "bad", "cross", "Fails: " + s.Error
}

func unknownsText(list []rules.Unknown) string {
	if len(list) == 0 {
		return "something is not known"
	}
	var parts []string
	for _, u := range list {
		parts = append(parts, unknownText(u))
	}
	return strings.Join(parts, ", ")
}

func (p *RulePanel) targetsText(targets []rules.Target) string {
	var parts []string
	for _, t := range targets {
		parts = append(parts, p.device(t.DeviceID)+" "+targetText(&t))
	}
	return strings.Join(parts, ", ")
}

// targetText says why a device was taken or not.
func targetText(t *rules.Target) string {
	switch {
	case t.Taken:
		return "was taken"
	case t.Holder == "person":
		return "is kept by a person"
	case t.Holder != "":
		return "is held by " + t.Holder
	case t.Message != "":
		return "refuses it: " + t.Message
	default:
		return "was not taken"
	}
}

func quantitiesText(parameters api.Parameters) string {
	if text := parametersText(parameters); text != "" {
		return " (" + text + ")"
	}
	return ""
}

// fires reports whether the condition as a whole is true.
func (p *RulePanel) fires() bool {
	return len(p.Explained.Clauses) > 0 && p.Explained.Clauses[0].Value == true
}

// EventLabel names an event in a list of them.
func EventLabel(now time.Time, e *api.Event, devices map[busbar.DeviceID]string) string {
	parts := []string{e.Type}
	if e.DeviceID != "" {
		name := devices[e.DeviceID]
		if name == "" {
			name = string(e.DeviceID)
		}
		parts = append(parts, Short(name, 40))
	}
	return strings.Join(append(parts, Ago(now, time.Time(e.ReceivedAt))), ", ")
}
