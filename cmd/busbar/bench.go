package main

import (
	"context"
	"os"
	"time"

	"busbar/internal/bench"
)

type benchCmd struct {
	Scenarios []bench.Scenario `arg:"" optional:"" help:"idle, paced, saturated, hanging, crash, pending, growth, telemetry, parked, care or all; default paced."`

	Target     string        `help:"URL of a running server on this machine; default: start one for each scenario."`
	Key        string        `help:"API key for --target."`
	PID        int           `name:"pid" help:"Process id of --target, for its CPU time and memory."`
	ServerArgs []string      `name:"server-args" help:"More arguments for the servers that are started, separated by commas."`
	Dir        string        `help:"Where the data of the servers that are started lies; decides what a sync to disk costs."`
	Rate       int           `default:"50" help:"Events a second, for paced and hanging."`
	Duration   time.Duration `default:"20s" help:"How long paced, saturated, hanging and care post events and telemetry reports."`
	InFlight   int           `name:"in-flight" default:"32" help:"Events under way at once, for saturated."`
	Endpoints  int           `default:"1" help:"Endpoints that each get every event, for paced and saturated."`
	Payload    bench.Size    `default:"1KiB" help:"Size of each event's data."`
	Stored     []int         `name:"growth-at" help:"Numbers of stored events at which growth measures; default 1000,50000."`
	Parked     int           `name:"parked-events" default:"10000" help:"Events posted while the receiver is down, for parked."`
	CareRate   int           `name:"care-rate" default:"20" help:"Events a second, each for 50 endpoints, for care."`
	Devices    int           `default:"2000" help:"Devices that report, for telemetry."`
	Assert     bool          `help:"Fail when the healthy endpoints of care miss their aim."`
	JSON       bool          `help:"Print one JSON object."`
	Seed       uint64        `default:"1" help:"Makes the payloads the same from run to run."`
}

// Run measures and prints.
func (c *benchCmd) Run(ctx context.Context, e env) error {
	cfg := bench.DefaultConfig()
	if len(c.Scenarios) > 0 {
		cfg.Scenarios = c.Scenarios
	}
	cfg.Target, cfg.Key, cfg.PID, cfg.ServerArgs, cfg.Dir = c.Target, c.Key, c.PID, c.ServerArgs, c.Dir
	cfg.Rate, cfg.Duration, cfg.InFlight, cfg.Endpoints = c.Rate, c.Duration, c.InFlight, c.Endpoints
	cfg.Payload, cfg.JSON, cfg.Seed = c.Payload, c.JSON, c.Seed
	cfg.Devices, cfg.ParkedEvents, cfg.CareRate, cfg.Assert = c.Devices, c.Parked, c.CareRate, c.Assert
	if len(c.Stored) > 0 {
		cfg.GrowthAt = c.Stored
	}
	cfg.Command, cfg.Logger = os.Args, e.logger
	_, err := bench.Run(ctx, cfg, e.stdout)
	return err //nolint:wrapcheck // the report's words are for the user
}
