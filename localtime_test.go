package busbar_test

import (
	"fmt"
	"testing"
	"time"

	"busbar"
)

func TestLocalTimeOverClockChanges(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ zone, wall, want string }{
		{"Europe/Berlin", "2026-01-15T12:00:00", "2026-01-15T11:00:00Z"},
		{"Europe/Berlin", "2026-07-15T12:00:00", "2026-07-15T10:00:00Z"},
		// The night in which clocks go forward: 02:00 to 03:00 does not exist.
		{"Europe/Berlin", "2026-03-29T01:59:59", "2026-03-29T00:59:59Z"},
		{"Europe/Berlin", "2026-03-29T02:00:00", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-03-29T02:30:00", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-03-29T02:59:59", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-03-29T03:00:00", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-03-29T03:30:00", "2026-03-29T01:30:00Z"},
		// The night in which they go back: 02:00 to 03:00 exists twice.
		{"Europe/Berlin", "2026-10-25T01:59:59", "2026-10-24T23:59:59Z"},
		{"Europe/Berlin", "2026-10-25T02:00:00", "2026-10-25T00:00:00Z"},
		{"Europe/Berlin", "2026-10-25T02:30:00", "2026-10-25T00:30:00Z"},
		{"Europe/Berlin", "2026-10-25T02:59:59", "2026-10-25T00:59:59Z"},
		{"Europe/Berlin", "2026-10-25T03:00:00", "2026-10-25T02:00:00Z"},

		{"Europe/London", "2026-03-29T00:59:59", "2026-03-29T00:59:59Z"},
		{"Europe/London", "2026-03-29T01:30:00", "2026-03-29T01:00:00Z"},
		{"Europe/London", "2026-03-29T02:30:00", "2026-03-29T01:30:00Z"},
		{"Europe/London", "2026-10-25T01:30:00", "2026-10-25T00:30:00Z"},
		{"Europe/London", "2026-10-25T02:30:00", "2026-10-25T02:30:00Z"},

		{"America/New_York", "2026-03-08T01:59:59", "2026-03-08T06:59:59Z"},
		{"America/New_York", "2026-03-08T02:30:00", "2026-03-08T07:00:00Z"},
		{"America/New_York", "2026-03-08T03:30:00", "2026-03-08T07:30:00Z"},
		{"America/New_York", "2026-11-01T01:30:00", "2026-11-01T05:30:00Z"},
		{"America/New_York", "2026-11-01T02:30:00", "2026-11-01T07:30:00Z"},

		{"UTC", "2026-03-29T02:30:00", "2026-03-29T02:30:00Z"},
		// Half an hour, and a whole day that was left out.
		{"Australia/Lord_Howe", "2026-10-04T02:15:00", "2026-10-03T15:30:00Z"},
		{"Australia/Lord_Howe", "2026-04-05T01:45:00", "2026-04-04T14:45:00Z"},
		{"Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T10:00:00Z"},
	} {
		got, err := busbar.LocalTime(tc.wall, zone(t, tc.zone))
		if err != nil || got.Format(time.RFC3339) != tc.want {
			t.Errorf("%s in %s: %s, %v; want %s", tc.wall, tc.zone, got.Format(time.RFC3339), err, tc.want)
		}
	}
}

// Whatever the wall shows: the first moment at which a clock of the zone shows that, or when none does, the first at which
// it shows more.
func TestLocalTimeIsTheFirstMomentThatShowsIt(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string][]string{
		"Europe/Berlin":       {"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"},
		"Europe/London":       {"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"},
		"America/New_York":    {"2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"},
		"Australia/Lord_Howe": {"2026-10-03T15:30:00Z", "2026-04-04T15:00:00Z"},
	} {
		loc := zone(t, name)
		for _, text := range changes {
			change, err := time.Parse(time.RFC3339, text)
			if err != nil {
				t.Fatal(err)
			}
			// What clocks show, minute by minute, from well before the change to well after it.
			shown := map[string]time.Time{}
			var walls []string
			for m := -300; m <= 300; m++ {
				at := change.Add(time.Duration(m) * time.Minute)
				wall := at.In(loc).Format(busbar.LocalTimeLayout)
				if _, ok := shown[wall]; !ok {
					shown[wall] = at
					walls = append(walls, wall)
				}
			}
			first, err := time.Parse(busbar.LocalTimeLayout, walls[0])
			if err != nil {
				t.Fatal(err)
			}
			for m := range 480 {
				wall := first.Add(time.Duration(m) * time.Minute).Format(busbar.LocalTimeLayout)
				want, exists := shown[wall]
				if !exists {
					want = change
				}
				got, err := busbar.LocalTime(wall, loc)
				if err != nil || !got.Equal(want) {
					t.Errorf("%s in %s: %v, %v; want %v", wall, name, got, err, want)
				}
			}
		}
	}
}

func TestLocalTimeRefusesOtherForms(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "tomorrow", "2026-06-01", "2026-06-01 10:30:00", "2026-06-01T10:30", "2026-06-01T10:30:00Z", "2026-06-01T10:30:00+02:00",
		"2026-06-01T10:30:00.5", "2026-06-01T1:30:00", "2026-02-30T10:30:00", "2026-06-01T24:00:00", "2026-06-01T10:60:00",
	} {
		if got, err := busbar.LocalTime(text, time.UTC); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestParseTimeIsStrict(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-06-01T10:30:00Z":           "2026-06-01T10:30:00Z",
		"2026-06-01T10:30:00.25+02:00":   "2026-06-01T08:30:00.25Z",
		"2026-06-01T10:30:00":            "",
		"2026-06-01T1:30:00Z":            "",
		"2026-06-01T10:30:00,5Z":         "",
		"2026-06-01T10:30:00+24:00":      "",
		"2026-06-31T10:30:00Z":           "",
		"2026-06-01t10:30:00z":           "",
		"12026-06-01T10:30:00Z":          "",
		"2026-06-01T10:30:00Z 2026-06-0": "",
	} {
		at, ok := busbar.ParseTime(text)
		got := ""
		if ok {
			got = at.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%q is read as %q, want %q", text, got, want)
		}
	}
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(fmt.Errorf("the tests need the zone %s: %w", name, err))
	}
	return loc
}
