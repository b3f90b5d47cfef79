package simulator_test

import (
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/simulator"
)

func TestHomeSettlesAndLives(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fake) {
		f.run(t)
		pass(t, 5*time.Second)
		f.with(func() {
			if f.site["id"] != "sim_home" || f.site["timezone"] != "Europe/Berlin" || f.site["latitude"] == nil {
				t.Errorf("site = %v", f.site)
			}
			types := map[busbar.DeviceID]any{}
			for id, d := range f.devices {
				types[id] = d.created["type"]
				if d.created["siteId"] != "sim_home" || !cmp.Equal(d.created["driver"], any(map[string]any{"kind": "simulator"})) {
					t.Errorf("%s was created with %v", id, d.created)
				}
				if !slices.Equal(d.connection, []string{"connected"}) {
					t.Errorf("%s was connected as %v", id, d.connection)
				}
				if len(d.state) != len(busbar.Family(d.created["type"].(string)).Spec().Fields) {
					t.Errorf("%s reports %v", id, d.state)
				}
			}
			want := map[busbar.DeviceID]any{
				"sim_battery": "battery", "sim_charger": "ev_charger", "sim_vehicle": "vehicle",
				"sim_hvac": "hvac", "sim_solar": "solar_inverter", "sim_meter": "meter",
			}
			if diff := cmp.Diff(want, types); diff != "" {
				t.Errorf("devices (-want +got):\n%s", diff)
			}
		})
		if f.is(simulator.Solar, "currentPower") != 0.0 {
			t.Error("the first minutes are not dark")
		}
		// Two simulated days: the sun has shone, the car was away, nothing was reported too often or not at all.
		begin := time.Now()
		pass(t, 48*time.Minute)
		sun, away := 0.0, false
		for _, r := range f.of(simulator.Solar, begin) {
			sun = max(sun, r.State["currentPower"].(float64))
		}
		for _, r := range f.of(simulator.Vehicle, begin) {
			away = away || r.State["atHome"] == false
		}
		if sun < 0.5 || !away {
			t.Errorf("in two days the sun gave %v kW and the car was away: %v", sun, away)
		}
		for id := range f.devices {
			readings := f.of(id, begin)
			if n := len(readings); n < 48 || n > 48*12 {
				t.Errorf("%s reported %d times in 48 minutes", id, n)
			}
			for i, r := range readings {
				if i > 0 && r.at.Sub(readings[i-1].at) > 61*time.Second {
					t.Errorf("%s was silent for %s", id, r.at.Sub(readings[i-1].at))
				}
				if r.at.Sub(r.ObservedAt).Abs() > 2*time.Millisecond {
					t.Errorf("%s observed at %s what it reports at %s", id, r.ObservedAt, r.at)
				}
			}
		}
	})
}

func TestCommandIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fake) {
		f.run(t)
		pass(t, 5*time.Second)
		for range 3 { // act_other and these are on pages of their own
			f.push("act_elsewhere", "another_device", "idle", nil)
		}
		a := f.push("act_1", simulator.Battery, "charge", map[string]busbar.Quantity{"power": {Value: 2, Unit: "kw"}})
		began := time.Now()
		pass(t, 3*time.Second)
		f.with(func() {
			if len(a.results) != 1 || !a.results[0].Success || a.results[0].Message == "" || a.results[0].ErrorCode != "" {
				t.Errorf("results = %+v", a.results)
			}
			if took := a.resultAt.Sub(began); took > 400*time.Millisecond {
				t.Errorf("the result took %s", took)
			}
		})
		if f.is(simulator.Battery, "currentMode") != "charge" || f.is(simulator.Battery, "chargeRate") != 2.0 {
			t.Errorf("the battery reports %v at %v kW", f.is(simulator.Battery, "currentMode"), f.is(simulator.Battery, "chargeRate"))
		}

		// Another command comes, and the old one is asked for once more, as after a result that was lost: it is answered
		// again but not carried out again.
		f.push("act_2", simulator.Battery, "idle", nil)
		pass(t, time.Second)
		f.with(func() { a.stays = true })
		pass(t, 12*time.Second)
		if got := f.is(simulator.Battery, "currentMode"); got != "idle" {
			t.Errorf("an old command was carried out again: %v", got)
		}
		f.with(func() {
			if n := len(a.results); n < 2 || n > 4 {
				t.Errorf("%d results of a command that is asked for again", n)
			}
		})
	})
}

func TestCommandThatCannotBe(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fake) {
		f.run(t)
		a := f.push("act_1", simulator.HVAC, "heat", nil)
		b := f.push("act_2", simulator.Meter, "idle", nil)
		pass(t, 5*time.Second)
		f.with(func() {
			if len(a.results) != 1 || a.results[0].Success || a.results[0].ErrorCode != "VALIDATION_FAILED" || a.results[0].Message == "" {
				t.Errorf("heating to nothing: %+v", a.results)
			}
			if len(b.results) != 1 || b.results[0].Success || b.results[0].ErrorCode != "DIRECT_ACTION_UNSUPPORTED" {
				t.Errorf("a meter that idles: %+v", b.results)
			}
		})
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const lasts = time.Minute
	for name, test := range map[string]func(t *testing.T, f *fake){
		"offline": func(t *testing.T, f *fake) {
			f.misbehave(simulator.Battery, busbar.FaultOffline, lasts, 0)
			a := f.push("act_1", simulator.Battery, "idle", nil)
			f.with(func() { f.actions = nil }) // the driver refuses, so nothing is asked for
			pass(t, 3*time.Second)
			since := time.Now()
			pass(t, lasts-5*time.Second)
			if n := len(f.of(simulator.Battery, since)); n != 0 {
				t.Errorf("an offline device has reported %d times", n)
			}
			if len(f.of(simulator.Meter, since)) == 0 {
				t.Error("the others are silent, too")
			}
			f.with(func() { f.actions = append(f.actions, a) })
			pass(t, time.Second)
			f.with(func() {
				if len(a.results) != 0 {
					t.Errorf("an offline device has answered %+v", a.results)
				}
			})
			pass(t, 10*time.Second)
			f.with(func() {
				if got := f.devices[simulator.Battery].connection; !slices.Equal(got, []string{"connected", "disconnected", "connected"}) {
					t.Errorf("connection went %v", got)
				}
				if len(a.results) != 1 || !a.results[0].Success {
					t.Errorf("back again, it has answered %+v", a.results)
				}
			})
			if len(f.of(simulator.Battery, since)) == 0 {
				t.Error("it does not report again")
			}
		},
		"slow": func(t *testing.T, f *fake) {
			f.misbehave(simulator.Battery, busbar.FaultSlow, lasts, 20*time.Second)
			pass(t, 2*time.Second)
			began := time.Now()
			a := f.push("act_1", simulator.Battery, "idle", nil)
			pass(t, 25*time.Second)
			f.with(func() {
				if took := a.resultAt.Sub(began); len(a.results) != 1 || took < 20*time.Second || took > 21*time.Second {
					t.Errorf("%d results, after %s", len(a.results), took)
				}
			})
		},
		"refuse": func(t *testing.T, f *fake) {
			f.misbehave(simulator.Battery, busbar.FaultRefuse, lasts, 0)
			pass(t, 2*time.Second)
			a := f.push("act_1", simulator.Battery, "idle", nil)
			pass(t, 2*time.Second)
			f.with(func() {
				if len(a.results) != 1 || a.results[0].Success || a.results[0].ErrorCode != "REFUSED" {
					t.Errorf("results = %+v", a.results)
				}
			})
			if got := f.is(simulator.Battery, "currentMode"); got != "auto.balanced" {
				t.Errorf("it refused and did it: %v", got)
			}
		},
		"revert": func(t *testing.T, f *fake) {
			f.misbehave(simulator.Battery, busbar.FaultRevert, lasts, 0)
			pass(t, 2*time.Second)
			a := f.push("act_1", simulator.Battery, "idle", nil)
			pass(t, 3*time.Second)
			f.with(func() {
				if len(a.results) != 1 || !a.results[0].Success {
					t.Errorf("results = %+v", a.results)
				}
			})
			if got := f.is(simulator.Battery, "currentMode"); got != "idle" {
				t.Errorf("it confirmed and did not do it: %v", got)
			}
			pass(t, 12*time.Second)
			if got := f.is(simulator.Battery, "currentMode"); got != "auto.balanced" {
				t.Errorf("it has not gone back: %v", got)
			}
		},
		"duplicate": func(t *testing.T, f *fake) {
			f.misbehave(simulator.Battery, busbar.FaultDuplicate, lasts, 0)
			pass(t, 2*time.Second)
			since := time.Now()
			a := f.push("act_1", simulator.Battery, "idle", nil)
			f.with(func() { a.stays = true })
			pass(t, 3*time.Second)
			f.with(func() {
				if len(a.results) != 2 || a.results[0] != a.results[1] {
					t.Errorf("results = %+v", a.results)
				}
			})
			r := f.of(simulator.Battery, since)
			if len(r) < 2 || len(r)%2 != 0 || !cmp.Equal(r[0].State, r[1].State) || !r[0].ObservedAt.Equal(r[1].ObservedAt) {
				t.Errorf("readings = %+v", r)
			}
		},
		"late": func(t *testing.T, f *fake) {
			f.misbehave(simulator.Meter, busbar.FaultLate, 5*lasts, 0)
			pass(t, 2*time.Second)
			since := time.Now()
			pass(t, 4*lasts)
			late := 0
			readings := f.of(simulator.Meter, since)
			for i := 1; i < len(readings); i++ {
				if readings[i].ObservedAt.Before(readings[i-1].ObservedAt) {
					late++
				}
			}
			if late < 2 || len(readings) != 2*late && len(readings) != 2*late+1 {
				t.Errorf("%d of %d readings came late", late, len(readings))
			}
		},
		"missing field": func(t *testing.T, f *fake) {
			f.misbehave(simulator.Battery, busbar.FaultMissingField, lasts, 0)
			pass(t, 2*time.Second)
			since := time.Now()
			pass(t, lasts-3*time.Second)
			readings := f.of(simulator.Battery, since)
			for _, r := range readings {
				if _, has := r.State["level"]; has || len(r.State) != 6 {
					t.Errorf("reading = %v", slices.Sorted(maps.Keys(r.State)))
				}
			}
			if len(readings) == 0 {
				t.Error("it does not report")
			}
			since = time.Now().Add(5 * time.Second)
			pass(t, 2*time.Minute)
			if r := f.of(simulator.Battery, since); len(r) == 0 || r[0].State["level"] == nil {
				t.Errorf("when the fault is over it reports %+v", r)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, f *fake) {
				f.run(t)
				pass(t, 5*time.Second)
				test(t, f)
			})
		})
	}
}

// A home that starts again goes on where it was: what is stored, and its clock.
func TestHomeStartsAgain(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, f *fake) {
		stop, _ := f.run(t)
		f.push("act_1", simulator.Battery, "charge", map[string]busbar.Quantity{"target": {Value: 80, Unit: "percent"}})
		pass(t, 3*time.Minute)
		f.push("act_2", simulator.Battery, "idle", nil)
		pass(t, 2*time.Second)
		level := f.is(simulator.Battery, "level").(float64)
		total := f.is(simulator.Solar, "energyTotal").(float64)
		stop()
		since := time.Now()
		pass(t, 4*time.Minute)
		if n := len(f.of(simulator.Battery, since)); n != 0 {
			t.Fatalf("a home that was stopped has reported %d times", n)
		}
		f.run(t)
		pass(t, 5*time.Second)
		if got := f.is(simulator.Battery, "level").(float64); math.Abs(got-level) > 0.2 || f.is(simulator.Battery, "currentMode") != "idle" {
			t.Errorf("the battery has %v percent, had %v, and is in %v", got, level, f.is(simulator.Battery, "currentMode"))
		}
		if got := f.is(simulator.Solar, "energyTotal").(float64); got < total {
			t.Errorf("the roof has given %v kWh, had given %v", got, total)
		}
		// A clock that began anew would show the half hour before sunrise.
		if got := f.is(simulator.Solar, "currentPower").(float64); got <= 0 {
			t.Error("it is dark, seven hours after it was")
		}
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := simulator.Config{BaseURL: "http://127.0.0.1:1", Key: key, Speed: 1, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
	for name, spoil := range map[string]func(*simulator.Config){
		"no URL":       func(c *simulator.Config) { c.BaseURL = "" },
		"a path only":  func(c *simulator.Config) { c.BaseURL = "/v1" },
		"no scheme":    func(c *simulator.Config) { c.BaseURL = "localhost:8080" },
		"no key":       func(c *simulator.Config) { c.Key = "" },
		"spaces":       func(c *simulator.Config) { c.Key = "a b" },
		"no speed":     func(c *simulator.Config) { c.Speed = 0 },
		"not a number": func(c *simulator.Config) { c.Speed = math.NaN() },
		"no clock":     func(c *simulator.Config) { c.Now = nil },
		"no logger":    func(c *simulator.Config) { c.Logger = nil },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := simulator.New(cfg); err == nil || strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := simulator.New(good); err != nil {
		t.Error(err)
	}
}
