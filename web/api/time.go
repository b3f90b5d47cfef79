package api

import (
	"fmt"
	"time"
)

// Time is written as RFC 3339 in UTC with exactly milliseconds.
type Time time.Time

const timeLayout = "2006-01-02T15:04:05.000Z"

// MarshalJSON writes the time.
func (t Time) MarshalJSON() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, `"`+timeLayout+`"`), nil
}

// UnmarshalJSON reads a time back, for code that reads an answer.
func (t *Time) UnmarshalJSON(b []byte) error {
	var read time.Time
	if err := read.UnmarshalJSON(b); err != nil {
		return fmt.Errorf("read time: %w", err)
	}
	*t = Time(read)
	return nil
}

// IsZero reports whether there is no time, for omitzero.
func (t Time) IsZero() bool { return time.Time(t).IsZero() }

// milliseconds are what durations are counted in.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
