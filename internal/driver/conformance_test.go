package driver_test

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"busbar"
	"busbar/internal/driver"
	"busbar/internal/driver/drivertest"
	"busbar/internal/webhook"
)

func newSender(t testing.TB) *webhook.Client {
	t.Helper()
	guard, err := webhook.NewGuard(webhook.GuardConfig{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatalf("new guard: %v", err)
	}
	sender, err := webhook.NewClient(webhook.ClientConfig{Guard: guard, Version: "1.2.3"})
	if err != nil {
		t.Fatalf("new client: %v", err)
	}
	t.Cleanup(sender.Close)
	return sender
}

func neverOffline(context.Context, busbar.Environment, busbar.DeviceID) (bool, error) {
	return false, nil
}

func newDriver(t testing.TB, kind busbar.DriverKind, offline driver.Offline) driver.Driver {
	t.Helper()
	drivers, err := driver.New(driver.Config{Sender: newSender(t), Offline: offline, Timeout: drivertest.Timeout})
	if err != nil {
		t.Fatalf("new drivers: %v", err)
	}
	d, err := drivers.Of(kind)
	if err != nil {
		t.Fatalf("driver: %v", err)
	}
	return d
}

func battery(d busbar.Driver) busbar.Device {
	return busbar.Device{
		ID: "dev_1", Environment: busbar.Sandbox, Family: busbar.Battery, StaleAfter: 15 * time.Minute, Driver: d,
		Commands: busbar.Battery.Spec().DefaultCommands(),
	}
}

func TestManual(t *testing.T) {
	t.Parallel()
	drivertest.Run(t, func(t *testing.T) drivertest.Subject {
		t.Helper()
		return drivertest.Subject{
			Driver: newDriver(t, busbar.DriverManual, neverOffline),
			Device: battery(busbar.Driver{Kind: busbar.DriverManual}),
			Can:    []drivertest.Behaviour{drivertest.Accepts},
		}
	})
}

func TestSimulator(t *testing.T) {
	t.Parallel()
	drivertest.Run(t, func(t *testing.T) drivertest.Subject {
		t.Helper()
		var offline atomic.Bool
		return drivertest.Subject{
			Driver: newDriver(t, busbar.DriverSimulator, func(context.Context, busbar.Environment, busbar.DeviceID) (bool, error) {
				return offline.Load(), nil
			}),
			Device: battery(busbar.Driver{Kind: busbar.DriverSimulator}),
			Can:    []drivertest.Behaviour{drivertest.Defers, drivertest.Offline},
			Behave: func(b drivertest.Behaviour) { offline.Store(b == drivertest.Offline) },
		}
	})
}

func TestGateway(t *testing.T) {
	t.Parallel()
	drivertest.Run(t, func(t *testing.T) drivertest.Subject {
		t.Helper()
		side := newGatewaySide(t)
		return drivertest.Subject{
			Driver: newDriver(t, busbar.DriverHTTP, neverOffline),
			Device: battery(busbar.Driver{Kind: busbar.DriverHTTP, URL: side.url + "/commands", Secret: drivertest.Secret}),
			Can: []drivertest.Behaviour{
				drivertest.Accepts, drivertest.Defers, drivertest.Refuses, drivertest.Offline, drivertest.Hangs, drivertest.Breaks,
				drivertest.Swamped,
			},
			Behave: side.behave, Effects: side.effects,
		}
	})
}

func TestAmps(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keys  bool
		ahead time.Duration
	}{
		"as documented":           {false, 0},
		"with idempotency keys":   {true, 0},
		"whose clock is ahead":    {false, time.Hour},
		"whose clock lags behind": {false, -time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			drivertest.Run(t, func(t *testing.T) drivertest.Subject {
				t.Helper()
				side := newAmpsSide(t, c.keys, c.ahead)
				return drivertest.Subject{
					Driver: newDriver(t, busbar.DriverAmps, neverOffline),
					Device: battery(busbar.Driver{Kind: busbar.DriverAmps, URL: side.url + "/v1/", DeviceID: "device_abc123", Secret: drivertest.Secret}),
					Can: []drivertest.Behaviour{
						drivertest.Accepts, drivertest.Defers, drivertest.Refuses, drivertest.Offline, drivertest.Hangs, drivertest.Breaks,
						drivertest.Swamped,
					},
					Behave: side.behave, Effects: side.effects,
				}
			})
		})
	}
}
