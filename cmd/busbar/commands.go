package main

import (
	"context"
	"time"

	"busbar"
	"busbar/activities"
	"busbar/internal/driver"
)

// commands makes the activities that carry commands out.
func (b *backend) commands() (*activities.Commands, error) {
	drivers, err := driver.New(driver.Config{
		Sender: b.sender,
		Offline: func(ctx context.Context, env busbar.Environment, id busbar.DeviceID) (bool, error) {
			return b.cfg.store.FaultInForce(ctx, env, id, busbar.FaultOffline)
		},
	})
	if err != nil {
		return nil, err
	}
	return activities.NewCommands(activities.CommandsConfig{
		Actions: b.intake, Sources: b.cfg.store, Drivers: drivers, Now: time.Now, Logger: b.cfg.logger,
	})
}
