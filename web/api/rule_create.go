package api

import (
	"context"
	"net/http"

	"busbar"
	"busbar/internal/store"
	"busbar/rules"
)

func (a *API) createRule(ctx context.Context, r *Request) (*Reply, error) {
	text, err := readRule(r)
	if err != nil {
		return nil, err
	}
	id, err := ruleID(r, text)
	if err != nil {
		return nil, err
	}
	text.ID = string(id)
	checked, err := a.checkSave(ctx, r.Env, text)
	if err != nil {
		return nil, err
	}
	now := a.Now()
	rule := busbar.Rule{ID: id, Environment: r.Env, Mode: string(rules.ModeActive), CreatedAt: now, UpdatedAt: now}
	if err := checked.into(&rule); err != nil {
		return nil, err
	}
	return a.create(ctx, r, http.StatusCreated, func(tx *store.Tx) (any, error) {
		if err := tx.CreateRule(&rule); err != nil {
			return nil, err
		}
		return viewSavedRule(&rule, checked)
	})
}
