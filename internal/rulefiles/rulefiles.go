// Package rulefiles keeps the rules of a Busbar server as files: it applies files to it, and exports its rules.
package rulefiles

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"busbar"
	"busbar/rules"
)

// File is a rule in a file.
type File struct {
	// ID is that of the rule; it need not stand in the text.
	ID   busbar.RuleID
	Text []byte
	// JSON: the text is that, otherwise it is YAML.
	JSON bool
	// Rule is what the text says, and ModeGiven whether it says what the rule may do.
	Rule      *rules.Rule
	ModeGiven bool
}

// Outcome is what applying a file did.
type Outcome string

// The outcomes.
const (
	Created Outcome = "created"
	// Saved: the rule has a new version.
	Saved Outcome = "saved"
	// ModeSet: the text is the same, and the rule may now do what it says.
	ModeSet   Outcome = "mode_set"
	Unchanged Outcome = "unchanged"
)

// Applied is what applying a file did, and what was found out.
type Applied struct {
	Outcome  Outcome
	Version  int                `json:"version"`
	Mode     rules.Mode         `json:"mode"`
	Warnings []rules.Diagnostic `json:"warnings"`
	Tests    []rules.TestResult `json:"testResults"`
}

// Sentence goes on from the name of the rule.
func (a *Applied) Sentence() string {
	switch a.Outcome {
	case Created:
		return fmt.Sprintf("was created, %s", a.Mode)
	case Saved:
		return fmt.Sprintf("has a new version, %d, %s", a.Version, a.Mode)
	case ModeSet:
		return fmt.Sprintf("says the same, and is %s now", a.Mode)
	case Unchanged:
	}
	return fmt.Sprintf("is unchanged, version %d, %s", a.Version, a.Mode)
}

// Apply makes a rule say what a file does. A file that the rule came from already makes no new version.
func (c *Client) Apply(ctx context.Context, f *File) (Applied, error) {
	var have Applied
	err := c.get(ctx, rulePath(f.ID), &have)
	var refused *RefusedError
	switch {
	case err == nil:
	case errors.As(err, &refused) && refused.Code == busbar.CodeNotFound:
		return c.save(ctx, Created, http.MethodPost, "/v1/rules?id="+url.QueryEscape(string(f.ID)), f)
	default:
		return have, err
	}
	same, err := c.same(ctx, f, have.Version)
	switch {
	case err != nil:
		return have, err
	case !same:
		return c.save(ctx, Saved, http.MethodPut, rulePath(f.ID), f)
	case f.ModeGiven && f.Rule.Mode != have.Mode:
		body, err := json.Marshal(map[string]rules.Mode{"mode": f.Rule.Mode})
		if err != nil {
			return have, fmt.Errorf("write mode: %w", err)
		}
		applied := Applied{Outcome: ModeSet}
		err = c.call(ctx, http.MethodPost, rulePath(f.ID)+"/mode", mediaJSON, body, &applied)
		return applied, err
	}
	have.Outcome = Unchanged
	return have, nil
}

// same reports whether a version is what a file says. Of YAML each character counts, as it is kept; of JSON what it means.
func (c *Client) same(ctx context.Context, f *File, number int) (bool, error) {
	if !f.JSON {
		text, err := c.Export(ctx, f.ID)
		return bytes.Equal(text, f.Text), err
	}
	var kept struct {
		Rule json.RawMessage `json:"rule"`
	}
	if err := c.get(ctx, fmt.Sprintf("%s/versions/%d", rulePath(f.ID), number), &kept); err != nil {
		return false, err
	}
	version, err := rules.ParseJSON(kept.Rule)
	if err != nil {
		return false, fmt.Errorf("read version %d of %s: %w", number, f.ID, err)
	}
	version.ID, version.Mode = f.Rule.ID, f.Rule.Mode
	return f.Rule.SameText(version)
}

func (c *Client) save(ctx context.Context, outcome Outcome, method, path string, f *File) (Applied, error) {
	media := mediaYAML
	if f.JSON {
		media = mediaJSON
	}
	applied := Applied{Outcome: outcome}
	err := c.call(ctx, method, path, media, f.Text, &applied)
	return applied, err
}

// Export gives a rule as a file: the one that was applied, word by word, or the canonical one of a rule that was made otherwise.
func (c *Client) Export(ctx context.Context, id busbar.RuleID) ([]byte, error) {
	return c.do(ctx, &question{method: http.MethodGet, path: rulePath(id), accept: mediaYAML})
}

// IDs lists the ids of all rules, newest first.
func (c *Client) IDs(ctx context.Context) ([]busbar.RuleID, error) {
	var ids []busbar.RuleID
	cursor := ""
	for {
		var page struct {
			Items []struct {
				ID busbar.RuleID `json:"id"`
			} `json:"items"`
			NextCursor *string `json:"nextCursor"`
		}
		if err := c.get(ctx, "/v1/rules?limit=200&cursor="+url.QueryEscape(cursor), &page); err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			ids = append(ids, item.ID)
		}
		if page.NextCursor == nil {
			return ids, nil
		}
		cursor = *page.NextCursor
	}
}

func rulePath(id busbar.RuleID) string { return "/v1/rules/" + url.PathEscape(string(id)) }
