package api

import (
	"unicode"
	"unicode/utf8"

	"busbar"
)

const (
	maxDescription = 500
	maxName        = 100
)

// checkText refuses texts that are long or would not be shown as they are; PostgreSQL takes no zero bytes either.
func checkText(path, text string, most int) error {
	if utf8.RuneCountInString(text) > most {
		return busbar.Invalid(path, "too_long", "must have at most %d characters", most)
	}
	for _, r := range text {
		if unicode.IsControl(r) && r != '\n' {
			return busbar.Invalid(path, "format", "must not have control characters")
		}
	}
	return nil
}
