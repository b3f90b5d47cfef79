package rules

import (
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a rule can be used in spite of a diagnostic.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Diagnostic says what is wrong with a part of a rule.
type Diagnostic struct {
	// Field leads to the text that it is about, as `if` or `then[0].push.device`.
	Field    string   `json:"field"`
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	// From and To are offsets in that text, in characters (code points); both are 0 when it is about the field as such.
	From int `json:"from"`
	To   int `json:"to"`
}

// Errors are the diagnostics that keep a rule from being used.
func Errors(diagnostics []Diagnostic) []Diagnostic {
	return slices.DeleteFunc(slices.Clone(diagnostics), func(d Diagnostic) bool { return d.Severity != SeverityError })
}

// Warnings are the other diagnostics.
func Warnings(diagnostics []Diagnostic) []Diagnostic {
	return slices.DeleteFunc(slices.Clone(diagnostics), func(d Diagnostic) bool { return d.Severity == SeverityError })
}

// maxNamed is how many of the possible names a message lists.
const maxNamed = 12

// suggest ends a message about an unknown name with the nearest known one, or with all when they are few.
func suggest(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	if len(known) == 0 || len(known) > maxNamed {
		return ""
	}
	return "; there is " + strings.Join(known, ", ")
}

// nearest is the known name that differs least from one that was mistyped; empty when none is near.
func nearest(name string, known []string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, k := range known {
		if k == "" {
			continue
		}
		if strings.EqualFold(k, name) {
			return k
		}
		d := editDistance(strings.ToLower(name), strings.ToLower(k))
		if abbreviates(name, k) {
			d = min(d, 1)
		}
		if d < least {
			best, least = k, d
		}
	}
	return best
}

// abbreviates reports whether a name is another one with letters left out, as lvl is of level.
func abbreviates(name, full string) bool {
	if len(name) < 2 || name[0] != full[0] {
		return false
	}
	at := 0
	for i := 0; i < len(full) && at < len(name); i++ {
		if full[i] == name[at] {
			at++
		}
	}
	return at == len(name)
}

// editDistance counts the letters to insert, drop, replace or swap with their neighbour.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	before, last, row := rows[0], rows[1], rows[2]
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
