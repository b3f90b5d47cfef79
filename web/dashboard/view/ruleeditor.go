package view

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"busbar"
	"busbar/rules"
	"busbar/web/api"
	"busbar/web/dashboard/ruleform"
)

// The two ways to write a rule.
const (
	AsForm = "form"
	AsYAML = "yaml"
)

// RuleEditor is a rule while it is written.
type RuleEditor struct {
	// Rule is nil while the rule is new.
	Rule *RuleRef
	// As is AsForm or AsYAML.
	As    string
	Form  Form
	Types []api.EventType
	Sites []api.Site
	Panel RulePanel
	// Tried is what the draft would have done; nil until somebody asks.
	Tried *BacktestPage
}

// RuleRef names a rule.
type RuleRef struct {
	ID, Name string
	Version  int
}

// RulePanel says what is wrong with a rule, and what it makes of an event.
type RulePanel struct {
	Now      time.Time
	Findings []Finding
	// Complete: it can be used as it stands.
	Complete bool
	// Events are those that the rule would be asked at, the newest first.
	Events []PanelEvent
	// Explained is nil when there is no such event, or the rule is not complete.
	Explained *api.RuleExplanation
	Tests     []rules.TestResult
	// Devices are the names of devices by their ids.
	Devices map[busbar.DeviceID]string
}

// PanelEvent is an event that a rule can be tried on.
type PanelEvent struct {
	api.Event
	Label string
}

// Finding is something wrong with what was filled in.
type Finding struct {
	// Field is the field that it is about; empty when it is about the rule as a whole.
	Field string `json:"field"`
	// Path leads from the field to a part of it.
	Path     string `json:"path,omitempty"`
	Severity string `json:"severity"`
	Message  string `json:"message"`
	// Quote is the part of the field's text that From and To, in characters, are about.
	Quote string `json:"quote,omitempty"`
	From  int    `json:"from"`
	To    int    `json:"to"`
}

// formStep is one step of the form with the paths of its fields.
type formStep struct {
	branch string
	index  int
	path   string
	kind   string
	last   bool
}

func (e *RuleEditor) steps(branch string) []formStep {
	n := ruleform.Steps(e.Form.Values, branch)
	list := make([]formStep, n)
	for i := range list {
		path := ruleform.StepPath(branch, i)
		list[i] = formStep{branch, i, path, e.Form.Get(path + ruleform.Kind), i == n-1}
	}
	return list
}

func (s formStep) name() string { return fmt.Sprintf("Step %d", s.index+1) }

// do is the value of a button that does something with the step.
func (s formStep) do(verb string) string { return fmt.Sprintf("%s %s %d", verb, s.branch, s.index) }

// commandGroup are a family's commands.
type commandGroup struct {
	family   busbar.Family
	commands []busbar.CommandSpec
}

func commandGroups() []commandGroup {
	var groups []commandGroup
	for _, f := range busbar.Families() {
		if commands := f.Spec().Commands; len(commands) > 0 {
			groups = append(groups, commandGroup{f, commands})
		}
	}
	return groups
}

// parameterInput is a parameter of a command in the form.
type parameterInput struct {
	name, field string
	id          string
	units       []busbar.Unit
	hint        string
	required    bool
}

// parameters are those of a command; a step that has chosen it may carry others, which are kept.
func (e *RuleEditor) parameters(s formStep, family busbar.Family, spec *busbar.CommandSpec, chosen bool) []parameterInput {
	var list []parameterInput
	id := strings.ReplaceAll(string(family)+"-"+spec.Name, ".", "-")
	known := map[string]bool{}
	for _, p := range spec.Parameters {
		known[p.Name] = true
		list = append(list, parameterInput{
			name: p.Name, field: s.path + ".push.parameters." + p.Name, id: s.path + "-" + id + "-" + p.Name, units: p.Range.Unit.Accepts(),
			hint: number(p.Range.Min) + " to " + withSign(number(p.Range.Max), p.Range.Unit), required: p.Required,
		})
	}
	if !chosen {
		return list
	}
	for _, name := range ruleform.Parameters(e.Form.Values, s.path+".push") {
		if !known[name] && e.Form.Get(s.path+".push.parameters."+name+".value") != "" {
			list = append(list, parameterInput{
				name: name, field: s.path + ".push.parameters." + name, id: s.path + "-" + id + "-" + name, units: busbar.Units(), hint: "This command has no such parameter.",
			})
		}
	}
	return list
}

// otherTypes are the event types of the rule that no box is offered for.
func (e *RuleEditor) otherTypes() string {
	if e.Form.Values.Has(ruleform.OnMore) {
		return e.Form.Get(ruleform.OnMore)
	}
	var others []string
	for _, name := range e.Form.Values["on"] {
		if !slices.ContainsFunc(e.boxes(), func(t api.EventType) bool { return t.Name == name }) {
			others = append(others, name)
		}
	}
	return strings.Join(others, ", ")
}

// boxes are the event types that a box is offered for.
func (e *RuleEditor) boxes() []api.EventType {
	return slices.DeleteFunc(slices.Clone(e.Types), func(t api.EventType) bool { return busbar.Operational(t.Name) })
}

// siteBoxes are the sites, and those that the rule names though they are not there.
func (e *RuleEditor) siteBoxes() []option {
	var list []option
	for _, s := range e.Sites {
		list = append(list, option{string(s.ID), s.Name})
	}
	for _, id := range e.Form.Values["siteIds"] {
		if !slices.ContainsFunc(list, func(o option) bool { return o.value == id }) {
			list = append(list, option{id, id})
		}
	}
	return list
}

// filled reports whether one of the fields has a value, so that what they are in is shown open.
func (e *RuleEditor) filled(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return e.Form.Get(name) != "" || len(e.Panel.of(name)) > 0 })
}

// attrs tie a field to its hint and to what is found of it.
func (e *RuleEditor) attrs(name, id, hint string) templ.Attributes {
	attrs := templ.Attributes{"aria-describedby": id + "-findings"}
	if hint != "" {
		attrs["aria-describedby"] = id + "-hint " + id + "-findings"
	}
	for _, f := range e.Panel.of(name) {
		if f.Severity == string(rules.SeverityError) {
			attrs["aria-invalid"] = "true"
		}
	}
	return attrs
}

func weekdays() []option {
	return []option{{"mon", "Mon"}, {"tue", "Tue"}, {"wed", "Wed"}, {"thu", "Thu"}, {"fri", "Fri"}, {"sat", "Sat"}, {"sun", "Sun"}}
}

func ruleFamilyOptions() []option {
	list := []option{{"", "Any device, or none"}}
	for _, f := range busbar.Families() {
		list = append(list, option{string(f), familyName(f)})
	}
	return list
}

func modeOptions() []option {
	return []option{
		{string(rules.ModeActive), "Active: it acts"},
		{string(rules.ModeShadow), "Shadow: it decides, and sends nothing"},
		{string(rules.ModeDisabled), "Disabled: it is not asked"},
	}
}

func scopeOptions() []option {
	return []option{
		{"", "As usual: the device, if there is a family; else the site"},
		{string(rules.ScopeDevice), "Each device by itself"},
		{string(rules.ScopeSite), "Each site by itself"},
		{string(rules.ScopeRule), "All together"},
	}
}

func edgeOptions() []option {
	return []option{{string(rules.EdgeRising), "When it becomes true"}, {string(rules.EdgeEvery), "At every event at which it is true"}}
}

func conflictOptions() []option {
	return []option{
		{"", "Leave it alone"}, {string(busbar.CancelAndReplace), "Take its place"}, {string(busbar.QueueAfter), "Wait for its end"},
	}
}

// editorPath is where the form is sent.
func (e *RuleEditor) editorPath(f Frame) string {
	if e.Rule == nil {
		return f.At("/rule-new")
	}
	return f.At("/rules/" + url.PathEscape(e.Rule.ID) + "/edit")
}

// typeOptions are the boxes of event types.
func (e *RuleEditor) typeOptions() []option {
	var list []option
	for _, t := range e.boxes() {
		list = append(list, option{t.Name, t.Name})
	}
	return list
}

// back is where one goes without saving.
func (e *RuleEditor) back(f Frame) string {
	if e.Rule == nil {
		return f.At("/rules")
	}
	return f.At("/rules/" + url.PathEscape(e.Rule.ID))
}
