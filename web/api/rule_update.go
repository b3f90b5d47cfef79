package api

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	"busbar"
	"busbar/internal/store"
	"busbar/web/strictjson"
)

// replaceRule gives a rule another text. What it may do stays when the text does not say it.
func (a *API) replaceRule(ctx context.Context, r *Request) (*Reply, error) {
	was, err := a.ruleOf(ctx, r)
	if err != nil {
		return nil, err
	}
	text, err := readRule(r)
	if err != nil {
		return nil, err
	}
	return a.saveRule(ctx, r, &was, 0, text, nil)
}

// changeRule changes the fields that are given; null takes one away.
func (a *API) changeRule(ctx context.Context, r *Request) (*Reply, error) {
	was, err := a.ruleOf(ctx, r)
	if err != nil {
		return nil, err
	}
	if r.Body, err = mergeRule(was.Text, r.Body); err != nil {
		return nil, err
	}
	text, err := readRule(r)
	if err != nil {
		return nil, err
	}
	return a.saveRule(ctx, r, &was, 0, text, unchanged(&was))
}

// mergeRule puts the fields of a change over those of a text.
func mergeRule(text, change []byte) ([]byte, error) {
	if err := strictjson.Check(change); err != nil {
		return nil, err
	}
	if kind := strictjson.KindOf(change); kind != "an object" {
		return nil, busbar.Invalid("body", "type", "must be an object, not %s", kind)
	}
	var fields, given map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("read text of rule: %w", err)
	}
	if err := json.Unmarshal(change, &given); err != nil {
		return nil, fmt.Errorf("read change of rule: %w", err)
	}
	maps.Copy(fields, given)
	merged, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("write rule: %w", err)
	}
	return merged, nil
}

// unchanged refuses to save what was made of a rule that has been changed since.
func unchanged(was *busbar.Rule) func(*busbar.Rule) error {
	return func(now *busbar.Rule) error {
		if now.Version != was.Version || !now.CreatedAt.Equal(was.CreatedAt) {
			return busbar.Errorf(busbar.CodeConflict, "the rule was changed in the meantime; try again")
		}
		return nil
	}
}

// saveRule makes a version of a text. allow may refuse it, and sees the rule as it is then; nil allows it.
func (a *API) saveRule(
	ctx context.Context, r *Request, was *busbar.Rule, restored int, text *ruleText, allow func(*busbar.Rule) error,
) (*Reply, error) {
	if text.ID != "" && text.ID != string(was.ID) {
		return nil, busbar.Invalid("id", "immutable", "cannot be changed")
	}
	text.ID = string(was.ID) // it is no rule beside itself
	checked, err := a.checkSave(ctx, r.Env, text)
	if err != nil {
		return nil, err
	}
	reply, err := a.create(ctx, r, http.StatusOK, func(tx *store.Tx) (any, error) {
		saved, err := tx.SaveRule(r.Env, was.ID, restored, func(now *busbar.Rule) error {
			if allow != nil {
				if err := allow(now); err != nil {
					return err
				}
			}
			return checked.into(now)
		})
		if err != nil {
			return nil, err
		}
		return viewSavedRule(&saved, checked)
	})
	if err != nil {
		return nil, err
	}
	// It is saved: a hold that is left begins anew when it is due.
	if err := a.Holds.RestartHolds(ctx, r.Env, was.ID); err != nil {
		a.Logger.WarnContext(ctx, "could not restart all holds of a rule", "rule_id", was.ID, "error", err)
	}
	return reply, nil
}

func (a *API) deleteRule(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("rule")
	if err != nil {
		return nil, err
	}
	if err := a.Store.DeleteRule(ctx, r.Env, busbar.RuleID(id)); err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, Deleted{id, true}}, nil
}
