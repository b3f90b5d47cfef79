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
			ActionID  string         `json:"actionId"`
			DeviceID  string         `json:"deviceId"`
			ErrorCode string         `json:"errorCode"`
			State     map[string]any `json:"state"`
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

// pushBattery sends the battery a command and returns the action's id.
func (a *api) pushBattery(t *testing.T, command string) string {
	t.Helper()
	body := map[string]any{"action": map[string]any{"command": command}}
	return must[action](t, a, http.MethodPost, "/v1/battery/sim_battery", body, http.StatusAccepted).ID
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

func (s *sink) awaitEnd(actionID string) homeEvent {
	s.t.Helper()
	return s.awaitEvent("the end of "+actionID, func(e homeEvent) bool { return e.Data.ActionID == actionID })
}

// With an empty directory there is a home that lives, obeys and reports, and goes on after a crash.
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

	idle := d.pushBattery(t, "idle")
	if e := s.awaitEnd(idle); e.Type != "push.completed" || e.Data.DeviceID != "sim_battery" {
		t.Errorf("the end of a push is %+v", e)
	}
	d.awaitState(t, idle, "completed")
	await(t, "the battery to show it", func() bool {
		got := must[device](t, d.api, http.MethodGet, "/v1/battery/sim_battery", nil, http.StatusOK)
		return got.State["currentMode"] == "idle" && got.State["chargeRate"] == 0.0
	})

	must[any](t, d.api, http.MethodPost, "/v1/simulator/sim_battery/faults", map[string]any{"kind": "refuse", "for": "10s"}, http.StatusOK)
	await(t, "the home to know of the fault", func() bool {
		refused := s.awaitEnd(d.pushBattery(t, "auto.export"))
		return refused.Type == "push.failed" && refused.Data.ErrorCode == "REFUSED"
	})

	must[any](t, d.api, http.MethodPost, "/v1/simulator/sim_meter/faults", map[string]any{"kind": "offline", "for": "5s"}, http.StatusOK)
	for _, wanted := range []string{"device.disconnected", "device.reconnected"} {
		s.awaitEvent(wanted, func(e homeEvent) bool { return e.Type == wanted && e.Data.DeviceID == "sim_meter" })
	}

	d.kill(t)
	d.start(t)
	d.awaitHome(t)
	await(t, "the fault to be over", func() bool {
		return s.awaitEnd(d.pushBattery(t, "auto.reserve")).Type == "push.completed"
	})
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

// A crash between a command and its result loses neither.
func TestHomeAnswersAfterACrash(t *testing.T) {
	t.Parallel()
	d := newHomeDev(t)
	d.start(t)
	d.awaitHome(t)
	s := newSink(t)
	d.subscribe(t, s, map[string]any{"eventTypes": []string{"push.*"}})
	must[any](t, d.api, http.MethodPost, "/v1/simulator/sim_battery/faults",
		map[string]any{"kind": "slow", "for": "1m", "delay": "5s"}, http.StatusOK)
	// The home looks for faults every second; a disconnection shows that it has looked.
	must[any](t, d.api, http.MethodPost, "/v1/simulator/sim_meter/faults", map[string]any{"kind": "offline", "for": "1m"}, http.StatusOK)
	await(t, "the home to know of the faults", func() bool {
		return must[device](t, d.api, http.MethodGet, "/v1/meter/sim_meter", nil, http.StatusOK).Connection == "disconnected"
	})
	id := d.pushBattery(t, "idle")
	d.awaitState(t, id, "acknowledged")
	await(t, "the home to have the command", func() bool {
		got := must[device](t, d.api, http.MethodGet, "/v1/battery/sim_battery", nil, http.StatusOK)
		return got.State["currentMode"] == "idle"
	})
	d.kill(t)
	d.start(t)
	d.awaitState(t, id, "completed")
	if e := s.awaitEnd(id); e.Type != "push.completed" {
		t.Errorf("the end is %+v", e)
	}
	if n := len(s.all()); n != s.repeats()+1 {
		t.Errorf("%d webhooks, %d of them repeats, of one command", n, s.repeats())
	}
}
