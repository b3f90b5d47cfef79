package rules_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"busbar/rules"
)

func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/scenarios/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scenarios, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var scenario struct {
				Rules  []yaml.Node
				Given  yaml.Node
				Expect []string
			}
			if err := yaml.Unmarshal(text, &scenario); err != nil {
				t.Fatal(err)
			}
			compiled := make([]*rules.Compiled, len(scenario.Rules))
			for i := range scenario.Rules {
				c, diagnostics := rules.Check(readNode(t, &scenario.Rules[i]))
				if len(diagnostics) > 0 && c == nil {
					t.Fatalf("diagnostics %+v", diagnostics)
				}
				compiled[i] = c
			}
			played, err := rules.Play(compiled, readGiven(t, &scenario.Given))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(scenario.Expect, played.Log); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func readNode(t *testing.T, n *yaml.Node) *rules.Rule {
	t.Helper()
	text, err := yaml.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	rule, err := rules.ParseYAML(text)
	if err != nil {
		t.Fatal(err)
	}
	return rule
}

// readGiven reads a row of events as the test of a rule would.
func readGiven(t *testing.T, n *yaml.Node) []rules.Given {
	t.Helper()
	text, err := yaml.Marshal(map[string]any{
		"name": "x", "on": []string{"a"}, "if": "true", "then": []any{map[string]any{"emit": map[string]any{"type": "a.b"}}},
		"tests": []any{map[string]any{"name": "x", "given": n}},
	})
	if err != nil {
		t.Fatal(err)
	}
	rule, err := rules.ParseYAML(text)
	if err != nil {
		t.Fatal(err)
	}
	return rule.Tests[0].Given
}
