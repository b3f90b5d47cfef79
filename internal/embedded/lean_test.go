//go:build lean

package embedded_test

import (
	"strings"
	"testing"

	"busbar/internal/embedded"
)

func TestLeanBuildSaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, err := embedded.Start(t.Context(), embedded.Config{})
	if err == nil || !strings.Contains(err.Error(), "tag lean") || !strings.Contains(err.Error(), "--temporal-addr") {
		t.Errorf("got %v, want a pointer to serve with --temporal-addr", err)
	}
}
