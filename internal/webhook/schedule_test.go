package webhook_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/webhook"
)

func mustSchedule(t *testing.T, text string) webhook.Schedule {
	t.Helper()
	schedule, err := webhook.ParseSchedule(text)
	if err != nil {
		t.Fatalf("parse schedule: %v", err)
	}
	return schedule
}

func waits(s webhook.Schedule) []time.Duration {
	var all []time.Duration
	for step := 0; ; step++ {
		wait, ok := s.Wait(step, 0, 0, 0.5)
		if !ok {
			return all
		}
		all = append(all, wait)
	}
}

func TestDefaultSchedule(t *testing.T) {
	t.Parallel()
	const text = "5s,5m,30m,2h,5h,10h,14h,20h,24h"
	if got := webhook.DefaultSchedule().String(); got != text {
		t.Errorf("default schedule is %s, want %s", got, text)
	}
	if diff := cmp.Diff(waits(mustSchedule(t, text)), waits(webhook.DefaultSchedule())); diff != "" {
		t.Errorf("the text is another schedule (-text +default):\n%s", diff)
	}
	if webhook.DefaultSchedule().Len() != 9 {
		t.Errorf("it has %d waits, want 9", webhook.DefaultSchedule().Len())
	}
}

func TestScheduleText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"1s":             "1s",
		" 10ms , 90s ":   "10ms,1m30s",
		"60m,168h":       "1h,168h",
		"1h0m5s,10m":     "1h0m5s,10m",
		"100m,3600s,20s": "1h40m,1h,20s",
	} {
		schedule := mustSchedule(t, text)
		if schedule.String() != want {
			t.Errorf("%q is written %q, want %q", text, schedule.String(), want)
		}
		if diff := cmp.Diff(waits(schedule), waits(mustSchedule(t, schedule.String()))); diff != "" {
			t.Errorf("%q changes when it is read again:\n%s", text, diff)
		}
	}
	for _, text := range []string{
		"", " ", "5", "5s,", "0s", "-5s", "5s,0s", "169h", "never", "5s;5m", strings.Repeat("1s,", 50) + "1s",
	} {
		if _, err := webhook.ParseSchedule(text); err == nil {
			t.Errorf("%q: accepted", text)
		}
	}
	if got := mustSchedule(t, strings.Repeat("1s,", 49)+"1s").Len(); got != 50 {
		t.Errorf("50 waits became %d", got)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	s := mustSchedule(t, "10s,100s")
	for name, c := range map[string]struct {
		step           int
		retryAfter     time.Duration
		jitter, random float64
		want           time.Duration
		ok             bool
	}{
		"first":                      {0, 0, 0, 0.9, 10 * time.Second, true},
		"last":                       {1, 0, 0, 0.1, 100 * time.Second, true},
		"used up":                    {2, time.Hour, 0.2, 0.5, 0, false},
		"before the first":           {-1, 0, 0, 0, 0, false},
		"least jitter":               {0, 0, 0.2, 0, 8 * time.Second, true},
		"middle":                     {0, 0, 0.2, 0.5, 10 * time.Second, true},
		"most jitter":                {0, 0, 0.2, 1, 12 * time.Second, true},
		"retry-after is longer":      {0, time.Minute, 0.2, 0, time.Minute, true},
		"retry-after is shorter":     {1, time.Minute, 0, 0, 100 * time.Second, true},
		"retry-after over a day":     {0, 48 * time.Hour, 0, 0, 24 * time.Hour, true},
		"retry-after in the past":    {0, -time.Hour, 0, 0, 10 * time.Second, true},
		"jitter over everything":     {0, 0, 5, 0, 0, true},
		"jitter that is not a value": {0, 0, math.NaN(), 0, 10 * time.Second, true},
	} {
		wait, ok := s.Wait(c.step, c.retryAfter, c.jitter, c.random)
		if wait != c.want || ok != c.ok {
			t.Errorf("%s: got %s %v, want %s %v", name, wait, ok, c.want, c.ok)
		}
	}
	if _, ok := (webhook.Schedule{}).Wait(0, 0, 0, 0); ok {
		t.Error("the zero schedule has a wait")
	}
}

func TestWaitKeepsItsBounds(t *testing.T) {
	t.Parallel()
	s := webhook.DefaultSchedule()
	plain := waits(s)
	for range 10_000 {
		step := rand.IntN(s.Len())
		asked := time.Duration(rand.Int64N(int64(30 * time.Hour)))
		wait, ok := s.Wait(step, asked, 0.2, rand.Float64())
		least, most := plain[step]*8/10, plain[step]*12/10
		asked = min(asked, 24*time.Hour)
		if !ok || wait < max(least, asked) || wait > max(most, asked) {
			t.Fatalf("step %d, asked %s: waits %s, outside %s to %s", step, asked, wait, least, most)
		}
	}
}

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, c := range map[string]struct {
		want time.Duration
		ok   bool
	}{
		"0":                              {0, true},
		"120":                            {2 * time.Minute, true},
		" 120 ":                          {2 * time.Minute, true},
		"86400":                          {24 * time.Hour, true},
		"86401":                          {24 * time.Hour, true},
		"99999999999999999999999":        {24 * time.Hour, true},
		"Sun, 01 Mar 2026 12:00:30 GMT":  {30 * time.Second, true},
		"Sunday, 01-Mar-26 12:01:00 GMT": {time.Minute, true},
		"Sun Mar  1 12:02:00 2026":       {2 * time.Minute, true},
		"Sun, 01 Mar 2026 11:00:00 GMT":  {0, true},
		"Mon, 01 Mar 2027 12:00:00 GMT":  {24 * time.Hour, true},
		"":                               {0, false},
		"-1":                             {0, false},
		"+1":                             {0, false},
		"1.5":                            {0, false},
		"1e9":                            {0, false},
		"soon":                           {0, false},
		"1, 2":                           {0, false},
	} {
		wait, ok := webhook.ParseRetryAfter(value, now)
		if wait != c.want || ok != c.ok {
			t.Errorf("%q: got %s %v, want %s %v", value, wait, ok, c.want, c.ok)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"120", "Sun, 01 Mar 2026 12:00:30 GMT", "-1", "9e9"} {
		f.Add(value)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		wait, ok := webhook.ParseRetryAfter(value, now)
		if wait < 0 || wait > webhook.MaxRetryAfter || !ok && wait != 0 {
			t.Errorf("%q: got %s %v", value, wait, ok)
		}
	})
}

func FuzzParseSchedule(f *testing.F) {
	f.Add("5s,5m,30m,2h,5h,10h,14h,20h,24h")
	f.Add("1h0m0.5s")
	f.Fuzz(func(t *testing.T, text string) {
		schedule, err := webhook.ParseSchedule(text)
		if err != nil {
			return
		}
		again, err := webhook.ParseSchedule(schedule.String())
		if err != nil {
			t.Fatalf("%q is written %q, which cannot be read: %v", text, schedule, err)
		}
		if diff := cmp.Diff(waits(schedule), waits(again)); diff != "" {
			t.Errorf("%q changes when it is read again:\n%s", text, diff)
		}
	})
}
