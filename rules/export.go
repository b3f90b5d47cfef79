package rules

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"gopkg.in/yaml.v3"

	"busbar"
)

// document is an object whose fields have an order: what is written has that of the contract, and leaves out defaults.
type document struct {
	names  []string
	values map[string]any
}

func (d *document) set(name string, v any) {
	if d.values == nil {
		d.values = make(map[string]any)
	}
	d.names = append(d.names, name)
	d.values[name] = v
}

func (d *document) text(name, v string) {
	if v != "" {
		d.set(name, v)
	}
}

func (d *document) duration(name string, v, absent time.Duration) {
	if v != absent {
		d.set(name, short(v))
	}
}

// MarshalJSON keeps the order.
func (d *document) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range d.names {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, fmt.Errorf("write the name %s: %w", name, err)
		}
		v, err := json.Marshal(d.values[name])
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// MarshalYAML keeps the order.
func (d *document) MarshalYAML() (any, error) {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, name := range d.names {
		var v yaml.Node
		if err := v.Encode(d.values[name]); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		// The encoder puts every word in quotes that an old YAML took for a boolean; `on` is none here.
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}
		node.Content = append(node.Content, key, &v)
	}
	return node, nil
}

// MarshalJSON writes the rule in its canonical form: what can be read back as the same rule, without what is the
// default.
func (r *Rule) MarshalJSON() ([]byte, error) { return json.Marshal(r.document()) }

// YAML writes the rule in its canonical form, for files.
func (r *Rule) YAML() ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(r.document()); err != nil {
		return nil, fmt.Errorf("write rule: %w", err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("write rule: %w", err)
	}
	return b.Bytes(), nil
}

// SameText reports whether two rules say the same, id and mode included, however numbers among their parameters are written.
func (r *Rule) SameText(other *Rule) (bool, error) {
	mine, err := json.Marshal(r.withoutNumbers())
	if err != nil {
		return false, fmt.Errorf("write rule: %w", err)
	}
	theirs, err := json.Marshal(other.withoutNumbers())
	if err != nil {
		return false, fmt.Errorf("write rule: %w", err)
	}
	return bytes.Equal(mine, theirs), nil
}

// withoutNumbers is the rule with each parameter as the text of an expression.
func (r *Rule) withoutNumbers() *Rule {
	plain := *r
	for _, steps := range []*[]Step{&plain.Then, &plain.ElseFailed} {
		*steps = slices.Clone(*steps)
		for i, s := range *steps {
			if s.Push == nil {
				continue
			}
			push := *s.Push
			push.Parameters = maps.Clone(push.Parameters)
			for name, p := range push.Parameters {
				p.Number = false
				push.Parameters[name] = p
			}
			(*steps)[i].Push = &push
		}
	}
	return &plain
}

// written is the value as it was written.
func (p ParameterSpec) written() any {
	if n, err := strconv.ParseFloat(p.Value, 64); err == nil && p.Number {
		return n
	}
	return p.Value
}

func (r *Rule) document() *document {
	d := &document{}
	d.set("name", r.Name)
	d.text("id", r.ID)
	if r.Mode != ModeActive {
		d.set("mode", string(r.Mode))
	}
	d.set("on", r.On)
	d.text("deviceType", string(r.DeviceType))
	if len(r.SiteIDs) > 0 {
		d.set("siteIds", r.SiteIDs)
	}
	d.text("scope", string(r.Scope))
	d.set("if", r.If)
	if r.Edge != EdgeRising {
		d.set("edge", string(r.Edge))
	}
	d.text("rearm", r.Rearm)
	d.duration("for", r.For, 0)
	d.duration("grace", r.Grace, 0)
	d.duration("cooldown", r.Cooldown, 0)
	if r.Window != nil {
		d.set("window", r.Window.document())
	}
	d.duration("actWithin", r.ActWithin, DefaultActWithin)
	if r.Priority != DefaultPriority {
		d.set("priority", r.Priority)
	}
	d.set("then", stepDocuments(r.Then))
	if len(r.ElseFailed) > 0 {
		d.set("else_failed", stepDocuments(r.ElseFailed))
	}
	if len(r.Tests) > 0 {
		d.set("tests", documents(r.Tests, (*Test).document))
	}
	return d
}

func documents[T any](items []T, of func(*T) *document) []*document {
	made := make([]*document, len(items))
	for i := range items {
		made[i] = of(&items[i])
	}
	return made
}

func (w *WindowSpec) document() *document {
	d := &document{}
	d.set("from", w.From)
	d.set("to", w.To)
	if len(w.Days) > 0 {
		d.set("days", w.Days)
	}
	if w.Timezone != SiteTimezone {
		d.set("timezone", w.Timezone)
	}
	return d
}

func stepDocuments(steps []Step) []*document { return documents(steps, (*Step).document) }

func (s *Step) document() *document {
	d, inner := &document{}, &document{}
	if e := s.Emit; e != nil {
		inner.set("type", e.Type)
		if e.Data != nil {
			inner.set("data", e.Data)
		}
		d.set("emit", inner)
		return d
	}
	p := s.Push
	inner.set("device", p.Device)
	inner.set("command", p.Command)
	if len(p.Parameters) > 0 {
		parameters := &document{}
		for _, name := range slices.Sorted(maps.Keys(p.Parameters)) {
			parameter := &document{}
			parameter.set("value", p.Parameters[name].written())
			parameter.text("unit", string(p.Parameters[name].Unit))
			parameters.set(name, parameter)
		}
		inner.set("parameters", parameters)
	}
	inner.text("start", p.Start)
	inner.text("end", p.End)
	inner.text("guard", p.Guard)
	inner.text("onConflict", string(p.OnConflict))
	inner.duration("expiresIn", p.ExpiresIn, busbar.DefaultExpiresIn)
	if p.Retries > 0 {
		inner.set("retries", p.Retries)
	}
	d.set("push", inner)
	return d
}

func (t *Test) document() *document {
	d := &document{}
	d.set("name", t.Name)
	given := make([]*document, len(t.Given))
	before := Given{Type: busbar.TypeDeviceUpdated}
	for i := range t.Given {
		// What an event takes from the one before it is left out.
		g := t.Given[i]
		if g.Type == before.Type {
			g.Type = ""
		}
		if g.Device == before.Device {
			g.Device = ""
		}
		given[i], before = g.document(), t.Given[i]
	}
	d.set("given", given)
	d.set("expect", documents(t.Expect, (*Expectation).document))
	return d
}

func (g *Given) document() *document {
	d := &document{}
	d.text("at", g.At)
	d.duration("after", g.After, 0)
	d.text("type", g.Type)
	d.text("device", g.Device)
	if g.State != nil {
		d.set("state", g.State)
	}
	if g.Data != nil {
		d.set("data", g.Data)
	}
	return d
}

func (e *Expectation) document() *document {
	d, inner := &document{}, &document{}
	if e.Emit != nil {
		inner.set("type", e.Emit.Type)
		if e.Emit.Data != nil {
			inner.set("data", e.Emit.Data)
		}
		d.set("emit", inner)
		return d
	}
	inner.text("device", e.Push.Device)
	inner.text("deviceType", string(e.Push.DeviceType))
	inner.text("command", e.Push.Command)
	if len(e.Push.Parameters) > 0 {
		inner.set("parameters", e.Push.Parameters)
	}
	d.set("push", inner)
	return d
}
