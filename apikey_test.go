package busbar_test

import (
	"strings"
	"testing"

	"busbar"
)

func TestKeysThatNoHeaderCanCarryAreRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		key  string
		good bool
	}{
		"plain":      {"sk_test_0123456789", true},
		"longest":    {strings.Repeat("k", busbar.MaxKeyBytes), true},
		"too long":   {strings.Repeat("k", busbar.MaxKeyBytes+1), false},
		"space":      {"sk_test_two words", false},
		"line break": {"sk_test_two\nlines", false},
		"not ASCII":  {"sk_test_schlüssel", false},
	} {
		err := busbar.CheckKey(tc.key)
		if (err == nil) != tc.good {
			t.Errorf("%s: error %v, want good %t", name, err, tc.good)
		}
		if err != nil && strings.Contains(err.Error(), tc.key) {
			t.Errorf("%s: the error shows the key", name)
		}
	}
}
