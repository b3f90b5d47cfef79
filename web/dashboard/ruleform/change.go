package ruleform

import (
	"maps"
	"net/url"
	"strings"

	"busbar"
	"busbar/rules"
)

// Blank is the form of a rule that is yet to be written.
func Blank() url.Values {
	return url.Values{
		"mode": {string(rules.ModeActive)}, "on": {busbar.TypeDeviceUpdated}, "edge": {string(rules.EdgeRising)}, "priority": {"50"},
		StepPath(Then, 0) + Kind: {KindPush},
	}
}

// Complete is a copy of a form in which what a rule must have, and what is not filled in yet, is something that does no harm: so
// the rest of it can be checked.
func Complete(v url.Values) url.Values {
	full := maps.Clone(v)
	fill := func(name, value string) {
		if strings.TrimSpace(full.Get(name)) == "" {
			full.Set(name, value)
		}
	}
	fill("name", "unnamed")
	fill("if", "true")
	if len(full["on"]) == 0 {
		fill(OnMore, "*")
	}
	if Steps(v, Then) == 0 {
		fill(StepPath(Then, 0)+Kind, KindPush)
	}
	for _, branch := range []string{Then, ElseFailed} {
		for i := range Steps(full, branch) {
			path := StepPath(branch, i)
			if full.Get(path+Kind) == KindEmit {
				fill(path+".emit.type", "unnamed")
				continue
			}
			fill(path+".push.device", "first(site.batteries)")
			fill(path+".push.command", CommandValue(busbar.Battery, "idle"))
		}
	}
	return full
}

// Add puts a step at the end of a branch.
func Add(v url.Values, branch, kind string) {
	if n := Steps(v, branch); n < rules.MaxRuleSteps && (kind == KindPush || kind == KindEmit) {
		v.Set(StepPath(branch, n)+Kind, kind)
	}
}

// Remove takes a step out; those after it move up.
func Remove(v url.Values, branch string, i int) {
	n := Steps(v, branch)
	if i < 0 || i >= n {
		return
	}
	for ; i < n-1; i++ {
		swap(v, branch, i)
	}
	for field := range v {
		if below(field, StepPath(branch, n-1)) {
			v.Del(field)
		}
	}
}

// Up moves a step before the one before it.
func Up(v url.Values, branch string, i int) {
	if i > 0 && i < Steps(v, branch) {
		swap(v, branch, i-1)
	}
}

func below(field, path string) bool { return strings.HasPrefix(field, path+".") }

// swap exchanges a step with the one after it.
func swap(v url.Values, branch string, i int) {
	first, second := StepPath(branch, i), StepPath(branch, i+1)
	moved := url.Values{}
	for field, values := range v {
		for from, to := range map[string]string{first: second, second: first} {
			if below(field, from) {
				moved[to+strings.TrimPrefix(field, from)] = values
			}
		}
	}
	for field := range v {
		if below(field, first) || below(field, second) {
			v.Del(field)
		}
	}
	maps.Copy(v, moved)
}

// FieldOf is the field that a path of the rule stands in, and what leads from it to the part; the field is empty when the form
// has none.
func FieldOf(v url.Values, path string) (field, rest string) {
	known := fields(v)
	for at := path; at != ""; {
		if known[at] {
			return at, strings.TrimPrefix(path[len(at):], ".")
		}
		if known[at+".value"] {
			return at + ".value", ""
		}
		i := strings.LastIndexAny(at, ".[")
		if i < 0 {
			break
		}
		at = at[:i]
	}
	if i := strings.Index(path, "].push"); i > 0 {
		return path[:i] + "].push.command", ""
	}
	return "", path
}

// fields are the names of all fields of a form.
func fields(v url.Values) map[string]bool {
	known := map[string]bool{}
	for _, name := range []string{
		"name", "mode", "on", "deviceType", "siteIds", "scope", "if", "edge", "rearm", "for", "grace", "cooldown", "window.from", "window.to",
		"window.days", "window.timezone", "actWithin", "priority", "tests",
	} {
		known[name] = true
	}
	for _, branch := range []string{Then, ElseFailed} {
		for i := range Steps(v, branch) {
			path := StepPath(branch, i)
			if v.Get(path+Kind) == KindEmit {
				known[path+".emit.type"], known[path+".emit.data"] = true, true
				continue
			}
			path += ".push"
			for _, name := range []string{"device", "command", "start", "end", "guard", "onConflict", "expiresIn", "retries"} {
				known[path+"."+name] = true
			}
			command, _ := Command(v.Get(path + ".command"))
			for _, p := range command.Parameters {
				known[path+".parameters."+p.Name+".value"] = true
			}
			for _, name := range Parameters(v, path) {
				known[path+".parameters."+name+".value"] = true
			}
		}
	}
	return known
}
