package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"

	"busbar"
	"busbar/internal/forward"
	"busbar/internal/rulefiles"
	"busbar/rules"
)

// rulesServer is the server whose rules are worked on.
type rulesServer struct {
	URL    string `name:"url" default:"http://127.0.0.1:8080" help:"The Busbar server."`
	APIKey string `name:"api-key" placeholder:"KEY" help:"API key with the scope rules:*, or read to export; its environment is the one that is worked on. Default: $BUSBAR_API_KEY."`
}

func (s *rulesServer) connect() (*rulefiles.Client, error) {
	if _, err := forward.CheckURL(s.URL, "http://127.0.0.1:8080"); err != nil {
		return nil, fmt.Errorf("--url: %w", err)
	}
	key, err := apiKey(s.APIKey)
	if err != nil {
		return nil, err
	}
	return rulefiles.NewClient(s.URL, key), nil
}

type rulesApplyCmd struct {
	rulesServer
	ruleFiles
}

// Run checks all files, and when none has problems applies one after the other.
func (c *rulesApplyCmd) Run(ctx context.Context, e env) error {
	client, err := c.connect()
	if err != nil {
		return err
	}
	files, err := c.read(e.stdout)
	if err != nil {
		return fmt.Errorf("nothing was applied: %w", err)
	}
	failed := 0
	for i, f := range files {
		name := c.Files[i]
		applied, err := client.Apply(ctx, f)
		if general(err) {
			return fmt.Errorf("apply %s: %w", name, err)
		}
		if err != nil {
			failed++
		}
		for _, line := range appliedLines(f, &applied, err) {
			fmt.Fprintf(e.stdout, "%s: %s\n", name, line)
		}
	}
	return problemFiles(failed, "could not be applied", "could not be applied")
}

// general reports whether an error would come for every file.
func general(err error) bool {
	if refused, ok := errors.AsType[*rulefiles.RefusedError](err); ok {
		return refused.General()
	}
	_, ok := errors.AsType[*rulefiles.UnreachableError](err)
	return ok
}

// read reads and checks the files. Each rule has an id, and no two the same one.
func (f *ruleFiles) read(w io.Writer) ([]*rulefiles.File, error) {
	problems := 0
	taken := make(map[busbar.RuleID]string, len(f.Files))
	files := make([]*rulefiles.File, len(f.Files))
	for i, name := range f.Files {
		file, lines, err := ruleFile(name)
		if err != nil {
			lines = append(lines, oneLine(err))
		} else if file != nil && taken[file.ID] != "" {
			lines = append(lines, fmt.Sprintf("its id %s is that of %s, too", file.ID, taken[file.ID]))
			file = nil
		}
		for _, line := range lines {
			fmt.Fprintf(w, "%s: %s\n", name, line)
		}
		if file == nil {
			problems++
			continue
		}
		taken[file.ID], files[i] = name, file
	}
	return files, problemFiles(problems, "has problems", "have problems")
}

// ruleFile reads a file and gives what is wrong with it; then there is none.
func ruleFile(name string) (*rulefiles.File, []string, error) {
	text, err := readText(name)
	if err != nil {
		return nil, nil, err
	}
	rule, err := parseRule(name, text)
	if err != nil {
		lines, _, err := fieldLines(err)
		return nil, lines, err
	}
	compiled, diagnostics := rules.Check(rule)
	if compiled == nil {
		var lines []string
		for _, d := range rules.Errors(diagnostics) {
			lines = append(lines, diagnosticLine(d))
		}
		return nil, lines, nil
	}
	file := &rulefiles.File{ID: busbar.RuleID(rule.ID), Text: text, JSON: isJSON(name), Rule: rule}
	if file.ID == "" {
		if file.ID = slug(name); file.ID == "" {
			return nil, nil, errors.New("no id can be made of the name of the file; write one into the rule")
		}
	}
	// JSON is YAML, too.
	var given struct {
		Mode *string `yaml:"mode"`
	}
	if err := yaml.Unmarshal(text, &given); err != nil {
		return nil, nil, fmt.Errorf("read mode: %w", err)
	}
	file.ModeGiven = given.Mode != nil
	return file, nil, nil
}

// maxID is how long an id may be.
const maxID = 64

// slug makes an id of the name of a file; one that an id may be already stays, so that what was exported finds its rule.
func slug(name string) busbar.RuleID {
	base := filepath.Base(name)
	base = strings.TrimSuffix(base, filepath.Ext(base))
	if busbar.ValidID(base) {
		return busbar.RuleID(base)
	}
	words := strings.FieldsFunc(strings.ToLower(base), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	id := strings.Join(words, "-")
	return busbar.RuleID(strings.TrimSuffix(id[:min(len(id), maxID)], "-"))
}

// appliedLines say what became of a file.
func appliedLines(f *rulefiles.File, a *rulefiles.Applied, err error) []string {
	if err != nil {
		lines := []string{err.Error()}
		if refused, ok := errors.AsType[*rulefiles.RefusedError](err); ok && len(refused.Fields) > 0 {
			lines = nil
			for _, field := range refused.Fields {
				lines = append(lines, field.Path+": "+field.Message)
			}
		}
		return lines
	}
	var lines []string
	for _, w := range a.Warnings {
		lines = append(lines, diagnosticLine(w))
	}
	for _, t := range a.Tests {
		if !t.Passed {
			lines = append(lines, fmt.Sprintf("test %q: %s", t.Name, t.Problem))
		}
	}
	return append(lines, fmt.Sprintf("rule %s %s", f.ID, a.Sentence()))
}
