package rules_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/rules"
)

// TestLibrary holds that each rule of the library is clean, that its tests pass, and that writing it and reading it again gives the
// same rule in both forms.
func TestLibrary(t *testing.T) {
	t.Parallel()
	library, err := rules.Library()
	if err != nil {
		t.Fatal(err)
	}
	if len(library) != 8 {
		t.Errorf("%d rules, want 8", len(library))
	}
	for _, l := range library {
		t.Run(l.Slug, func(t *testing.T) {
			t.Parallel()
			if l.Rule.ID != l.Slug {
				t.Errorf("id %q", l.Rule.ID)
			}
			c, diagnostics := rules.Check(l.Rule)
			if len(diagnostics) > 0 {
				t.Fatalf("diagnostics %+v", diagnostics)
			}
			results := c.RunTests()
			if len(results) < 2 {
				t.Errorf("%d tests", len(results))
			}
			for _, r := range results {
				if !r.Passed {
					t.Errorf("%s: %s\n%s", r.Name, r.Problem, strings.Join(r.Log, "\n"))
				}
			}
			text, err := l.Rule.YAML()
			if err != nil {
				t.Fatal(err)
			}
			again, err := rules.ParseYAML(text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if diff := cmp.Diff(l.Rule, again); diff != "" {
				t.Errorf("YAML and back:\n%s", diff)
			}
			again, err = rules.ParseJSON([]byte(toJSON(t, l.Rule)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(l.Rule, again); diff != "" {
				t.Errorf("JSON and back:\n%s", diff)
			}
		})
	}
}
