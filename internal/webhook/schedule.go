package webhook

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

const (
	maxSteps = 50
	maxWait  = 7 * 24 * time.Hour
)

// Schedule is the waits between the attempts of one delivery. Its zero value has none: one attempt and no more.
type Schedule struct {
	waits []time.Duration
}

// DefaultSchedule is 5s,5m,30m,2h,5h,10h,14h,20h,24h: ten attempts in some three days, the example of Standard
// Webhooks 1.0.0.
func DefaultSchedule() Schedule {
	return Schedule{waits: []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
		10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}}
}

// ParseSchedule reads a comma list of 1 to 50 Go durations, each above zero and at most 7 days.
func ParseSchedule(text string) (Schedule, error) {
	if strings.TrimSpace(text) == "" {
		return Schedule{}, errors.New("parse retry schedule: it is empty, it must look like 5s,5m,30m")
	}
	parts := strings.Split(text, ",")
	if len(parts) > maxSteps {
		return Schedule{}, fmt.Errorf("parse retry schedule: it has %d waits, at most %d may be", len(parts), maxSteps)
	}
	waits := make([]time.Duration, len(parts))
	for i, part := range parts {
		wait, err := time.ParseDuration(strings.TrimSpace(part))
		if err != nil {
			return Schedule{}, fmt.Errorf("parse retry schedule: wait %d: %w", i+1, err)
		}
		if wait <= 0 || wait > maxWait {
			return Schedule{}, fmt.Errorf("parse retry schedule: wait %d is %s, it must be above zero and at most %s",
				i+1, wait, maxWait)
		}
		waits[i] = wait
	}
	return Schedule{waits: waits}, nil
}

// String writes the schedule as ParseSchedule reads it.
func (s Schedule) String() string {
	parts := make([]string, len(s.waits))
	for i, wait := range s.waits {
		parts[i] = shortDuration(wait)
	}
	return strings.Join(parts, ",")
}

// shortDuration leaves out the zero units that time.Duration writes: 5m, not 5m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}

// Len is the number of waits: one less than the number of attempts.
func (s Schedule) Len() int { return len(s.waits) }

// Total is how long the schedule lasts.
func (s Schedule) Total() time.Duration {
	var total time.Duration
	for _, wait := range s.waits {
		total += wait
	}
	return total
}

// Wait returns the wait after attempt step+1 has failed; step counts from 0. ok is false when the schedule is used up.
//
// The scheduled wait is spread by jitter, a part of it between 0 and 1 (0.2 is ±20 %), with random in [0,1). A
// receiver's retryAfter makes it longer, never shorter, and counts for at most MaxRetryAfter.
func (s Schedule) Wait(step int, retryAfter time.Duration, jitter, random float64) (wait time.Duration, ok bool) {
	if step < 0 || step >= len(s.waits) {
		return 0, false
	}
	wait = time.Duration(float64(s.waits[step]) * (1 + fraction(jitter)*(2*fraction(random)-1)))
	return max(wait, clampRetryAfter(retryAfter)), true
}

// fraction brings x into [0,1]; not a number is 0.
func fraction(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return min(max(x, 0), 1)
}
