package busbar_test

import (
	"strings"
	"testing"
	"time"

	"busbar"
)

func TestRetentionIsOneDurationOrOneForEachEnvironment(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, want := range map[string]struct{ sandbox, live, longest time.Duration }{
		"720h":                       {30 * day, 30 * day, 30 * day},
		"1h":                         {time.Hour, time.Hour, time.Hour},
		" 36h ":                      {36 * time.Hour, 36 * time.Hour, 36 * time.Hour},
		"sandbox=168h,live=2160h":    {7 * day, 90 * day, 90 * day},
		"live=2160h,sandbox=168h":    {7 * day, 90 * day, 90 * day},
		" live = 2160h , sandbox=2h": {2 * time.Hour, 90 * day, 90 * day},
		"sandbox=168h":               {7 * day, 30 * day, 30 * day},
		"live=1h30m":                 {30 * day, 90 * time.Minute, 30 * day},
	} {
		var got busbar.Retention
		if err := got.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if s, l := got.Of(busbar.Sandbox), got.Of(busbar.Live); s != want.sandbox || l != want.live || got.Longest() != want.longest {
			t.Errorf("%q keeps the sandbox %s, live %s and the longest %s, want %+v", text, s, l, got.Longest(), want)
		}
	}
	var unsaid busbar.Retention
	if s, l := unsaid.Of(busbar.Sandbox), unsaid.Of(busbar.Live); s != busbar.DefaultRetention || l != busbar.DefaultRetention {
		t.Errorf("of what is not said %s and %s are kept", s, l)
	}
}

func TestRetentionThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	const form = "as 720h, or one for each environment, as sandbox=168h,live=2160h"
	for text, says := range map[string][]string{
		"":                        {`"" is no duration`, form},
		"soon":                    {`"soon" is no duration`, form},
		"30d":                     {`"30d" is no duration`, form},
		"720":                     {`"720" is no duration`, form},
		"59m59s":                  {"59m59s is too short: it must be at least 1h0m0s"},
		"0":                       {"0s is too short: it must be at least 1h0m0s"},
		"-720h":                   {"-720h0m0s is too short: it must be at least 1h0m0s"},
		"staging=720h":            {`environment "staging" is neither "sandbox" nor "live"`},
		"Live=720h":               {`environment "Live" is neither`},
		"=720h":                   {`environment "" is neither`},
		"live=720h,live=720h":     {"live is named twice"},
		"live=":                   {`live: "" is no duration`, form},
		"live=30d":                {`live: "30d" is no duration`, form},
		"sandbox=168h,live=1m":    {"live: 1m0s is too short: it must be at least 1h0m0s"},
		"sandbox=168h=2":          {`sandbox: "168h=2" is no duration`},
		"sandbox=168h,":           {`"" names no environment`, form},
		",":                       {`"" names no environment`, form},
		"sandbox=168h,,live=720h": {`"" names no environment`, form},
		"720h,live=2160h":         {`"720h" names no environment`, form},
		"720h,168h":               {`"720h" names no environment`, form},
	} {
		got := busbar.Retention{}
		err := got.UnmarshalText([]byte(text))
		if err == nil {
			t.Errorf("%q is taken", text)
			continue
		}
		for _, part := range says {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: the error does not say %q: %v", text, part, err)
			}
		}
		if s, l := got.Of(busbar.Sandbox), got.Of(busbar.Live); s != busbar.DefaultRetention || l != busbar.DefaultRetention {
			t.Errorf("%q: what was refused still keeps %s and %s", text, s, l)
		}
	}
}
