package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"busbar"
)

// Compiled is a rule that can be decided with. It may be used by many goroutines, and is never changed.
type Compiled struct {
	Rule       *Rule
	condition  *program
	rearm      *program
	window     *Window
	then       []compiledStep
	elseFailed []compiledStep
}

// compiledStep is a step with its expressions.
type compiledStep struct {
	push       *PushStep
	device     *program
	guard      *program
	parameters []compiledParameter
	emit       *EmitStep
	// data are the expressions of an emit step, by their path in its data.
	data map[string]*program
}

// compiledParameter is a parameter of a command. Unit is empty when it is the one that the device declares.
type compiledParameter struct {
	name string
	unit busbar.Unit
	*program
}

// Check compiles all expressions of a rule, and looks for what can never work. With an error among the diagnostics
// there is nothing compiled.
func Check(r *Rule) (*Compiled, []Diagnostic) {
	k := &checker{rule: r}
	c := &Compiled{Rule: r}
	top := scene{family: r.DeviceType}
	c.condition = k.compile("if", r.If, top, kindBool)
	if r.Rearm != "" {
		c.rearm = k.compile("rearm", r.Rearm, top, kindBool)
	}
	if r.Window != nil {
		c.window = r.Window.window()
	}
	c.then = k.steps("then", r.Then, top)
	failed := top
	failed.steps, failed.failure = true, true
	c.elseFailed = k.steps("else_failed", r.ElseFailed, failed)
	k.relations()
	if len(Errors(k.diagnostics)) > 0 {
		return nil, k.diagnostics
	}
	return c, k.diagnostics
}

// Compile checks a rule and gives an INVALID_EXPRESSION with `diagnostics` when it cannot be used.
func Compile(r *Rule) (*Compiled, error) {
	c, diagnostics := Check(r)
	if c == nil {
		return nil, invalidExpression(Errors(diagnostics))
	}
	return c, nil
}

// window is the window as minutes; the decoder has checked its parts.
func (w *WindowSpec) window() *Window {
	made := &Window{}
	for _, end := range []struct {
		text string
		into *int
	}{{w.From, &made.From}, {w.To, &made.To}} {
		if minute, err := parseClock(end.text); err == nil {
			*end.into = minute
		}
	}
	for _, day := range w.Days {
		made.Days = append(made.Days, time.Weekday(slices.Index(weekdays, day)))
	}
	if w.Timezone != SiteTimezone {
		if loc, err := time.LoadLocation(w.Timezone); err == nil {
			made.Location = loc
		}
	}
	return made
}

type checker struct {
	rule        *Rule
	diagnostics []Diagnostic
}

func (k *checker) report(field string, severity Severity, format string, args ...any) {
	k.diagnostics = append(k.diagnostics, Diagnostic{Field: field, Severity: severity, Message: fmt.Sprintf(format, args...)})
}

func (k *checker) compile(field, source string, s scene, want kind) *program {
	var p *program
	var diagnostics []Diagnostic
	if want == kindAny {
		p, diagnostics = compile(field, source, s.variables())
	} else {
		p, diagnostics = compileAs(field, source, s.variables(), want)
	}
	k.diagnostics = append(k.diagnostics, diagnostics...)
	return p
}

func (k *checker) steps(field string, steps []Step, s scene) []compiledStep {
	made := make([]compiledStep, len(steps))
	for i := range steps {
		at := fmt.Sprintf("%s[%d]", field, i)
		if i > 0 {
			s.steps = true
		}
		switch {
		case steps[i].Push != nil:
			made[i] = k.push(at+".push", steps[i].Push, s)
		case steps[i].Emit != nil:
			made[i] = k.emit(at+".emit", steps[i].Emit, s)
		}
	}
	return made
}

func (k *checker) push(field string, p *PushStep, s scene) compiledStep {
	step := compiledStep{push: p, device: k.compile(field+".device", p.Device, s, kindAny)}
	if p.Guard != "" {
		step.guard = k.compile(field+".guard", p.Guard, s, kindBool)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Parameters)) {
		spec := p.Parameters[name]
		at := field + ".parameters." + name + ".value"
		program := k.compile(at, spec.Value, s, kindAny)
		if program != nil && !program.typ.could(kindNumber) && !program.typ.could(kindQuantity) {
			k.diagnostics = append(k.diagnostics, Diagnostic{
				Field: at, Severity: SeverityError, From: program.from, To: program.to,
				Message: fmt.Sprintf("this gives %s, where a number or a quantity is needed", program.typ),
			})
		}
		step.parameters = append(step.parameters, compiledParameter{name, spec.Unit, program})
	}
	if step.device == nil {
		return step
	}
	families, ok := targets(step.device.typ)
	if !ok {
		hint := ""
		if step.device.typ.kind == kindString {
			hint = "; to name one, write find(site.evChargers, .id == \"…\")"
		}
		k.diagnostics = append(k.diagnostics, Diagnostic{
			Field: field + ".device", Severity: SeverityError, From: step.device.from, To: step.device.to,
			Message: fmt.Sprintf("this gives %s, where a device or a list of devices is needed%s", step.device.typ, hint),
		})
		return step
	}
	k.command(field, &step, families)
	return step
}

// targets are the families that a device expression may give; ok is false when it gives no devices.
func targets(t typ) (families []busbar.Family, ok bool) {
	if t.kind == kindList {
		t = t.element()
	}
	switch {
	case t.loose() || t.kind == kindNil:
		return busbar.Families(), true
	case t.kind != kindObject || !isDevice(t.object):
		return nil, false
	}
	for _, f := range busbar.Families() {
		if byFamily[f].device == t.object {
			return []busbar.Family{f}, true
		}
	}
	return busbar.Families(), true
}

// command checks that a family knows the command and its parameters. What a single device lacks shows when it is asked.
func (k *checker) command(field string, step *compiledStep, families []busbar.Family) {
	p := step.push
	var known []string
	var spec *busbar.CommandSpec
	for _, f := range families {
		for i := range f.Spec().Commands {
			c := &f.Spec().Commands[i]
			if c.Name == p.Command && spec == nil {
				spec = c
			}
			if !slices.Contains(known, c.Name) {
				known = append(known, c.Name)
			}
		}
	}
	switch {
	case len(known) == 0:
		k.report(field+".device", SeverityError, "%s takes no commands", article(families[0]))
		return
	case spec == nil:
		k.report(field+".command", SeverityError, "there is no command %q%s", p.Command, suggest(p.Command, known))
		return
	case len(families) > 1:
		// The command may mean something else to another family; that shows when the device is known.
		return
	}
	k.parameters(field, step, spec)
}

func (k *checker) parameters(field string, step *compiledStep, spec *busbar.CommandSpec) {
	p := step.push
	names := make([]string, len(spec.Parameters))
	for i := range spec.Parameters {
		names[i] = spec.Parameters[i].Name
		if _, given := p.Parameters[names[i]]; spec.Parameters[i].Required && !given {
			k.report(field+".parameters."+names[i], SeverityError, "%s needs it", spec.Name)
		}
	}
	for i := range step.parameters {
		given := &step.parameters[i]
		at := field + ".parameters." + given.name
		parameter, ok := spec.Parameter(given.name)
		switch {
		case !ok:
			k.report(at, SeverityError, "%s takes no parameter %q%s", spec.Name, given.name, suggest(given.name, names))
		case given.unit != "" && !slices.Contains(parameter.Range.Unit.Accepts(), given.unit):
			k.report(at+".unit", SeverityError, "%s is measured in %s, not in %s", given.name, parameter.Range.Unit, given.unit)
		default:
			k.bounds(at+".value", given, parameter.Range)
		}
	}
}

// bounds warns of a number that devices refuse unless they say otherwise of themselves.
func (k *checker) bounds(field string, given *compiledParameter, r busbar.Range) {
	if given.program == nil || given.constant == nil || given.constant.kind != kindNumber {
		return
	}
	q := busbar.Quantity{Value: given.constant.num, Unit: cmp.Or(given.unit, r.Unit)}
	if converted, ok := q.In(r.Unit); !ok || r.Contains(converted.Value) {
		return
	}
	k.diagnostics = append(k.diagnostics, Diagnostic{
		Field: field, Severity: SeverityWarning, From: given.from, To: given.to,
		Message: fmt.Sprintf("%s lies from %s to %s %s, unless a device says otherwise: others refuse this", given.name, formatNumber(r.Min), formatNumber(r.Max), r.Unit),
	})
}

func (k *checker) emit(field string, e *EmitStep, s scene) compiledStep {
	step := compiledStep{emit: e, data: make(map[string]*program)}
	k.leaves(field+".data", "", e.Data, s, step.data)
	return step
}

// leaves compiles each text in an event's data.
func (k *checker) leaves(field, path string, v any, s scene, into map[string]*program) {
	switch v := v.(type) {
	case string:
		into[path] = k.compile(field+path, v, s, kindAny)
	case []any:
		for i, item := range v {
			k.leaves(field, fmt.Sprintf("%s[%d]", path, i), item, s, into)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			k.leaves(field, path+"."+name, v[name], s, into)
		}
	}
}

// relations warns of parts of a rule that do not go together.
func (k *checker) relations() {
	r := k.rule
	for i, s := range r.Then {
		if s.Emit != nil && slices.ContainsFunc(r.On, func(p string) bool { return matches(p, s.Emit.Type) }) {
			k.report(fmt.Sprintf("then[%d].emit.type", i), SeverityWarning, "the rule is asked at events of this type itself, and may trigger itself")
		}
	}
	if r.Scope == ScopeRule && slices.Contains(r.On, busbar.TypeDeviceUpdated) && r.DeviceType != "" && !strings.Contains(r.If, "site") {
		k.report("scope", SeverityWarning, "with scope: rule the devices of all sites share one edge, one hold and one cooldown")
	}
	if r.For > 0 && r.Grace == 0 && r.For > busbar.DefaultStaleAfter {
		k.report("grace", SeverityWarning, "the hold is longer than a device may be silent (%s): without a grace it is broken whenever a reading is late",
			short(busbar.DefaultStaleAfter))
	}
}
