package api

import (
	"context"
	"fmt"
	"net/http"

	"busbar"
	"busbar/rules"
)

// RuleSchema is what an editor needs.
type RuleSchema struct {
	rules.Schema
}

// LibraryRule is a rule that comes with Busbar.
type LibraryRule struct {
	Slug string `json:"slug"`
	Name string `json:"name"`
	Rule any    `json:"rule" doc:"As JSON: a body for POST /v1/rules/check."`
	YAML string `json:"yaml" doc:"As a file."`
}

func (a *API) ruleSchema(_ context.Context, r *Request) (*Reply, error) {
	var family busbar.Family
	if text := r.Query.Get("deviceType"); text != "" {
		parsed, err := busbar.ParseFamily(text)
		if err != nil {
			return nil, busbar.Invalid("deviceType", "enum", "%v", err)
		}
		family = parsed
	}
	return &Reply{http.StatusOK, RuleSchema{rules.Describe(family)}}, nil
}

func (a *API) ruleLibrary(_ context.Context, _ *Request) (*Reply, error) {
	library, err := rules.Library()
	if err != nil {
		return nil, fmt.Errorf("read library of rules: %w", err)
	}
	list := List[LibraryRule]{Items: make([]LibraryRule, len(library))}
	for i, l := range library {
		list.Items[i] = LibraryRule{l.Slug, l.Rule.Name, l.Rule, l.YAML}
	}
	return &Reply{http.StatusOK, list}, nil
}
