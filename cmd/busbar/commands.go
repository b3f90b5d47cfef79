package main

import (
	"time"

	"busbar/activities"
)

// commands makes the activities that carry commands out.
func (b *backend) commands() (*activities.Commands, error) {
	return activities.NewCommands(activities.CommandsConfig{
		Actions: b.intake, Sources: b.cfg.store, Drivers: b.drivers, Now: time.Now, Logger: b.cfg.logger,
	})
}
