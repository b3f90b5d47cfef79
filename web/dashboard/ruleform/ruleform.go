// Package ruleform turns a rule into the fields of a form, and what was filled in back into a rule. A field is called by the
// path of what it holds in the rule, as then[0].push.device, so that what the checker says of a path is said beside its field.
package ruleform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"busbar"
	"busbar/rules"
)

// The branches of steps.
const (
	Then       = "then"
	ElseFailed = "else_failed"
)

// The kinds of steps.
const (
	KindPush = "push"
	KindEmit = "emit"
)

// Fields that hold what has no one path in the rule.
const (
	// OnMore has event types that no box is offered for.
	OnMore = "on.more"
	// Kind is that of a step, after the path of the step.
	Kind = ".kind"
)

// Values are a rule's fields.
func Values(r *rules.Rule) (url.Values, error) {
	v := url.Values{}
	w := writer{v}
	w.text("name", r.Name)
	w.text("id", r.ID)
	w.text("mode", string(r.Mode))
	v["on"] = r.On
	w.text("deviceType", string(r.DeviceType))
	v["siteIds"] = r.SiteIDs
	w.text("scope", string(r.Scope))
	w.text("if", r.If)
	w.text("edge", string(r.Edge))
	w.text("rearm", r.Rearm)
	w.duration("for", r.For, 0)
	w.duration("grace", r.Grace, 0)
	w.duration("cooldown", r.Cooldown, 0)
	w.duration("actWithin", r.ActWithin, rules.DefaultActWithin)
	w.text("priority", strconv.Itoa(r.Priority))
	if r.Window != nil {
		w.text("window.from", r.Window.From)
		w.text("window.to", r.Window.To)
		v["window.days"] = r.Window.Days
		if r.Window.Timezone != rules.SiteTimezone {
			w.text("window.timezone", r.Window.Timezone)
		}
	}
	for branch, steps := range map[string][]rules.Step{Then: r.Then, ElseFailed: r.ElseFailed} {
		for i := range steps {
			if err := w.step(StepPath(branch, i), &steps[i], r.DeviceType); err != nil {
				return nil, err
			}
		}
	}
	tests, err := testsText(r)
	if err != nil {
		return nil, err
	}
	w.text("tests", tests)
	return v, nil
}

// StepPath is the path of a step.
func StepPath(branch string, i int) string { return fmt.Sprintf("%s[%d]", branch, i) }

type writer struct{ url.Values }

func (w writer) text(name, value string) {
	if value != "" {
		w.Set(name, value)
	}
}

func (w writer) duration(name string, d, absent time.Duration) {
	if d != absent {
		w.Set(name, short(d))
	}
}

// short writes a duration without what is zero: 10m, not 10m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func (w writer) step(path string, s *rules.Step, family busbar.Family) error {
	if e := s.Emit; e != nil {
		w.Set(path+Kind, KindEmit)
		w.text(path+".emit.type", e.Type)
		if len(e.Data) == 0 {
			return nil
		}
		data, err := yamlText(e.Data)
		if err != nil {
			return err
		}
		w.text(path+".emit.data", data)
		return nil
	}
	p := s.Push
	w.Set(path+Kind, KindPush)
	path += ".push"
	w.text(path+".device", p.Device)
	w.text(path+".command", commandValue(p, family))
	for name, parameter := range p.Parameters {
		w.text(path+".parameters."+name+".value", parameter.Value)
		w.text(path+".parameters."+name+".unit", string(parameter.Unit))
	}
	w.text(path+".start", p.Start)
	w.text(path+".end", p.End)
	w.text(path+".guard", p.Guard)
	w.text(path+".onConflict", string(p.OnConflict))
	w.duration(path+".expiresIn", p.ExpiresIn, busbar.DefaultExpiresIn)
	if p.Retries > 0 {
		w.text(path+".retries", strconv.Itoa(p.Retries))
	}
	return nil
}

// CommandValue is a command of a family as the value of a choice.
func CommandValue(family busbar.Family, command string) string { return string(family) + " " + command }

// lists are the members of a site by the family of their devices.
func lists() map[string]busbar.Family {
	return map[string]busbar.Family{"site.batteries": busbar.Battery, "site.evChargers": busbar.EVCharger, "site.hvacs": busbar.HVAC}
}

// commandValue finds the family that a push is about. A command may be one of several families; what the device is said to be
// tells them apart, and then the parameters. Should the guess be wrong, the form says another family's name for the same command.
func commandValue(p *rules.PushStep, family busbar.Family) string {
	var guesses []busbar.Family
	for list, f := range lists() {
		if strings.Contains(p.Device, list) {
			guesses = append(guesses, f)
		}
	}
	slices.Sort(guesses)
	guesses = append(append(guesses, family), busbar.Families()...)
	best, most := busbar.Family(""), -1
	for _, f := range guesses {
		if spec, ok := Command(CommandValue(f, p.Command)); ok {
			known := 0
			for _, parameter := range spec.Parameters {
				if _, ok := p.Parameters[parameter.Name]; ok {
					known++
				}
			}
			if known > most {
				best, most = f, known
			}
		}
	}
	return CommandValue(best, p.Command)
}

// Command finds the command that a value of the choice stands for.
func Command(value string) (busbar.CommandSpec, bool) {
	family, name, _ := strings.Cut(value, " ")
	f, err := busbar.ParseFamily(family)
	if err != nil {
		return busbar.CommandSpec{}, false
	}
	for _, c := range f.Spec().Commands {
		if c.Name == name {
			return c, true
		}
	}
	return busbar.CommandSpec{}, false
}

func yamlText(v any) (string, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(v); err != nil {
		return "", fmt.Errorf("write part of rule: %w", err)
	}
	return strings.TrimSpace(b.String()), nil
}

// testsText are the tests of a rule as they stand in its YAML.
func testsText(r *rules.Rule) (string, error) {
	if len(r.Tests) == 0 {
		return "", nil
	}
	whole, err := r.YAML()
	if err != nil {
		return "", fmt.Errorf("write tests of rule: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(whole, &doc); err != nil {
		return "", fmt.Errorf("read tests of rule: %w", err)
	}
	fields := doc.Content[0].Content
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i].Value == "tests" {
			compact(fields[i+1], 0)
			return yamlText(fields[i+1])
		}
	}
	return "", nil
}

// compact writes each event and each expectation of a test on a line of its own.
func compact(n *yaml.Node, depth int) {
	const item = 3 // test, given, event
	if depth >= item && n.Kind != yaml.ScalarNode {
		n.Style = yaml.FlowStyle
		return
	}
	if len(n.Content) == 0 && n.Kind == yaml.SequenceNode {
		n.Style = yaml.FlowStyle
	}
	for _, child := range n.Content {
		compact(child, depth+1)
	}
}

// Read makes a rule of what was filled in. What is wrong names its field.
func Read(v url.Values) (*rules.Rule, json.RawMessage, error) {
	r := reader{Values: v}
	tree := r.rule()
	if err := busbar.InvalidFields(r.wrong); err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	if err := w.Encode(tree); err != nil {
		return nil, nil, fmt.Errorf("write rule: %w", err)
	}
	rule, err := rules.ParseJSON(b.Bytes())
	return rule, b.Bytes(), err
}

type reader struct {
	url.Values
	wrong []busbar.FieldError
}

func (r *reader) rule() map[string]any {
	tree := map[string]any{}
	for _, name := range []string{"name", "id", "mode", "deviceType", "scope", "if", "edge", "rearm", "for", "grace", "cooldown", "actWithin"} {
		r.text(tree, name, name)
	}
	r.number(tree, "priority", "priority")
	on := r.list("on")
	for _, more := range strings.FieldsFunc(r.Get(OnMore), func(c rune) bool { return c == ',' || c == '\n' || c == ' ' }) {
		if !slices.Contains(on, any(more)) {
			on = append(on, more)
		}
	}
	if len(on) > 0 {
		tree["on"] = on
	}
	if sites := r.list("siteIds"); len(sites) > 0 {
		tree["siteIds"] = sites
	}
	window := map[string]any{}
	for _, name := range []string{"from", "to", "timezone"} {
		r.text(window, name, "window."+name)
	}
	if days := r.list("window.days"); len(days) > 0 {
		window["days"] = days
	}
	if len(window) > 0 {
		tree["window"] = window
	}
	for _, branch := range []string{Then, ElseFailed} {
		if steps := r.steps(branch); len(steps) > 0 {
			tree[branch] = steps
		}
	}
	if tests := r.fragment("tests"); tests != nil {
		tree["tests"] = tests
	}
	return tree
}

// text takes a field that is filled in.
func (r *reader) text(into map[string]any, key, name string) {
	if value := strings.TrimSpace(strings.ReplaceAll(r.Get(name), "\r\n", "\n")); value != "" {
		into[key] = value
	}
}

// number takes a field that may be a number; what is none, infinity among it, is left for the rule's own reader.
func (r *reader) number(into map[string]any, key, name string) {
	value := strings.TrimSpace(r.Get(name))
	if value == "" {
		return
	}
	into[key] = value
	if n, err := strconv.ParseFloat(value, 64); err == nil && strings.Trim(value, "0123456789+-.eE") == "" {
		into[key] = n
	}
}

func (r *reader) list(name string) []any {
	var all []any
	for _, value := range r.Values[name] {
		if value = strings.TrimSpace(value); value != "" && !slices.Contains(all, any(value)) {
			all = append(all, value)
		}
	}
	return all
}

// fragment reads a field that holds YAML.
func (r *reader) fragment(name string) any {
	value, err := rules.ParseFragment([]byte(r.Get(name)))
	if err != nil {
		text := err.Error()
		if _, after, ok := strings.Cut(text, "read from: "); ok {
			text = after
		}
		r.wrong = append(r.wrong, busbar.FieldError{Path: name, Code: "format", Message: "is not YAML: " + text})
	}
	return value
}

// Steps counts the steps of a branch.
func Steps(v url.Values, branch string) int {
	n := 0
	for n < rules.MaxRuleSteps && v.Get(StepPath(branch, n)+Kind) != "" {
		n++
	}
	return n
}

func (r *reader) steps(branch string) []any {
	var steps []any
	for i := range Steps(r.Values, branch) {
		path := StepPath(branch, i)
		if r.Get(path+Kind) == KindEmit {
			emit := map[string]any{}
			r.text(emit, "type", path+".emit.type")
			if data := r.fragment(path + ".emit.data"); data != nil {
				emit["data"] = data
			}
			steps = append(steps, map[string]any{"emit": emit})
			continue
		}
		steps = append(steps, map[string]any{"push": r.push(path + ".push")})
	}
	return steps
}

func (r *reader) push(path string) map[string]any {
	push := map[string]any{}
	for _, name := range []string{"device", "start", "end", "guard", "onConflict", "expiresIn"} {
		r.text(push, name, path+"."+name)
	}
	if _, command, ok := strings.Cut(r.Get(path+".command"), " "); ok && command != "" {
		push["command"] = command
	}
	r.number(push, "retries", path+".retries")
	parameters := map[string]any{}
	for _, name := range Parameters(r.Values, path) {
		parameter := map[string]any{}
		r.number(parameter, "value", path+".parameters."+name+".value")
		if len(parameter) == 0 {
			continue
		}
		r.text(parameter, "unit", path+".parameters."+name+".unit")
		parameters[name] = parameter
	}
	if len(parameters) > 0 {
		push["parameters"] = parameters
	}
	return push
}

// Parameters are the names of the parameters that a push step has fields for; path is that of the push.
func Parameters(v url.Values, path string) []string {
	var names []string
	for field := range maps.Keys(v) {
		if rest, ok := strings.CutPrefix(field, path+".parameters."); ok {
			if name, ok := strings.CutSuffix(rest, ".value"); ok {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}
