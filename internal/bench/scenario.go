package bench

import (
	"fmt"
	"slices"
	"strings"
)

// Scenario names one way of loading the server.
type Scenario string

// The scenarios. All stands for every one of them, Saturated with one and with three endpoints.
const (
	// Idle measures memory and processor time of a server that nobody uses.
	Idle Scenario = "idle"
	// Paced posts at a fixed rate, whatever the server does, and measures latency.
	Paced Scenario = "paced"
	// Saturated keeps a fixed number of events in flight and measures throughput.
	Saturated Scenario = "saturated"
	// Hanging is Paced with three endpoints of which one holds every request; latency is that of the other two.
	Hanging Scenario = "hanging"
	// Crash kills the server under load, starts it again and counts what is missing and what came twice.
	Crash Scenario = "crash"
	// Pending measures memory while many deliveries wait for their next attempt.
	Pending Scenario = "pending"
	// Growth measures processor time per event with few and with many events stored.
	Growth Scenario = "growth"
	// Telemetry has a fleet of devices report as fast as the server takes it.
	Telemetry Scenario = "telemetry"
	// Parked posts to a receiver that is down, measures memory, and has the receiver come back.
	Parked Scenario = "parked"
	// Care has endpoints of which a fifth hangs and a fifth fails; latency is that of the others.
	Care Scenario = "care"
	// All runs every scenario that the target permits.
	All Scenario = "all"
)

const hangingEndpoints = 3

// Scenarios lists every name that ParseScenario takes, in the order in which All runs them.
func Scenarios() []Scenario {
	return []Scenario{Idle, Paced, Saturated, Hanging, Crash, Pending, Growth, Telemetry, Parked, Care, All}
}

// ParseScenario returns the scenario of that name, or an error that lists the names there are.
func ParseScenario(name string) (Scenario, error) {
	known := make([]string, 0, len(Scenarios()))
	for _, s := range Scenarios() {
		if string(s) == name {
			return s, nil
		}
		known = append(known, string(s))
	}
	return "", fmt.Errorf("unknown scenario %q: choose from %s", name, strings.Join(known, ", "))
}

// UnmarshalText makes a Scenario usable as a command-line argument.
func (s *Scenario) UnmarshalText(text []byte) error {
	parsed, err := ParseScenario(string(text))
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

// step is one scenario with the number of endpoints it is run with.
type step struct {
	scenario  Scenario
	endpoints int
}

// plan turns the chosen scenarios into steps. What All includes but the target does not permit is returned as skipped; the same
// scenario chosen by name is an error, because whoever asked for it would miss it.
func plan(cfg Config) ([]step, []Skip, error) {
	var (
		steps   []step
		skipped []Skip
	)
	add := func(s step) {
		if slices.Contains(steps, s) {
			return
		}
		steps = append(steps, s)
	}
	for _, chosen := range cfg.Scenarios {
		if _, err := ParseScenario(string(chosen)); err != nil {
			return nil, nil, err
		}
		if chosen != All {
			if reason := cfg.forbids(chosen); reason != "" {
				return nil, nil, fmt.Errorf("scenario %s %s", chosen, reason)
			}
			add(step{chosen, cfg.endpointsOf(chosen)})
			continue
		}
		for _, s := range Scenarios() {
			if s == All {
				continue
			}
			if reason := cfg.forbids(s); reason != "" {
				skipped = append(skipped, Skip{Scenario: s, Reason: reason})
				continue
			}
			add(step{s, cfg.endpointsOf(s)})
			if s == Saturated {
				add(step{s, hangingEndpoints})
			}
		}
	}
	return steps, skipped, nil
}

// forbids says why a scenario can't be run against the configured target, or nothing when it can.
func (c Config) forbids(s Scenario) string {
	if c.Target == "" {
		return ""
	}
	switch s {
	case Crash:
		return "needs a server that the benchmark started itself, because it kills it"
	case Idle, Pending, Growth, Parked:
		if c.PID == 0 {
			return "needs the process id of the target"
		}
	default: // the others are content with its address
	}
	return ""
}

func (c Config) endpointsOf(s Scenario) int {
	switch s {
	case Idle, Telemetry:
		return 0
	case Paced, Saturated:
		return c.Endpoints
	case Hanging:
		return hangingEndpoints
	case Care:
		return careHealthy + careFailing + careHanging
	default:
		return 1
	}
}
