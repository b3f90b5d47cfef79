package api

import (
	"context"
	"fmt"
	"net/http"

	"busbar"
	"busbar/rules"
	"busbar/web/strictjson"
)

// RuleModeBody sets what a rule may do.
type RuleModeBody struct {
	Mode strictjson.Optional[string] `json:"mode" required:"true" enum:"active,shadow,disabled"`
}

// setRuleMode also ends a pause. A rule whose tests fail cannot be active.
func (a *API) setRuleMode(ctx context.Context, r *Request) (*Reply, error) {
	body, err := decode[RuleModeBody](r)
	if err != nil {
		return nil, err
	}
	if !body.Mode.Has() {
		return nil, busbar.Invalid("mode", "required", "is missing")
	}
	mode, err := rules.ParseMode(body.Mode.Value)
	if err != nil {
		return nil, busbar.Invalid("mode", "enum", "%v", err)
	}
	was, err := a.ruleOf(ctx, r)
	if err != nil {
		return nil, err
	}
	allow := func(*busbar.Rule) error { return nil }
	if mode == rules.ModeActive {
		if err := testRule(&was); err != nil {
			return nil, err
		}
		// The tests that were run are those of this version.
		allow = unchanged(&was)
	}
	rule, err := a.Store.SetRuleMode(ctx, r.Env, was.ID, mode, allow)
	if err != nil {
		return nil, err
	}
	view, err := viewRule(&rule)
	return &Reply{http.StatusOK, view}, err
}

// testRule runs the tests of a rule that is to be active.
func testRule(r *busbar.Rule) error {
	text, err := rules.ParseJSON(r.Text)
	if err != nil {
		return fmt.Errorf("read text of rule %s: %w", r.ID, err)
	}
	// What its tests say of it names it.
	text.ID = string(r.ID)
	compiled, err := rules.Compile(text)
	if err != nil {
		return err
	}
	return allowMode(rules.ModeActive, compiled.RunTests())
}
