package driver_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/driver"
	"busbar/internal/driver/drivertest"
)

func TestAmpsReadings(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	pulled := now.Add(-5 * time.Minute)
	for name, c := range map[string]struct {
		family busbar.Family
		device string
		want   driver.Reading
	}{
		"a battery as documented": {
			busbar.Battery,
			`{"id":"device_abc123","vendor":"fox","sync":{"available":true,"lastPulledAt":"2026-06-01T11:55:00.000Z"},
			  "metadata":{"model":"m","source":"cache","cacheType":"normal"},
			  "state":{"status":"charging","capacity":10.4,"level":67,"chargeRate":2.4,"dischargeLimit":10,"currentMode":"auto.balanced"},
			  "commands":{},"conflictStrategies":[],"settings":{},"lastAction":null,"currentSchedule":null}`,
			driver.Reading{
				State: busbar.State{
					"status": "charging", "capacity": 10.4, "level": 67.0, "chargeRate": 2.4, "dischargeLimit": 10.0, "currentMode": "auto.balanced",
				},
				ObservedAt: pulled, Current: true, Connection: busbar.Connected,
			},
		},
		"a vehicle with more fields than we know": {
			busbar.Vehicle,
			`{"sync":{"available":true,"lastPulledAt":null},"state":{"batteryLevel":64,"plugged":false,"chargeTimeRemaining":110,"maxCurrent":32,"chargeRate":null}}`,
			driver.Reading{
				State:   busbar.State{"batteryLevel": 64.0, "plugged": false, "chargeRate": nil},
				Current: true, Connection: busbar.Connected,
			},
		},
		"values that cannot be": {
			busbar.EVCharger,
			`{"sync":{"available":true},"state":{"status":"warp","isConnected":"yes","currentPower":7,"maxCurrent":1e999,"powerRateLimit":-4,"isCharging":true}}`,
			driver.Reading{
				State:   busbar.State{"currentPower": 7.0, "isCharging": true},
				Current: true, Connection: busbar.Connected,
			},
		},
		"what it remembers": {
			busbar.HVAC,
			`{"sync":{"available":false,"lastPulledAt":"2026-06-01T11:55:00Z"},"state":{"temperature":18.5,"mode":"heat"}}`,
			driver.Reading{State: busbar.State{"temperature": 18.5, "mode": "heat"}, ObservedAt: pulled},
		},
		"another Busbar, disconnected": {
			busbar.SolarInverter,
			`{"connection":"disconnected","sync":{"available":true,"lastPulledAt":"2026-06-01T11:55:00.000Z"},"state":{"currentPower":0}}`,
			driver.Reading{State: busbar.State{"currentPower": 0.0}, ObservedAt: pulled, Current: true, Connection: busbar.Disconnected},
		},
		"another Busbar that was told nothing yet": {
			busbar.Meter,
			`{"connection":"disconnected","sync":{"available":false,"lastPulledAt":null},"state":{}}`,
			driver.Reading{State: busbar.State{}, Connection: busbar.Disconnected},
		},
		"nothing at all": {busbar.Meter, `{}`, driver.Reading{State: busbar.State{}}},
		"a time that is to come": {
			busbar.Meter, `{"sync":{"available":true,"lastPulledAt":"2026-06-01T12:00:01Z"},"state":{"importPower":-3.2}}`,
			driver.Reading{State: busbar.State{"importPower": -3.2}, Current: true, Connection: busbar.Connected},
		},
		"a time that is none": {
			busbar.Meter, `{"sync":{"available":true,"lastPulledAt":"soon"},"state":{"importPower":-3.2}}`,
			driver.Reading{State: busbar.State{"importPower": -3.2}, Current: true, Connection: busbar.Connected},
		},
	} {
		got, err := driver.AmpsReading(said(http.StatusOK, `{"success":true,"data":`+c.device+`}`), c.family, now)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// Whatever an API says of a device, only what its family has a place for is taken in.
func FuzzAmpsReading(f *testing.F) {
	for _, state := range []string{
		`{"level":67,"status":"idle"}`, `{"level":-1}`, `{"level":1e999}`, `{"level":null,"x":{"y":[]}}`, `[]`, `null`, ``, `{"level":67,"level":"a"}`,
	} {
		for i := range busbar.Families() {
			f.Add(state, "2026-06-01T11:55:00Z", uint8(i))
		}
	}
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, state, at string, which uint8) {
		family := busbar.Families()[int(which)%len(busbar.Families())]
		body := fmt.Sprintf(`{"success":true,"data":{"state":%s,"sync":{"available":true,"lastPulledAt":%q}}}`, state, at)
		r, err := driver.AmpsReading(said(http.StatusOK, body), family, now)
		if err != nil {
			if e, ok := errors.AsType[*driver.RefusedError](err); !ok || e.Code == "" || e.Message == "" {
				t.Errorf("the error is %v", err)
			}
			return
		}
		checked, err := family.Spec().CheckState("state", r.State)
		if err != nil || !maps.Equal(checked, r.State) {
			t.Errorf("a %s cannot be %v: %v", family, r.State, err)
		}
		if r.ObservedAt.After(now) {
			t.Errorf("observed at %s, after now", r.ObservedAt)
		}
	})
}

// A device that the API cannot get to is disconnected; a key that is not taken says nothing about the device.
func TestAmpsReadErrors(t *testing.T) {
	t.Parallel()
	for code, c := range map[string]struct {
		status    int
		lost      bool
		transient bool
	}{
		"DEVICE_OFFLINE":           {status: 422, lost: true},
		"DEVICE_NOT_FOUND":         {status: 404, lost: true},
		"MFA_REQUIRED":             {status: 403, lost: true},
		"ACCOUNT_LOCKED":           {status: 403, lost: true},
		"INVALID_CREDENTIALS":      {status: 401, lost: true},
		"CREDENTIAL_NOT_FOUND":     {status: 404, lost: true},
		"INVALID_API_KEY":          {status: 401},
		"INSUFFICIENT_PERMISSIONS": {status: 403},
		"UNAUTHORIZED":             {status: 401, transient: true},
		"INTERNAL_ERROR":           {status: 500, transient: true},
		"SERVICE_UNAVAILABLE":      {status: 503, transient: true},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			var asked string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = r.Method + " " + r.URL.RequestURI()
				answer(w, c.status, fmt.Sprintf(`{"success":false,"error":{"code":%q,"message":"why"}}`, code))
			}))
			t.Cleanup(server.Close)
			device := busbar.Device{
				Environment: busbar.Sandbox, Family: busbar.EVCharger,
				Driver: busbar.Driver{Kind: busbar.DriverAmps, URL: server.URL + "/v1", DeviceID: "device_abc123", Secret: drivertest.Secret},
			}
			reading, err := newDriver(t, busbar.DriverAmps, neverOffline).(driver.Reader).Read(t.Context(), device)
			if asked != "GET /v1/ev-charger/device_abc123" {
				t.Errorf("asked for %q", asked)
			}
			_, transient := errors.AsType[*driver.Error](err)
			_, refused := errors.AsType[*driver.RefusedError](err)
			if (err == nil) != c.lost || transient != c.transient || refused != (!c.lost && !c.transient) {
				t.Fatalf("got %+v, %v", reading, err)
			}
			if c.lost && (reading.Connection != busbar.Disconnected || reading.Reason != code || reading.Current || len(reading.State) > 0) {
				t.Errorf("got %+v", reading)
			}
		})
	}
}
