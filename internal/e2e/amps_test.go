package e2e_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// deviceRead is a device as its family's route shows it.
type deviceRead struct {
	Connection string `json:"connection"`
	Sync       struct {
		Available bool `json:"available"`
	} `json:"sync"`
	State map[string]any `json:"state"`
}

// farAndNear starts one Busbar, and another whose battery is driven and read through the API of the first.
func farAndNear(t *testing.T, driver map[string]any) (far, near *dev) {
	t.Helper()
	far, near = newDev(t), newDev(t)
	far.start(t)
	near.start(t)
	for _, d := range []*dev{far, near} {
		must[any](t, d.api, http.MethodPost, "/v1/sites", map[string]any{"id": "home", "name": "Home", "timezone": "Europe/Berlin"}, http.StatusCreated)
	}
	must[any](t, far.api, http.MethodPost, "/v1/devices", map[string]any{"id": "far_battery", "type": "battery", "siteId": "home", "driver": driver}, http.StatusCreated)
	must[any](t, near.api, http.MethodPost, "/v1/devices", map[string]any{
		"id": "battery", "type": "battery", "siteId": "home", "staleAfter": "15s",
		"driver": map[string]any{"kind": "amps", "url": far.base + "/v1", "apiKey": far.key, "deviceId": "far_battery"},
	}, http.StatusCreated)
	return far, near
}

// What a device says to one Busbar arrives in another that reads it through the API, and so does that it is gone.
func TestReadThroughAnotherBusbar(t *testing.T) {
	t.Parallel()
	far, near := farAndNear(t, map[string]any{"kind": "manual"})
	see := func(want map[string]any, connection string) func() bool {
		return func() bool {
			d := must[deviceRead](t, near.api, http.MethodGet, "/v1/battery/battery", nil, http.StatusOK)
			return cmp.Equal(d.State, want) && d.Connection == connection && d.Sync.Available
		}
	}
	report := func(state map[string]any) {
		must[any](t, far.api, http.MethodPost, "/v1/devices/far_battery/state", map[string]any{"state": state}, http.StatusAccepted)
	}
	must[any](t, far.api, http.MethodPost, "/v1/devices/far_battery/connection", map[string]any{"status": "connected"}, http.StatusAccepted)
	report(map[string]any{"level": 67.04, "status": "charging"})
	if a := pushed(t, near, map[string]any{"command": "idle"}); a.State != "completed" {
		t.Errorf("a command for a virtual device: %+v", a)
	}
	await(t, "the first reading", see(map[string]any{"level": 67.0, "status": "charging"}, "connected"))
	report(map[string]any{"level": 68.0})
	await(t, "a change", see(map[string]any{"level": 68.0, "status": "charging"}, "connected"))
	must[any](t, far.api, http.MethodPost, "/v1/devices/far_battery/connection", map[string]any{"status": "disconnected", "reason": "unplugged"}, http.StatusAccepted)
	await(t, "the disconnection", see(map[string]any{"level": 68.0, "status": "charging"}, "disconnected"))
}

// pushed has the near battery do something and waits for the end of that.
func pushed(t *testing.T, near *dev, command map[string]any) action {
	t.Helper()
	a := must[action](t, near.api, http.MethodPost, "/v1/battery/battery", map[string]any{"action": command}, http.StatusAccepted)
	await(t, "the end of the action", func() bool {
		a = must[action](t, near.api, http.MethodGet, "/v1/actions/"+a.ID, nil, http.StatusOK)
		return a.State == "completed" || a.State == "failed"
	})
	return a
}

// A command that is pushed to one Busbar is carried out once, by the gateway of the other, though that is away at first; and the
// other's refusal is the end of it.
func TestPushThroughAnotherBusbar(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var tries int
	commands := map[string]string{}
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var given struct{ Command string }
		_ = json.Unmarshal(body, &given) // what is no command is seen below
		mu.Lock()
		defer mu.Unlock()
		if tries++; tries == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		commands[r.Header.Get("Idempotency-Key")] = given.Command
		if given.Command == "idle" {
			_, _ = io.WriteString(w, `{"success":false,"errorCode":"LOCKED","message":"the battery is locked"}`)
			return
		}
		_, _ = io.WriteString(w, `{"success":true,"message":"charging"}`)
	}))
	t.Cleanup(gateway.Close)
	far, near := farAndNear(t, map[string]any{"kind": "http", "url": gateway.URL})
	a := pushed(t, near, map[string]any{"command": "charge", "parameters": map[string]any{"power": map[string]any{"value": 2500, "unit": "watts"}}})
	if a.State != "completed" || a.Result.Message != "charging" {
		t.Errorf("charge: %+v", a)
	}
	if a = pushed(t, near, map[string]any{"command": "idle"}); a.State != "failed" || a.ErrorCode != "LOCKED" {
		t.Errorf("idle: %+v", a)
	}
	mu.Lock()
	defer mu.Unlock()
	list := must[struct{ Items []action }](t, far.api, http.MethodGet, "/v1/actions?deviceId=far_battery", nil, http.StatusOK)
	if len(commands) != 2 || len(list.Items) != 2 {
		t.Errorf("the gateway was given %v, the other Busbar has %+v", commands, list.Items)
	}
}
