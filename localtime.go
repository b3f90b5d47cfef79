package busbar

import (
	"fmt"
	"regexp"
	"time"
)

// rfc3339 has what Go's own reader leaves open: two digits for the hour, a point before the fraction.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// ParseTime reads RFC 3339 with a zone, strictly; the time is in UTC.
func ParseTime(text string) (t time.Time, ok bool) {
	if !rfc3339.MatchString(text) {
		return time.Time{}, false
	}
	if err := t.UnmarshalText([]byte(text)); err != nil {
		return time.Time{}, false
	}
	return t.UTC(), true
}

// LocalTimeLayout is how site-local times are written: without zone or offset.
const LocalTimeLayout = "2006-01-02T15:04:05"

// LocalTime reads a site's wall clock. A time that a clock change skips means the next one that exists; of a time that
// exists twice it is the first.
func LocalTime(text string, loc *time.Location) (time.Time, error) {
	wall, err := time.Parse(LocalTimeLayout, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a local time as %s: %w", text, LocalTimeLayout, err)
	}
	if len(text) != len(LocalTimeLayout) {
		// Go's reader takes fractions that the layout does not name, and hours of one digit.
		return time.Time{}, fmt.Errorf("%q is not a local time as %s", text, LocalTimeLayout)
	}
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, loc)
	begin, end := t.ZoneBounds()
	switch shown := asUTC(t); {
	case shown.After(wall):
		// Skipped, and read with the offset of before: the change is at the beginning of the zone it fell into.
		return begin.UTC(), nil
	case shown.Before(wall):
		return end.UTC(), nil
	}
	if begin.IsZero() {
		return t.UTC(), nil
	}
	_, before := begin.Add(-time.Second).Zone()
	first := wall.Add(-time.Duration(before) * time.Second)
	if first.Before(begin) {
		return first.UTC(), nil
	}
	return t.UTC(), nil
}

// asUTC is the wall clock of a time, as a time in UTC that can be compared with other wall clocks.
func asUTC(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}
