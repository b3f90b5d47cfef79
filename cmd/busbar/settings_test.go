package main

import (
	"testing"

	"busbar"
)

func TestHowLongHistoryIsKeptInWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"720h":                    "30 days",
		"sandbox=168h,live=168h":  "7 days",
		"sandbox=168h,live=2160h": "7 days in sandbox, 90 days in live",
		"sandbox=36h":             "1 d 12 h in sandbox, 30 days in live",
	} {
		r, err := busbar.ParseRetention(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := kept(r); got != want {
			t.Errorf("%s is shown as %q, want %q", text, got, want)
		}
	}
}
