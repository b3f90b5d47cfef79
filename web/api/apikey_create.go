package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"busbar"
	"busbar/internal/store"
	"busbar/web/strictjson"
)

// APIKeyBody makes an API key.
type APIKeyBody struct {
	Name      strictjson.Optional[string]   `json:"name" required:"true" example:"gateway in the cellar"`
	Scopes    strictjson.Optional[[]string] `json:"scopes" doc:"events:write, endpoints:*, rules:*, devices:*, actions:*, read" required:"true"`
	ExpiresAt strictjson.Optional[string]   `json:"expiresAt" doc:"RFC 3339; never when absent." format:"date-time"`
}

// createAPIKey needs a key with every scope: a lesser one could otherwise give itself what it lacks.
func (a *API) createAPIKey(ctx context.Context, r *Request) (*Reply, error) {
	body, err := decode[APIKeyBody](r)
	if err != nil {
		return nil, err
	}
	now := a.Now()
	k := busbar.APIKey{ID: busbar.NewKeyID(), Environment: r.Env, Name: body.Name.Value, CreatedAt: now}
	if strings.TrimSpace(k.Name) == "" {
		return nil, busbar.Invalid("name", "required", "is missing")
	}
	if err := checkText("name", k.Name, maxName); err != nil {
		return nil, err
	}
	if k.Scopes, err = parseScopes(body.Scopes); err != nil {
		return nil, err
	}
	if body.ExpiresAt.Has() {
		at, ok := busbar.ParseTime(body.ExpiresAt.Value)
		switch {
		case !ok:
			return nil, busbar.Invalid("expiresAt", "format", "must be RFC 3339 with a zone, as 2026-06-01T10:30:00Z")
		case !at.After(now):
			return nil, busbar.Invalid("expiresAt", "out_of_range", "must be in the future")
		}
		k.ExpiresAt = at
	}
	return a.create(ctx, r, http.StatusCreated, func(tx *store.Tx) (any, error) {
		text, err := busbar.NewKey(r.Env)
		if err != nil {
			return nil, fmt.Errorf("make API key: %w", err)
		}
		k.Hash, k.Hint = busbar.HashKey(text), busbar.KeyHint(text)
		return CreatedAPIKey{viewAPIKey(&k), text}, tx.CreateAPIKey(&k)
	})
}

func parseScopes(given strictjson.Optional[[]string]) ([]busbar.Scope, error) {
	if len(given.Value) == 0 {
		return nil, busbar.Invalid("scopes", "required", "must name at least one scope")
	}
	var scopes []busbar.Scope
	for i, text := range given.Value {
		s, err := busbar.ParseScope(text)
		if err != nil {
			return nil, busbar.Invalid(fmt.Sprintf("scopes[%d]", i), "enum", "%s", shorten(err.Error()))
		}
		if !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	return scopes, nil
}
