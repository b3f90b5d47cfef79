package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"busbar"
	"busbar/internal/simulator"
	"busbar/internal/store"
	"busbar/rules"
)

// speedFlags say how fast a simulated home lives.
type speedFlags struct {
	SimulateSpeed float64 `name:"simulate-speed" env:"BUSBAR_SIMULATE_SPEED" default:"60" help:"Simulated seconds a second."`
}

// maxSimulateSpeed lets a simulated day pass in a second.
const maxSimulateSpeed = 86_400

func (f speedFlags) check() error {
	if !(f.SimulateSpeed > 0 && f.SimulateSpeed <= maxSimulateSpeed) { // not a number, too
		return fmt.Errorf("--simulate-speed: %v is not above 0 and at most %v", f.SimulateSpeed, float64(maxSimulateSpeed))
	}
	return nil
}

// speed is that of the home, or zero when there shall be none.
func (f speedFlags) speed(wanted bool) float64 {
	if !wanted {
		return 0
	}
	return f.SimulateSpeed
}

// simulatorKey is the id of the simulated home's API key, which is made anew at each start.
const simulatorKey busbar.KeyID = "key_simulated_home"

const (
	simulatorKeyName = "simulated home"
	// simulatorSeed gives every installation the same weather, so that what people tell each other about it is true.
	simulatorSeed = 1
)

// simulate starts a home in the sandbox environment. It ends with what it returns, or with the context.
func simulate(ctx context.Context, s *store.Store, listening net.Addr, speed float64, logger *slog.Logger) (stop func() error, err error) {
	key, err := busbar.NewKey(busbar.Sandbox)
	if err != nil {
		return nil, err
	}
	err = s.IssueKey(ctx, &busbar.APIKey{
		ID: simulatorKey, Environment: busbar.Sandbox, Name: simulatorKeyName, Hint: busbar.KeyHint(key), Hash: busbar.HashKey(key),
		Scopes: simulator.Scopes(), CreatedAt: time.Now(),
	})
	if err != nil {
		return nil, err
	}
	home, err := simulator.New(simulator.Config{
		BaseURL: "http://" + reachable(listening), Key: key, Speed: speed, Seed: simulatorSeed, Now: time.Now, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { home.Run(ctx) })
	return func() error {
		cancel()
		running.Wait()
		return nil
	}, nil
}

// reachable is where this machine reaches a listener: one on all addresses is reached on loopback.
func reachable(listening net.Addr) string {
	tcp, ok := listening.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return listening.String()
	}
	return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: tcp.Port}).String()
}

// simulatedDay is how long a simulated day takes.
func simulatedDay(speed float64) time.Duration {
	return time.Duration(float64(24*time.Hour) / speed).Round(time.Second)
}

// simulatedClock has the sun of the simulated home follow its clock, for rules.
func simulatedClock(speed float64) func(*busbar.Site) rules.Clock {
	return func(site *busbar.Site) rules.Clock {
		clock, ok := simulator.Clock(site, speed)
		if !ok {
			return rules.Clock{}
		}
		return rules.Clock{Origin: clock.Origin, Start: clock.Start, Speed: clock.Speed}
	}
}
