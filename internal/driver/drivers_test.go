package driver_test

import (
	"context"
	"errors"
	"testing"

	"busbar"
	"busbar/internal/driver"
	"busbar/internal/driver/drivertest"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]driver.Config{
		"no sender":        {Offline: neverOffline},
		"no faults":        {Sender: newSender(t)},
		"negative timeout": {Sender: newSender(t), Offline: neverOffline, Timeout: -1},
	} {
		if _, err := driver.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestNoDriverOfAnotherKind(t *testing.T) {
	t.Parallel()
	drivers, err := driver.New(driver.Config{Sender: newSender(t), Offline: neverOffline})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := drivers.Of("modbus"); err == nil {
		t.Errorf("got %v", d)
	}
}

// A database that is away says nothing about the device.
func TestFaultsThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	away := errors.New("the database is away")
	d := newDriver(t, busbar.DriverSimulator, func(context.Context, busbar.Environment, busbar.DeviceID) (bool, error) {
		return false, away
	})
	s := drivertest.Subject{Device: battery(busbar.Driver{Kind: busbar.DriverSimulator})}
	outcome, err := d.Push(t.Context(), s.Request(1))
	if _, transient := errors.AsType[*driver.Error](err); transient || !errors.Is(err, away) || outcome != (driver.Outcome{}) {
		t.Errorf("got %+v, %v", outcome, err)
	}
}
