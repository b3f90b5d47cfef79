package bench

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"time"
)

const (
	// maxSamples bounds events times endpoints of one scenario, and with it the memory of the benchmark.
	maxSamples = 1_000_000
	// maxPayload leaves room below the 256 KiB that the API takes as one event's data.
	maxPayload = 255 * KiB
	minPayload = 64

	maxEndpoints = 100
	maxInFlight  = 4096
	maxRate      = 100_000
	maxDevices   = 20_000
)

// Config says what to run against which server. DefaultConfig has values that work.
type Config struct {
	// Scenarios are run in this order, each against a fresh server unless Target is set.
	Scenarios []Scenario

	// Target is the URL of a running server; only loopback addresses are accepted. Empty: a server is started for each scenario
	// and ended after it.
	Target string
	// Key is the API key for Target.
	Key string
	// PID is the process id of Target's server, for processor time and memory; 0 leaves them out.
	PID int

	// Executable is the program started as "dev" when Target is empty; empty means the running one.
	Executable string
	// ServerArgs are appended to the arguments of the server that is started.
	ServerArgs []string
	// Dir is where the data directory of the started server is made, and removed afterwards; empty means the system's directory
	// for temporary files. It decides what a synchronous write costs: the report names its file system.
	Dir string

	// Rate is in events per second, for Paced, Hanging and the probes of Growth.
	Rate int
	// Duration is how long Paced, Saturated, Hanging, Telemetry and Care load the server.
	Duration time.Duration
	// InFlight is how many events Saturated, Crash, Pending, Parked and the filling of Growth have under way at once.
	InFlight int
	// AcceptedOnly makes Saturated post the next event when one was accepted, not when it was delivered: the server may then
	// build up a backlog, and the time until it is worked off counts.
	AcceptedOnly bool
	// Endpoints is the number of endpoints of Paced and Saturated; each gets every event.
	Endpoints int
	// Payload is the size of each event's data.
	Payload Size
	// Seed makes the payloads the same from run to run.
	Seed uint64

	// Warmup is the number of events posted at Rate before Paced, Saturated, Hanging and Care (at its own rate) begin to measure.
	Warmup int
	// Hang is how long a hanging endpoint of Hanging and Care holds a request.
	Hang time.Duration
	// CrashAfter is how long Crash loads the server before it is killed.
	CrashAfter time.Duration
	// Quiet is how long Idle, Pending and Parked leave the server alone before memory is read.
	Quiet time.Duration
	// PendingEvents is how many deliveries Pending makes fail.
	PendingEvents int
	// ParkedEvents is how many events Parked posts to a receiver that is down.
	ParkedEvents int
	// GrowthAt are the numbers of stored events, rising, at which Growth measures.
	GrowthAt []int
	// GrowthProbe is how many events Growth posts for one measurement.
	GrowthProbe int
	// Settle is the pause between the filling of Growth and its measurement.
	Settle time.Duration

	// CareRate is the events that Care posts a second, each for all of its endpoints.
	CareRate int

	// Devices is the size of the fleet of Telemetry.
	Devices int

	// StartTimeout bounds the time until a started server is ready.
	StartTimeout time.Duration
	// RequestTimeout bounds one request to the API.
	RequestTimeout time.Duration
	// Drain is how long accepted events may take to arrive after the last was posted; what is missing then is lost.
	Drain time.Duration
	// Linger is how long the sink stays open after everything has arrived, to count repeats.
	Linger time.Duration
	// CrashLinger is Linger after a crash: longer than the claim that a dead process holds on an attempt, which is the delivery
	// timeout and 5 s.
	CrashLinger time.Duration

	// Assert makes Run fail when Care does not keep what it aims at.
	Assert bool
	// JSON makes Run write the report as JSON instead of text.
	JSON bool
	// Command is the command line the report names, keys and passwords masked.
	Command []string
	// Logger gets progress; nil discards it.
	Logger *slog.Logger
}

// DefaultConfig returns the settings that docs/benchmarks.md is measured with: the Paced scenario on a server of its own.
func DefaultConfig() Config {
	return Config{
		Scenarios:      []Scenario{Paced},
		Rate:           50,
		Duration:       20 * time.Second,
		InFlight:       32,
		Endpoints:      1,
		Payload:        KiB,
		Seed:           1,
		Warmup:         50,
		Hang:           10 * time.Second,
		CrashAfter:     5 * time.Second,
		Quiet:          10 * time.Second,
		PendingEvents:  10_000,
		ParkedEvents:   10_000,
		GrowthAt:       []int{1_000, 50_000},
		GrowthProbe:    500,
		Settle:         2 * time.Second,
		CareRate:       20,
		Devices:        2_000,
		StartTimeout:   30 * time.Second,
		RequestTimeout: 30 * time.Second,
		Drain:          time.Minute,
		Linger:         time.Second,
		CrashLinger:    25 * time.Second,
	}
}

// validate reports the first setting that makes no sense.
func (c Config) validate() error {
	if len(c.Scenarios) == 0 {
		return errors.New("no scenario chosen")
	}
	if err := c.validateTarget(); err != nil {
		return err
	}
	for _, n := range []struct {
		name      string
		value     int
		low, high int
	}{
		{"rate", c.Rate, 1, maxRate},
		{"in-flight", c.InFlight, 1, maxInFlight},
		{"endpoints", c.Endpoints, 1, maxEndpoints},
		{"payload", int(c.Payload), minPayload, int(maxPayload)},
		{"warmup", c.Warmup, 0, maxSamples / maxEndpoints},
		{"pending events", c.PendingEvents, 1, maxSamples / 2},
		{"parked events", c.ParkedEvents, 1, maxSamples / 2},
		{"growth probe", c.GrowthProbe, 1, maxSamples / 10},
		{"care rate", c.CareRate, 1, maxRate},
		{"devices", c.Devices, 1, maxDevices},
		{"pid", c.PID, 0, 1 << 30},
	} {
		if n.value < n.low || n.value > n.high {
			return fmt.Errorf("%s is %d: it must be from %d to %d", n.name, n.value, n.low, n.high)
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
		low   time.Duration
	}{
		{"duration", c.Duration, time.Millisecond},
		{"hang", c.Hang, time.Millisecond},
		{"crash after", c.CrashAfter, time.Millisecond},
		{"quiet", c.Quiet, 0},
		{"settle", c.Settle, 0},
		{"start timeout", c.StartTimeout, time.Millisecond},
		{"request timeout", c.RequestTimeout, time.Millisecond},
		{"drain", c.Drain, time.Millisecond},
		{"linger", c.Linger, 0},
		{"crash linger", c.CrashLinger, 0},
	} {
		if d.value < d.low || d.value > time.Hour {
			return fmt.Errorf("%s is %s: it must be from %s to 1h", d.name, d.value, d.low)
		}
	}
	if samples := (c.pacedEvents() + c.Warmup) * max(c.Endpoints, hangingEndpoints); samples > maxSamples {
		return fmt.Errorf("rate, duration and endpoints make %d samples: at most %d are kept", samples, maxSamples)
	}
	if samples := c.careSamples(); samples > maxSamples && (slices.Contains(c.Scenarios, Care) || slices.Contains(c.Scenarios, All)) {
		return fmt.Errorf("care rate, duration and warmup make %d samples of care: at most %d are kept", samples, maxSamples)
	}
	return c.validateGrowth()
}

func (c Config) validateTarget() error {
	if c.Target == "" {
		if c.PID != 0 || c.Key != "" {
			return errors.New("key and pid belong to a target: none is given")
		}
		return nil
	}
	if c.Key == "" {
		return errors.New("a target needs a key")
	}
	u, err := url.Parse(c.Target)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("target is not an http or https URL")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("target must be a plain URL: no user, query or fragment")
	}
	if !loopback(u.Hostname()) {
		return fmt.Errorf("target %s is not on this machine: the benchmark only loads loopback addresses", u.Hostname())
	}
	return nil
}

func (c Config) validateGrowth() error {
	if len(c.GrowthAt) == 0 {
		return errors.New("growth needs at least one number of stored events")
	}
	last := 0
	for _, n := range c.GrowthAt {
		if n <= last || n > maxSamples/2 {
			return fmt.Errorf("growth at %d: the numbers must rise and be at most %d", n, maxSamples/2)
		}
		last = n + c.GrowthProbe
	}
	return nil
}

func (c Config) pacedEvents() int {
	return max(1, int(int64(c.Rate)*c.Duration.Milliseconds()/1000))
}

func (c Config) careEvents() int {
	return max(1, int(int64(c.CareRate)*c.Duration.Milliseconds()/1000))
}

func (c Config) careSamples() int {
	return (c.careEvents() + c.Warmup) * (careHealthy + careFailing + careHanging)
}

// loopback reports whether host is localhost or an address of the loopback interface.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// checkDialled refuses an address that is not loopback, so that a name cannot be pointed elsewhere after validate.
func checkDialled(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("split address %s: %w", address, err)
	}
	if host == "localhost" || !loopback(host) {
		return fmt.Errorf("address %s is not loopback", host)
	}
	return nil
}
