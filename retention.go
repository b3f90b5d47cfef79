package busbar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// DefaultRetention is how long an environment's history is kept for which nobody says how long.
const DefaultRetention = 30 * 24 * time.Hour

// minRetention leaves every delivery time to come to its end and clients time to look.
const minRetention = time.Hour

// Retention is how long the history of each environment is kept: events with their deliveries and attempts, runs, readings,
// and the actions and jobs that have ended. The zero value keeps everything for DefaultRetention.
type Retention struct {
	named map[Environment]time.Duration
}

// ParseRetention reads one duration for all environments, as `720h`, or durations by name, as `sandbox=168h,live=2160h`; what
// is not named has DefaultRetention.
func ParseRetention(text string) (Retention, error) {
	parts := strings.Split(text, ",")
	r := Retention{named: make(map[Environment]time.Duration, len(parts))}
	if len(parts) == 1 && !strings.Contains(text, "=") {
		d, err := parseKept(text)
		if err != nil {
			return Retention{}, err
		}
		for _, env := range Environments() {
			r.named[env] = d
		}
		return r, nil
	}
	for _, part := range parts {
		name, value, named := strings.Cut(part, "=")
		if !named {
			return Retention{}, fmt.Errorf("%q names no environment: %w", part, errRetentionForm)
		}
		env, err := ParseEnvironment(strings.TrimSpace(name))
		if err != nil {
			return Retention{}, err
		}
		if _, twice := r.named[env]; twice {
			return Retention{}, fmt.Errorf("%s is named twice: leave one of them out", env)
		}
		if r.named[env], err = parseKept(value); err != nil {
			return Retention{}, fmt.Errorf("%s: %w", env, err)
		}
	}
	return r, nil
}

var errRetentionForm = errors.New("it must be one duration, as 720h, or one for each environment, as sandbox=168h,live=2160h")

func parseKept(text string) (time.Duration, error) {
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		return 0, fmt.Errorf("%q is no duration: %w", text, errRetentionForm)
	}
	if d < minRetention {
		return 0, fmt.Errorf("%s is too short: it must be at least %s", d, minRetention)
	}
	return d, nil
}

// UnmarshalText is ParseRetention for flags.
func (r *Retention) UnmarshalText(text []byte) error {
	parsed, err := ParseRetention(string(text))
	if err != nil {
		return err
	}
	*r = parsed
	return nil
}

// Of is how long the history of an environment is kept.
func (r Retention) Of(env Environment) time.Duration {
	if d, named := r.named[env]; named {
		return d
	}
	return DefaultRetention
}

// Longest is how long the history is kept that is kept for longest.
func (r Retention) Longest() time.Duration {
	all := make([]time.Duration, 0, len(Environments()))
	for _, env := range Environments() {
		all = append(all, r.Of(env))
	}
	return slices.Max(all)
}
