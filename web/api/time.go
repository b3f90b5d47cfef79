package api

import (
	"regexp"
	"time"
)

// Time is written as RFC 3339 in UTC with exactly milliseconds.
type Time time.Time

const timeLayout = "2006-01-02T15:04:05.000Z"

// MarshalJSON writes the time.
func (t Time) MarshalJSON() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, `"`+timeLayout+`"`), nil
}

// IsZero reports whether there is no time, for omitzero.
func (t Time) IsZero() bool { return time.Time(t).IsZero() }

// rfc3339 has what Go's own reader leaves open: two digits for the hour, a point before the fraction.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// parseTime reads RFC 3339 with a zone, strictly.
func parseTime(text string) (time.Time, bool) {
	if !rfc3339.MatchString(text) {
		return time.Time{}, false
	}
	var t time.Time
	if err := t.UnmarshalText([]byte(text)); err != nil {
		return time.Time{}, false
	}
	return t.UTC(), true
}

// milliseconds are what durations are counted in.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
