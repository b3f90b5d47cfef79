package api

import (
	"encoding/json"
	"fmt"

	"busbar"
	"busbar/rules"
)

// Rule is a rule as clients see it: what was written, with defaults filled in, and how it stands.
type Rule struct {
	ID         busbar.RuleID   `json:"id" example:"rule_01980f3ae2b57c3f8d1c5b0a9e7f6d21"`
	Name       string          `json:"name"`
	Mode       rules.Mode      `json:"mode" enum:"active,shadow,disabled"`
	On         []string        `json:"on"`
	DeviceType busbar.Family   `json:"deviceType,omitempty"`
	SiteIDs    []string        `json:"siteIds"`
	Scope      rules.Scope     `json:"scope,omitempty" enum:"device,site,rule"`
	If         string          `json:"if"`
	Edge       rules.Edge      `json:"edge" enum:"rising,every"`
	Rearm      string          `json:"rearm,omitempty"`
	For        string          `json:"for,omitempty"`
	Grace      string          `json:"grace,omitempty"`
	Cooldown   string          `json:"cooldown,omitempty"`
	Window     json.RawMessage `json:"window,omitempty"`
	ActWithin  string          `json:"actWithin"`
	Priority   int             `json:"priority"`
	Then       json.RawMessage `json:"then"`
	ElseFailed json.RawMessage `json:"else_failed,omitempty"` //nolint:tagliatelle // as in rule files, where it has this name
	Tests      json.RawMessage `json:"tests,omitempty"`

	Version     int        `json:"version" doc:"The newest, which is the one that decides."`
	Paused      *RulePause `json:"paused,omitempty" doc:"It decides nothing until its mode is set again; absent when it is not paused."`
	CreatedAt   Time       `json:"createdAt"`
	UpdatedAt   Time       `json:"updatedAt"`
	LastFiredAt Time       `json:"lastFiredAt,omitzero"`
}

// RulePause says why a rule was paused.
type RulePause struct {
	At     Time   `json:"at"`
	Reason string `json:"reason"`
}

// SavedRule is a rule with what was found out when it was saved.
type SavedRule struct {
	Rule
	Warnings    []RuleDiagnostic `json:"warnings" doc:"What may not be meant, and what is missing yet."`
	TestResults []RuleTestResult `json:"testResults" doc:"How the tests that the rule carries ended."`
}

// RuleTestResult is how a test of a rule ended.
type RuleTestResult struct {
	Name    string   `json:"name"`
	Passed  bool     `json:"passed"`
	Problem string   `json:"problem,omitempty" doc:"What came otherwise than expected."`
	Log     []string `json:"log" doc:"What happened, a line each."`
}

// RuleVersion is one save of a rule.
type RuleVersion struct {
	Number    int  `json:"number"`
	Restored  int  `json:"restored,omitempty" doc:"The version that this one restored."`
	CreatedAt Time `json:"createdAt"`
}

// RuleVersionDetail is one save of a rule with what it says.
type RuleVersionDetail struct {
	RuleVersion
	Rule json.RawMessage `json:"rule" doc:"As JSON, in its canonical form: without what is the default."`
	YAML string          `json:"yaml" doc:"The file that was applied, word by word; of a rule that was made of JSON, the canonical YAML."`
}

func viewRule(r *busbar.Rule) (Rule, error) {
	v := Rule{SiteIDs: []string{}, Edge: rules.EdgeRising, ActWithin: "15m", Priority: rules.DefaultPriority}
	if err := json.Unmarshal(r.Text, &v); err != nil {
		return v, fmt.Errorf("read text of rule %s: %w", r.ID, err)
	}
	v.ID, v.Mode, v.Version = r.ID, rules.Mode(r.Mode), r.Version
	v.CreatedAt, v.UpdatedAt, v.LastFiredAt = Time(r.CreatedAt), Time(r.UpdatedAt), Time(r.FiredAt)
	if r.Paused() {
		v.Paused = &RulePause{Time(r.PausedAt), r.PauseReason}
	}
	return v, nil
}

func viewSavedRule(r *busbar.Rule, c *checkedRule) (SavedRule, error) {
	rule, err := viewRule(r)
	v := SavedRule{Rule: rule, Warnings: viewDiagnostics(c.warnings), TestResults: make([]RuleTestResult, len(c.tests))}
	for i, t := range c.tests {
		v.TestResults[i] = RuleTestResult(t)
	}
	return v, err
}

// ruleYAML is a rule as a file: the one that was applied, unchanged, or its canonical form.
func ruleYAML(id busbar.RuleID, mode rules.Mode, text json.RawMessage, source string) ([]byte, error) {
	if source != "" {
		return []byte(source), nil
	}
	rule, err := rules.ParseJSON(text)
	if err != nil {
		return nil, fmt.Errorf("read text of rule %s: %w", id, err)
	}
	rule.ID, rule.Mode = string(id), mode
	return rule.YAML()
}

func viewRuleVersion(v *busbar.RuleVersion) RuleVersion {
	return RuleVersion{v.Number, v.Restored, Time(v.CreatedAt)}
}
