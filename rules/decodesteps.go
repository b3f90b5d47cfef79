package rules

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"busbar"
)

func (d *decoder) step(path string, v any) Step {
	f := d.object(path, v)
	push, isPush := f.take("push")
	emit, isEmit := f.take("emit")
	f.end()
	var s Step
	switch {
	case f.left == nil:
	case isPush == isEmit:
		d.fail(path, "required", "must be one of push and emit")
	case isPush:
		s.Push = d.push(f.at("push"), push)
	default:
		s.Emit = d.emit(f.at("emit"), emit)
	}
	return s
}

func (d *decoder) push(path string, v any) *PushStep {
	f := d.object(path, v)
	p := &PushStep{
		Device: f.expression("device"), Command: f.text("command"), Start: f.text("start"), End: f.text("end"),
		Guard: f.expression("guard"), OnConflict: choice(f, "onConflict", "", busbar.ParseConflictStrategy),
		ExpiresIn: f.duration("expiresIn", busbar.MinExpiresIn, busbar.MaxExpiresIn, busbar.DefaultExpiresIn),
		Retries:   f.whole("retries", 0, MaxRetries, 0),
	}
	if parameters, ok := f.take("parameters"); ok {
		p.Parameters = d.parameters(f.at("parameters"), parameters)
	}
	f.end()
	if f.left == nil {
		return p
	}
	if p.Device == "" {
		d.missing(f.at("device"), "is missing: it gives the device to command")
	}
	if p.Command == "" {
		d.missing(f.at("command"), "is missing")
	}
	if p.End != "" && p.Start == "" {
		d.fail(f.at("end"), "end_without_start", "a window needs a start as well; \"0s\" is now")
	}
	for _, t := range []struct{ name, text string }{{"start", p.Start}, {"end", p.End}} {
		if t.text == "" {
			continue
		}
		if _, err := time.ParseDuration(t.text); err != nil {
			d.fail(f.at(t.name), "format", "%q is not a duration from the firing, such as 30m", t.text)
		}
	}
	return p
}

func (d *decoder) parameters(path string, v any) map[string]ParameterSpec {
	m, ok := v.(map[string]any)
	if !ok {
		d.fail(path, "type", "must be an object, not %s", kindOf(v))
		return nil
	}
	parameters := make(map[string]ParameterSpec, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		f := d.object(path+"."+name, m[name])
		_, number := f.left["value"].(float64)
		p := ParameterSpec{Value: f.expression("value"), Number: number, Unit: choice(f, "unit", "", busbar.ParseUnit)}
		f.end()
		if f.left != nil && p.Value == "" {
			d.missing(f.at("value"), "is missing")
		}
		parameters[name] = p
	}
	return parameters
}

func (d *decoder) emit(path string, v any) *EmitStep {
	f := d.object(path, v)
	e := &EmitStep{Type: f.text("type"), Data: d.data(f, "data")}
	f.end()
	if f.left == nil {
		return e
	}
	_, builtIn := busbar.LookUpBuiltIn(e.Type)
	switch {
	case e.Type == "":
		d.missing(f.at("type"), "is missing")
	case !busbar.ValidTypeName(e.Type):
		d.fail(f.at("type"), "format", "must be dot-separated parts of letters, digits and _")
	case builtIn || busbar.Reserved(e.Type):
		d.fail(f.at("type"), "reserved", "events of this type are made by Busbar only; register one of your own")
	}
	return e
}

func (d *decoder) data(f *fields, name string) map[string]any {
	v, ok := f.take(name)
	if !ok {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		d.fail(f.at(name), "type", "must be an object, not %s", kindOf(v))
	}
	return m
}

func (d *decoder) test(path string, v any) Test {
	f := d.object(path, v)
	t := Test{Name: f.text("name"), Given: list(f, "given", MaxGiven, d.given), Expect: list(f, "expect", MaxGiven, d.expectation)}
	f.end()
	if f.left == nil {
		return t
	}
	if t.Name == "" {
		d.missing(f.at("name"), "is missing")
	}
	if len(t.Given) == 0 {
		d.missing(f.at("given"), "is missing: a test begins with an event")
	}
	var before Given
	for i := range t.Given {
		g := &t.Given[i]
		at := fmt.Sprintf("%s[%d]", f.at("given"), i)
		if i > 0 && g.At != "" {
			d.fail(at+".at", "forbidden", "only the first event has a time of its own; the others come after one another")
		}
		if g.Type == "" {
			g.Type = before.Type
		}
		if g.Type == "" {
			g.Type = busbar.TypeDeviceUpdated
		}
		if g.Device == "" {
			g.Device = before.Device
		}
		before = *g
	}
	return t
}

func (d *decoder) given(path string, v any) Given {
	f := d.object(path, v)
	g := Given{
		After: f.duration("after", 0, 31*24*time.Hour, 0), At: f.text("at"), Type: f.text("type"), Device: f.text("device"),
		State: d.data(f, "state"), Data: d.data(f, "data"),
	}
	f.end()
	if g.At != "" {
		if _, err := time.Parse(busbar.LocalTimeLayout, g.At); err != nil {
			d.fail(f.at("at"), "format", "%q is not a local time as %s", g.At, busbar.LocalTimeLayout)
		}
	}
	return g
}

func (d *decoder) expectation(path string, v any) Expectation {
	f := d.object(path, v)
	push, isPush := f.take("push")
	emit, isEmit := f.take("emit")
	f.end()
	switch {
	case f.left == nil:
		return Expectation{}
	case isPush == isEmit:
		d.fail(path, "required", "must be one of push and emit")
		return Expectation{}
	case isPush:
		return Expectation{Push: d.expectedPush(f.at("push"), push)}
	default:
		f := d.object(f.at("emit"), emit)
		e := &ExpectedEmit{Type: f.text("type"), Data: d.data(f, "data")}
		f.end()
		return Expectation{Emit: e}
	}
}

func (d *decoder) expectedPush(path string, v any) *ExpectedPush {
	f := d.object(path, v)
	p := &ExpectedPush{Device: f.text("device"), DeviceType: choice(f, "deviceType", "", busbar.ParseFamily), Command: f.text("command")}
	parameters := d.data(f, "parameters")
	f.end()
	if parameters != nil {
		p.Parameters = make(map[string]float64, len(parameters))
	}
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		n, ok := parameters[name].(float64)
		if !ok {
			d.fail(f.at("parameters")+"."+name, "type", "must be a number, not %s", kindOf(parameters[name]))
		}
		p.Parameters[name] = n
	}
	return p
}
