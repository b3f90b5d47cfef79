package simulator_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"busbar"
	"busbar/internal/simulator"
)

// Busbar is away, refuses, is busy: the home keeps trying, slowly and with one line, and goes on afterwards.
func TestTrouble(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status         int
		code           string
		line           string
		most, recovers time.Duration
	}{
		"away":    {http.StatusBadGateway, "", "cannot reach Busbar", 60, 20 * time.Second},
		"busy":    {http.StatusTooManyRequests, "RATE_LIMIT_EXCEEDED", "cannot reach Busbar", 60, 20 * time.Second},
		"revoked": {http.StatusUnauthorized, "INVALID_API_KEY", "API key is refused", 20, 31 * time.Second},
		"scopes":  {http.StatusForbidden, "INSUFFICIENT_PERMISSIONS", "API key is refused", 20, 31 * time.Second},
	} {
		for _, from := range []string{"the start", "later"} {
			t.Run(name+" from "+from, func(t *testing.T) {
				t.Parallel()
				bubble(t, func(t *testing.T, f *fake) {
					trouble := func(*http.Request) (int, string) { return c.status, c.code }
					if from == "the start" {
						f.trouble = trouble
					}
					_, lines := f.run(t)
					pass(t, 5*time.Second)
					var before int
					f.with(func() { f.trouble, before = trouble, f.requests })
					pass(t, 3*time.Minute)
					f.with(func() {
						if n := f.requests - before; n == 0 || n > int(c.most) {
							t.Errorf("it asked %d times in 3 minutes", n)
						}
						f.trouble = nil
					})
					a := f.push("act_1", simulator.Battery, "idle", nil)
					pass(t, c.recovers)
					f.with(func() {
						if len(a.results) != 1 {
							t.Errorf("afterwards it has answered a command %d times", len(a.results))
						}
					})
					if n := strings.Count(lines.String(), c.line); n != 1 {
						t.Errorf("%d lines say %q:\n%s", n, c.line, lines)
					}
					if strings.Contains(lines.String(), key) {
						t.Error("the log shows the key")
					}
				})
			})
		}
	}
}

// A result that does not arrive is reported again; the command is not carried out again.
func TestResultIsReportedUntilItArrives(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fake) {
		f.run(t)
		pass(t, 5*time.Second)
		f.with(func() {
			f.trouble = func(r *http.Request) (int, string) {
				if strings.HasSuffix(r.URL.Path, "/result") {
					return http.StatusServiceUnavailable, "UNAVAILABLE"
				}
				return 0, ""
			}
		})
		a := f.push("act_1", simulator.Battery, "idle", nil)
		pass(t, 10*time.Second)
		f.with(func() { f.trouble = nil })
		pass(t, 20*time.Second)
		f.with(func() {
			if len(a.results) != 1 || !a.results[0].Success {
				t.Errorf("results = %+v", a.results)
			}
		})
	})
}

// A result that is not wanted any more, as of an action that was replaced, is dropped.
func TestUnwantedResultIsDropped(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fake) {
		_, lines := f.run(t)
		f.misbehave(simulator.Battery, busbar.FaultSlow, time.Minute, 3*time.Second)
		pass(t, 5*time.Second)
		f.push("act_1", simulator.Battery, "idle", nil)
		pass(t, time.Second)
		f.with(func() { f.actions = nil })
		var before int
		pass(t, 4*time.Second)
		f.with(func() { before = f.requests })
		b := f.push("act_2", simulator.Battery, "auto.export", nil)
		pass(t, 5*time.Second)
		f.with(func() {
			if len(b.results) != 1 {
				t.Errorf("the next one has %d results", len(b.results))
			}
			if n := f.requests - before; n > 60 {
				t.Errorf("%d requests in 5 seconds", n)
			}
		})
		if strings.Contains(lines.String(), "cannot reach") {
			t.Errorf("a dropped result counts as an outage:\n%s", lines)
		}
	})
}

// A Busbar that starts empty gets its home again.
func TestBusbarStartsEmpty(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fake) {
		f.run(t)
		pass(t, 10*time.Second)
		f.with(func() { f.site, f.devices, f.readings = nil, map[busbar.DeviceID]*fakeDevice{}, nil })
		pass(t, 80*time.Second)
		f.with(func() {
			if f.site == nil || len(f.devices) != 6 || len(f.readings) == 0 {
				t.Errorf("it has site %v, %d devices, %d readings", f.site, len(f.devices), len(f.readings))
			}
		})
	})
}

// A device that someone deleted stays away; the others go on.
func TestDeletedDeviceStaysAway(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fake) {
		_, lines := f.run(t)
		pass(t, 10*time.Second)
		f.with(func() { delete(f.devices, simulator.Battery) })
		since := time.Now()
		pass(t, 3*time.Minute)
		f.with(func() {
			if f.devices[simulator.Battery] != nil {
				t.Error("it was created again")
			}
		})
		if len(f.of(simulator.Meter, since)) == 0 {
			t.Error("the others are silent, too")
		}
		if n := strings.Count(lines.String(), "was deleted"); n != 1 {
			t.Errorf("%d lines say so:\n%s", n, lines)
		}
	})
}
