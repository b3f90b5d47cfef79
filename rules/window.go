package rules

import (
	"fmt"
	"slices"
	"time"
)

// Window is a part of the days on a site's wall clock: from inclusive, to exclusive. One that crosses midnight belongs
// to the day on which it begins.
type Window struct {
	// From and To are minutes since midnight; they differ.
	From, To int
	// Days are those on which it begins; empty is all.
	Days []time.Weekday
	// Location is the zone when it is not the site's.
	Location *time.Location
}

// Contains reports whether a time, shown on the clock of its location, lies in the window.
func (w *Window) Contains(t time.Time) bool {
	if w.Location != nil {
		t = t.In(w.Location)
	}
	minute := t.Hour()*60 + t.Minute()
	if w.From < w.To {
		return minute >= w.From && minute < w.To && w.on(t.Weekday())
	}
	if minute >= w.From {
		return w.on(t.Weekday())
	}
	return minute < w.To && w.on((t.Weekday()+6)%7)
}

func (w *Window) on(d time.Weekday) bool { return len(w.Days) == 0 || slices.Contains(w.Days, d) }

// parseClock reads hh:mm as minutes since midnight.
func parseClock(s string) (int, error) {
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, fmt.Errorf("%q is not a time of day as 08:00", s)
	}
	return t.Hour()*60 + t.Minute(), nil
}
