package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"busbar"
	"busbar/internal/driver"
	"busbar/internal/pull"
)

// newDrivers makes the ways to reach devices.
func (b *backend) newDrivers() (*driver.Drivers, error) {
	return driver.New(driver.Config{Sender: b.sender, Offline: b.offline})
}

// offline tells whether a simulated device is set to be unreachable.
func (b *backend) offline(ctx context.Context, env busbar.Environment, id busbar.DeviceID) (bool, error) {
	// There are fewer kinds of faults than this, and one of each at most.
	faults, err := b.cfg.store.Faults(ctx, env, id, busbar.PageRequest{Limit: 50})
	if err != nil {
		return false, fmt.Errorf("look for faults: %w", err)
	}
	return slices.ContainsFunc(faults.Items, func(f busbar.Fault) bool { return f.Kind == busbar.FaultOffline }), nil
}

// newPuller makes what reads the devices that do not report by themselves.
func (b *backend) newPuller() (*pull.Puller, error) {
	return pull.New(pull.Config{
		Source: b.cfg.store, Sink: b.intake, Drivers: b.drivers, Random: rand.Float64, Now: time.Now, Logger: b.cfg.logger,
	})
}
