package main

import (
	"context"
	"math/rand/v2"
	"time"

	"busbar"
	"busbar/internal/driver"
	"busbar/internal/pull"
)

// newDrivers makes the ways to reach devices.
func (b *backend) newDrivers() (*driver.Drivers, error) {
	return driver.New(driver.Config{
		Sender: b.sender,
		Offline: func(ctx context.Context, env busbar.Environment, id busbar.DeviceID) (bool, error) {
			return b.cfg.store.FaultInForce(ctx, env, id, busbar.FaultOffline)
		},
	})
}

// newPuller makes what reads the devices that do not report by themselves.
func (b *backend) newPuller() (*pull.Puller, error) {
	return pull.New(pull.Config{
		Source: b.cfg.store, Sink: b.intake, Drivers: b.drivers, Random: rand.Float64, Now: time.Now, Logger: b.cfg.logger,
	})
}
