package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"busbar"
	"busbar/rules"
	"busbar/web/strictjson"
)

// ruleText is a rule as a client sent it.
type ruleText struct {
	*rules.Rule
	// source is the file that it came as; empty when it came as JSON.
	source string
	// modeGiven: it says what it may do. A rule that does not is active when it is new, and stays what it is otherwise.
	modeGiven bool
}

// readRule reads a body as a rule. Its expressions are not looked at.
func readRule(r *Request) (*ruleText, error) {
	var rule *rules.Rule
	var given struct {
		Mode *string `json:"mode" yaml:"mode"`
	}
	var err error
	text := &ruleText{}
	if r.YAML {
		text.source = string(r.Body)
		if rule, err = rules.ParseYAML(r.Body); err == nil {
			err = yaml.Unmarshal(r.Body, &given)
		}
	} else if err = strictjson.Check(r.Body); err == nil {
		if rule, err = rules.ParseJSON(r.Body); err == nil {
			err = json.Unmarshal(r.Body, &given)
		}
	}
	if err != nil {
		return nil, err
	}
	text.Rule, text.modeGiven = rule, given.Mode != nil
	return text, nil
}

// ruleNames are words that stand in the place of a rule's id in paths.
var ruleNames = []string{"backtest", "check", "explain", "library", "schema"}

// ruleID is the id for a new rule: that in the text, or that in the query, which is for files that have none.
func ruleID(r *Request, text *ruleText) (busbar.RuleID, error) {
	asked := r.Query.Get("id")
	switch {
	case asked != "" && !busbar.ValidID(asked):
		return "", busbar.Invalid("id", "format", "must have 1 to 64 of A-Z, a-z, 0-9, _ and -")
	case asked != "" && text.ID != "" && asked != text.ID:
		return "", busbar.Invalid("id", "different", "the rule says %s itself", text.ID)
	case asked == "":
		asked = text.ID
	}
	if slices.Contains(ruleNames, asked) {
		return "", busbar.Invalid("id", "reserved", "must not be one of %s", strings.Join(ruleNames, ", "))
	}
	if asked == "" {
		return busbar.NewRuleID(), nil
	}
	return busbar.RuleID(asked), nil
}

// checkedRule is a rule that can be saved.
type checkedRule struct {
	*ruleText
	text     json.RawMessage
	warnings []rules.Diagnostic
	tests    []rules.TestResult
}

// checkSave compiles a rule and runs its tests. A rule that does not compile cannot be saved, whatever its mode.
func (a *API) checkSave(ctx context.Context, env busbar.Environment, text *ruleText) (*checkedRule, error) {
	if err := checkText("name", text.Name, rules.MaxNameRunes); err != nil {
		return nil, err
	}
	compiled, diagnostics := rules.Check(text.Rule)
	if compiled == nil {
		_, err := rules.Compile(text.Rule)
		return nil, err
	}
	suspicions, err := a.suspicions(ctx, env, text.Rule, compiled)
	if err != nil {
		return nil, err
	}
	// Which rule it is and what it may do is not part of what a version says.
	bare := *text.Rule
	bare.ID, bare.Mode = "", rules.ModeActive
	c := &checkedRule{ruleText: text, warnings: slices.Concat(rules.Warnings(diagnostics), suspicions), tests: compiled.RunTests()}
	if c.text, err = json.Marshal(&bare); err != nil {
		return nil, fmt.Errorf("write rule: %w", err)
	}
	if n := len(c.text); n > rules.MaxRuleBytes {
		return nil, busbar.Errorf(busbar.CodeValidationFailed, "the rule has %d bytes as JSON, and at most %d are taken", n, rules.MaxRuleBytes)
	}
	return c, nil
}

// missingSites warns of sites that are not there: maybe they are yet to be made.
func (a *API) missingSites(ctx context.Context, env busbar.Environment, rule *rules.Rule) ([]rules.Diagnostic, error) {
	var found []rules.Diagnostic
	missing, err := a.Store.MissingSites(ctx, env, rule.SiteIDs)
	if err != nil {
		return nil, err
	}
	for i, id := range rule.SiteIDs {
		if slices.Contains(missing, id) {
			found = append(found, rules.Diagnostic{
				Field: fmt.Sprintf("siteIds[%d]", i), Severity: rules.SeverityWarning, Message: fmt.Sprintf("there is no site %q", shorten(id)),
			})
		}
	}
	return found, nil
}

// into gives a rule what the text says. A test that fails keeps it from being active.
func (c *checkedRule) into(r *busbar.Rule) error {
	if c.modeGiven {
		r.Mode = string(c.Mode)
	}
	r.Name, r.Text, r.Source, r.Windowed = c.Name, c.text, c.source, c.Window != nil
	return allowMode(rules.Mode(r.Mode), c.tests)
}

// allowMode refuses to make a rule active that does not do what its tests expect.
func allowMode(mode rules.Mode, tests []rules.TestResult) error {
	if mode != rules.ModeActive {
		return nil
	}
	var p problems
	for i, t := range tests {
		if !t.Passed {
			p.add(fmt.Sprintf("tests[%d]", i), "test_failed", "the test %q failed, so that the rule cannot be active: %s; what happened: %s",
				t.Name, t.Problem, cmp.Or(strings.Join(t.Log, ", "), "nothing"))
		}
	}
	return p.err()
}
