package snippets_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/snippets"
)

// What the document shows is what the tests run.
func TestTheDocumentShowsTheFiles(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	all, err := snippets.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		mark := "<!-- internal/snippets/verify/" + s.File + " -->\n```" + s.Language + "\n"
		parts := strings.Split(string(text), mark)
		if len(parts) != 2 {
			t.Errorf("%s is shown %d times, want once, after\n%s", s.File, len(parts)-1, mark)
			continue
		}
		shown, _, _ := strings.Cut(parts[1], "```\n")
		if diff := cmp.Diff(s.Text, shown); diff != "" {
			t.Errorf("%s (-file +document):\n%s", s.File, diff)
		}
	}
}
