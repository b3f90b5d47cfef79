package rules_test

import (
	"testing"
	"time"

	"busbar"
	"busbar/rules"
)

// older has the hold be one of the version before.
func older(_ *rules.Snapshot, _ *rules.Standing, e *rules.EdgeState) {
	e.Version, e.Hold.Version = 1, 1
}

// TestEndHold has what may have happened until a hold is due.
func TestEndHold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines []string
		level any
		edit  func(s *rules.Snapshot, rule *rules.Standing, edge *rules.EdgeState)
		want  string
	}{
		"still true":                 {level: 100.0, want: "fired spent"},
		"in shadow":                  {lines: []string{"mode: shadow"}, level: 100.0, want: "shadowed spent"},
		"false, though nothing told": {level: 98.0, want: "hold_broken armed"},
		"unknown":                    {level: nil, want: "unknown armed"},
		"unknown within grace":       {lines: []string{"grace: 1m"}, level: nil, want: "holding running"},
		"outside the window":         {lines: []string{`window: {from: "13:00", to: "14:00"}`}, level: 100.0, want: "outside_window armed"},
		"broken and begun again":     {level: 100.0, edit: func(_ *rules.Snapshot, _ *rules.Standing, e *rules.EdgeState) { e.Hold.ID = "hold_2" }, want: "superseded running"},
		"broken":                     {level: 100.0, edit: func(_ *rules.Snapshot, _ *rules.Standing, e *rules.EdgeState) { e.Hold = nil }, want: "superseded armed"},
		"edited":                     {level: 100.0, edit: older, want: "holding running"},
		"edited, and not known":      {level: nil, edit: older, want: "holding running"},
		"edited, and false":          {level: 50.0, edit: older, want: "superseded armed"},
		"edited and stopped":         {level: 100.0, edit: func(s *rules.Snapshot, _ *rules.Standing, e *rules.EdgeState) { s.Stopped, e.Hold.Version = true, 1 }, want: "superseded armed"},
		"stopped":                    {level: 100.0, edit: func(s *rules.Snapshot, _ *rules.Standing, _ *rules.EdgeState) { s.Stopped = true }, want: "superseded armed"},
		"paused":                     {level: 100.0, edit: func(_ *rules.Snapshot, r *rules.Standing, _ *rules.EdgeState) { r.Paused = true }, want: "superseded armed"},
		"too early":                  {level: 100.0, edit: func(_ *rules.Snapshot, _ *rules.Standing, e *rules.EdgeState) { e.Hold.Due = noon.Add(time.Second) }, want: "holding running"},
		"another rule fired meanwhile": {level: 100.0, edit: func(s *rules.Snapshot, _ *rules.Standing, _ *rules.EdgeState) {
			s.Open = map[busbar.DeviceID]rules.OpenAction{"dev_charger1": {ActionID: "act_1", RuleID: "other", Priority: 70}}
		}, want: "held running"},
		"cooldown since another firing":  {lines: []string{"cooldown: 1h"}, level: 100.0, edit: func(_ *rules.Snapshot, _ *rules.Standing, e *rules.EdgeState) { e.FiredAt = noon.Add(-time.Minute) }, want: "cooldown spent"},
		"a condition that cannot be had": {lines: []string{"if: event.data.state > 5"}, level: 100.0, want: "error spent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, e := moment(t, situation{level: c.level, previous: 98.0})
			rule := &rules.Standing{Compiled: compiled(t, append([]string{"for: 10m"}, c.lines...)...), ID: "rule_1", Version: 2, Keys: map[string]rules.EdgeState{}}
			edge := edges["due"](noon)
			if c.edit != nil {
				c.edit(s, rule, &edge)
			}
			rule.Keys["device:dev_battery"] = edge
			s.Rules = []*rules.Standing{rule}
			run, err := rules.EndHold(s, rule, "device:dev_battery", "hold_1", e, noon)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(run.Decision) + " " + edgeName(run.After); got != c.want {
				t.Errorf("%s, want %s (%+v)", got, c.want, run)
			}
		})
	}
}

func TestOpenWindow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines []string
		level any
		edge  string
		want  string
	}{
		"true and armed":           {level: 100.0, edge: "armed", want: "fired spent"},
		"true and spent":           {level: 100.0, edge: "spent", want: "already_true spent"},
		"false":                    {level: 50.0, edge: "spent", want: "false armed"},
		"unknown":                  {level: nil, edge: "armed", want: "unknown armed"},
		"edited since":             {level: 100.0, edge: "edited armed", want: "first_sight spent"},
		"a hold is not waited for": {lines: []string{"for: 10m"}, level: 100.0, edge: "armed", want: "fired spent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := moment(t, situation{level: c.level, previous: 98.0})
			lines := append([]string{`window: {from: "12:00", to: "14:00"}`}, c.lines...)
			rule := &rules.Standing{Compiled: compiled(t, lines...), ID: "rule_1", Version: 2, Keys: map[string]rules.EdgeState{"device:dev_battery": edges[c.edge](noon)}}
			run := rules.OpenWindow(s, rule, "device:dev_battery", s.Devices[0], noon)
			if got := string(run.Decision) + " " + edgeName(run.After); got != c.want || run.Trigger != rules.TriggerWindow {
				t.Errorf("%s, want %s (%+v)", got, c.want, run)
			}
		})
	}
}

func TestNextOpening(t *testing.T) {
	t.Parallel()
	loc := berlin(t)
	for name, c := range map[string]struct{ window, after, want string }{
		"later today":                {`{from: "20:00", to: "22:00"}`, "2026-06-01T12:00:00", "2026-06-01T20:00:00+02:00"},
		"at the opening":             {`{from: "20:00", to: "22:00"}`, "2026-06-01T20:00:00", "2026-06-02T20:00:00+02:00"},
		"on the next of its days":    {`{from: "20:00", to: "22:00", days: [mon]}`, "2026-06-01T20:00:00", "2026-06-08T20:00:00+02:00"},
		"an opening that is skipped": {`{from: "02:30", to: "04:00"}`, "2026-03-28T12:00:00", "2026-03-29T03:00:00+02:00"},
		"an opening that is doubled": {`{from: "02:30", to: "04:00"}`, "2026-10-24T12:00:00", "2026-10-25T02:30:00+02:00"},
		"after the doubled one":      {`{from: "02:30", to: "04:00"}`, "2026-10-25T02:45:00", "2026-10-26T02:30:00+01:00"},
		"in a zone of its own":       {`{from: "08:00", to: "09:00", timezone: America/New_York}`, "2026-06-01T12:00:00", "2026-06-01T14:00:00+02:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after, err := busbar.LocalTime(c.after, loc)
			if err != nil {
				t.Fatal(err)
			}
			got := compiled(t, "window: "+c.window).NextOpening(after, loc)
			if text := got.In(loc).Format(time.RFC3339); text != c.want {
				t.Errorf("%s, want %s", text, c.want)
			}
		})
	}
}

// TestSun compares with almanacs, to two minutes.
func TestSun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		zone                string
		latitude, longitude float64
		at                  time.Time
		rise, set           string
	}{
		"Berlin in June":     {"Europe/Berlin", 52.52, 13.405, time.Date(2026, 6, 21, 10, 0, 0, 0, time.UTC), "04:43", "21:33"},
		"Berlin in December": {"Europe/Berlin", 52.52, 13.405, time.Date(2026, 12, 21, 10, 0, 0, 0, time.UTC), "08:15", "15:54"},
		"Sydney in June":     {"Australia/Sydney", -33.87, 151.21, time.Date(2026, 6, 21, 2, 0, 0, 0, time.UTC), "07:00", "16:54"},
		"Tromsø in June":     {"Europe/Oslo", 69.65, 18.96, time.Date(2026, 6, 21, 10, 0, 0, 0, time.UTC), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := home(t)
			loc, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			in.Site.Latitude, in.Site.Longitude, in.Location, in.At = &c.latitude, &c.longitude, loc, c.at
			for source, want := range map[string]string{"sunrise()": c.rise, "sunset()": c.set} {
				got, _ := rules.Evaluate(source, busbar.Battery, in)
				if want == "" {
					if !got.Unknown {
						t.Errorf("%s = %v, want unknown", source, got.Value)
					}
					continue
				}
				text, _ := got.Value.(string)
				at, err := time.Parse(time.RFC3339, text)
				if err != nil {
					t.Fatal(err)
				}
				expected, err := time.ParseInLocation("2006-01-02 15:04", c.at.In(loc).Format("2006-01-02 ")+want, loc)
				if err != nil {
					t.Fatal(err)
				}
				if off := at.Sub(expected).Abs(); off > 2*time.Minute {
					t.Errorf("%s = %s, want %s", source, text, want)
				}
			}
		})
	}
}

// In a simulated home the sun follows the clock there: what is hours away in it comes in minutes.
func TestSunOfASimulatedHome(t *testing.T) {
	t.Parallel()
	in := home(t)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	latitude, longitude := 52.52, 13.405
	in.Site.Latitude, in.Site.Longitude, in.Location = &latitude, &longitude, berlin
	// It is midnight of the longest day there, and the real day is one in winter.
	in.At = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	in.Clock = rules.Clock{Origin: in.At.Add(-24 * time.Minute), Start: time.Date(2026, 6, 20, 0, 0, 0, 0, berlin), Speed: 60}
	rise, err := time.ParseInLocation("15:04", "04:43", berlin)
	if err != nil {
		t.Fatal(err)
	}
	want := in.At.Add(time.Duration(rise.Hour()*60+rise.Minute()) * time.Second)
	got, diagnostics := rules.Evaluate("sunrise()", busbar.Battery, in)
	if len(diagnostics) > 0 || got.Unknown {
		t.Fatalf("%+v, %v", got, diagnostics)
	}
	at, err := time.Parse(time.RFC3339, got.Value.(string)) //nolint:forcetypeassert // a time is shown as text
	if err != nil || at.Sub(want).Abs() > 3*time.Second {
		t.Errorf("sunrise() = %v, %v, want about %s", got.Value, err, want.Format(time.RFC3339))
	}
	if got, _ := rules.Evaluate("now < sunrise()", busbar.Battery, in); got.Value != true {
		t.Errorf("now < sunrise() is %v", got.Value)
	}
}
