package view

import (
	"strings"

	"busbar/rules"
	"busbar/web/api"
	"busbar/web/dashboard/ruleform"
)

// FieldOf is the field that a path of the rule is shown in.
func (e *RuleEditor) FieldOf(path string) (field, rest string) {
	if e.As == AsYAML {
		return "yaml", path
	}
	return ruleform.FieldOf(e.Form.Values, path)
}

// AddDiagnostic puts what the checker says beside its field.
func (e *RuleEditor) AddDiagnostic(r *rules.Rule, d *api.RuleDiagnostic) {
	f := Finding{Severity: d.Severity, Message: d.Message, From: d.From, To: d.To}
	f.Field, f.Path = e.FieldOf(d.Field)
	if text := []rune(textAt(r, d.Field)); d.To > d.From && d.To <= len(text) {
		f.Quote = string(text[d.From:d.To])
	}
	if f.Path != "" {
		f.From, f.To = 0, 0 // they are about a part of what is in the field
	}
	e.Panel.Findings = append(e.Panel.Findings, f)
}

// textAt is the expression at a path of a rule; empty when there is none of that name.
func textAt(r *rules.Rule, path string) string {
	switch path {
	case "if":
		return r.If
	case "rearm":
		return r.Rearm
	}
	for branch, steps := range map[string][]rules.Step{ruleform.Then: r.Then, ruleform.ElseFailed: r.ElseFailed} {
		for i := range steps {
			rest, ok := strings.CutPrefix(path, ruleform.StepPath(branch, i)+".")
			if !ok {
				continue
			}
			if p := steps[i].Push; p != nil {
				return pushText(p, rest)
			}
			return dataText(steps[i].Emit.Data, strings.TrimPrefix(rest, "emit.data."))
		}
	}
	return ""
}

func pushText(p *rules.PushStep, path string) string {
	switch path {
	case "push.device":
		return p.Device
	case "push.guard":
		return p.Guard
	}
	name, ok := strings.CutPrefix(path, "push.parameters.")
	if !ok {
		return ""
	}
	return p.Parameters[strings.TrimSuffix(name, ".value")].Value
}

// dataText is a text of an event's data, as far as objects lead to it.
func dataText(data map[string]any, path string) string {
	for {
		name, rest, more := strings.Cut(path, ".")
		switch v := data[name].(type) {
		case string:
			return v
		case map[string]any:
			data, path = v, rest
		default:
			return ""
		}
		if !more {
			return ""
		}
	}
}
