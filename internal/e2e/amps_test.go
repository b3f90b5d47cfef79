package e2e_test

import (
	"net/http"
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
	await(t, "the first reading", see(map[string]any{"level": 67.0, "status": "charging"}, "connected"))
	report(map[string]any{"level": 68.0})
	await(t, "a change", see(map[string]any{"level": 68.0, "status": "charging"}, "connected"))
	must[any](t, far.api, http.MethodPost, "/v1/devices/far_battery/connection", map[string]any{"status": "disconnected", "reason": "unplugged"}, http.StatusAccepted)
	await(t, "the disconnection", see(map[string]any{"level": 68.0, "status": "charging"}, "disconnected"))
}
