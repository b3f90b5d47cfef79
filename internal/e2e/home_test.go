package e2e_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// The resources of a home, as far as the tests look at them.
type (
	device struct {
		ID         string         `json:"id"`
		DeviceType string         `json:"deviceType"`
		Connection string         `json:"connection"`
		State      map[string]any `json:"state"`
	}
	list[T any] struct {
		Items []T `json:"items"`
	}
	homeEvent struct {
		Type string `json:"type"`
		Data struct {
			DeviceID string         `json:"deviceId"`
			State    map[string]any `json:"state"`
		} `json:"data"`
	}
)

// segments is under which path each of the simulated devices is read and pushed.
var segments = map[string]string{
	"sim_battery": "battery", "sim_charger": "ev-charger", "sim_hvac": "hvac",
	"sim_solar": "solar-inverter", "sim_vehicle": "vehicle", "sim_meter": "meter",
}

// newHomeDev is a dev that simulates a day in 24 seconds.
func newHomeDev(t *testing.T) *dev {
	t.Helper()
	d := newDev(t)
	d.args = slices.DeleteFunc(d.args, func(arg string) bool { return arg == "--no-simulate" })
	d.args = append(d.args, "--simulate-speed", "3600")
	return d
}

// awaitHome returns when all devices are connected and report.
func (a *api) awaitHome(t *testing.T) {
	t.Helper()
	for id, segment := range segments {
		await(t, id+" to live", func() bool {
			ans, err := call[device](t.Context(), a, http.MethodGet, "/v1/"+segment+"/"+id, nil)
			return err == nil && ans.Data.Connection == "connected" && len(ans.Data.State) > 0
		})
	}
}

// awaitEvent returns the first webhook that is wanted.
func (s *sink) awaitEvent(what string, wanted func(homeEvent) bool) homeEvent {
	s.t.Helper()
	var found homeEvent
	s.await(what, func(arrivals []arrival) bool {
		for _, a := range arrivals {
			var e homeEvent
			if err := json.Unmarshal(a.body, &e); err != nil {
				s.t.Fatalf("webhook %q: %v", a.body, err)
			}
			if wanted(e) {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

// With an empty directory there is a home that lives and reports, and goes on after a crash.
func TestHomeLives(t *testing.T) {
	t.Parallel()
	d := newHomeDev(t)
	d.start(t)
	d.awaitHome(t)
	s := newSink(t)
	d.subscribe(t, s, nil)

	s.awaitEvent("the sun to rise", func(e homeEvent) bool {
		power, ok := e.Data.State["currentPower"].(float64)
		return e.Type == "device.updated" && e.Data.DeviceID == "sim_solar" && ok && power > 0
	})

	must[any](t, d.api, http.MethodPost, "/v1/simulator/sim_battery/faults", map[string]any{"kind": "offline", "for": "5s"}, http.StatusOK)
	for _, wanted := range []string{"device.disconnected", "device.reconnected"} {
		s.awaitEvent(wanted, func(e homeEvent) bool { return e.Type == wanted && e.Data.DeviceID == "sim_battery" })
	}

	before := must[device](t, d.api, http.MethodGet, "/v1/solar-inverter/sim_solar", nil, http.StatusOK).State["energyTotal"].(float64)
	d.kill(t)
	d.start(t)
	seen := len(s.all())
	s.awaitCount(seen + 1)
	if after := must[device](t, d.api, http.MethodGet, "/v1/solar-inverter/sim_solar", nil, http.StatusOK).State["energyTotal"].(float64); after < before {
		t.Errorf("after a crash the roof has given %v kWh, had given %v", after, before)
	}
	if log := d.stderr.String(); strings.Contains(log, "sk_test_") {
		t.Error("the log shows a key")
	}
	keys := must[list[struct {
		Name      string `json:"name"`
		RevokedAt string `json:"revokedAt"`
	}]](t, d.api, http.MethodGet, "/v1/api-keys", nil, http.StatusOK)
	if n := len(keys.Items); n != 2 {
		t.Errorf("after two starts there are %d keys, want the bootstrap key and the home's: %+v", n, keys.Items)
	}
	if code := d.stop(t); code != 0 {
		t.Errorf("exit code after SIGTERM = %d, want 0", code)
	}
}
