package bench_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/bench"
)

var update = flag.Bool("update", false, "write the golden files anew")

func fullReport() bench.Report {
	small := &bench.Memory{Current: 180 << 20, Peak: 210<<20 + 512<<10}
	latency := func(ms float64) *bench.Latency {
		return &bench.Latency{Samples: 1000, P50: ms, P95: 2 * ms, P99: 3 * ms, Max: 10.125 * ms}
	}
	return bench.Report{
		Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Command: "busbar bench all --key ***",
		Machine: bench.Machine{
			Cores: 2, Processor: "Example CPU", System: "linux/amd64", Kernel: "6.1.0", Go: "go1.26.8", Load: "0.25", FileSystem: "ext4",
		},
		Results: []bench.Result{
			{
				Scenario: bench.Idle, Load: "nothing posted", Payload: 1024, Errors: map[string]int{}, Memory: small,
				Idle: &bench.IdleResult{Ready: new(1834.5), AtStart: *small, AfterQuiet: *small, QuietMs: 10_000, CPU: new(12.34)},
			},
			{
				Scenario: bench.Paced, Endpoints: 1, Load: "50 events/s for 20s", Payload: 1024,
				Events: 1050, Accepted: 1048, Errors: map[string]int{"UNAVAILABLE": 1, "TIMEOUT": 1},
				Deliveries: 1047, Losses: 1, Repeats: 2, BadSignatures: 3, Malformed: 4, Strays: 5,
				Ingest: latency(1.5), EndToEnd: latency(5), Late: latency(0.01),
				EventsPerSecond: new(49.96), DeliveriesPerSecond: new(49.91), ServerCPU: new(6.125), LoadCPU: new(0.75), Memory: small,
			},
			{
				Scenario: bench.Hanging, Endpoints: 3, Load: "50 events/s for 20s, one endpoint holds 10s", Payload: 100,
				Events: 10, Accepted: 10, Errors: map[string]int{}, Deliveries: 15, Unconfirmed: 5,
				Hanging: &bench.HangingResult{HoldMs: 10_000, Received: 8},
			},
			{
				Scenario: bench.Crash, Endpoints: 1, Load: "32 posts at a time, killed after 5s", Payload: 1024,
				Events: 2000, Accepted: 1968, Errors: map[string]int{"TRANSPORT": 32}, Deliveries: 1968, Repeats: 4, Memory: small,
				Crash: &bench.CrashResult{Unanswered: 32, Backlog: 120, Ready: 2100, First: new(250.0), Last: new(3200.0)},
			},
			{
				Scenario: bench.Crash, Endpoints: 1, Load: "32 posts at a time, killed after 5s", Payload: 1024,
				Events: 1, Accepted: 1, Errors: map[string]int{}, Losses: 1, Crash: &bench.CrashResult{Backlog: 1, Ready: 2100},
			},
			{
				Scenario: bench.Pending, Endpoints: 1, Load: "10000 events to an endpoint that answers 500", Payload: 1024,
				Events: 10_000, Accepted: 10_000, Errors: map[string]int{}, Memory: small,
				Pending: &bench.PendingResult{Attempted: 10_000, Attempts: 20_000, Before: *small, After: *small, QuietMs: 10_000},
			},
			{
				Scenario: bench.Parked, Endpoints: 1, Load: "10000 events while the receiver is down, then it is back", Payload: 1024,
				Events: 10_000, Accepted: 10_000, Errors: map[string]int{}, Deliveries: 10_000, Repeats: 1, Memory: small,
				Parked: &bench.ParkedResult{
					Refused: 130, Circuit: "open", Before: *small, After: bench.Memory{Current: 240 << 20, Peak: 250 << 20}, QuietMs: 10_000,
					First: new(12.0), Last: new(30_250.0), MaxInFlight: 16, MostEarly: 1,
				},
			},
			{
				Scenario: bench.Care, Endpoints: 50, Load: "20 events/s for 20s, 10 endpoints fail, 10 hold 10s", Payload: 1024,
				Events: 450, Accepted: 450, Errors: map[string]int{}, Deliveries: 13_500, EndToEnd: latency(12),
				Care: &bench.CareResult{Failing: 10, FailingAttempts: 160, Hanging: 10, HangingAttempts: 480, HoldMs: 10_000, AimMs: 300, Kept: true},
			},
			{
				Scenario: bench.Growth, Endpoints: 1, Load: "probes of 500 events at 50/s", Payload: 1024,
				Events: 1500, Accepted: 1500, Errors: map[string]int{}, Deliveries: 1500, Memory: small,
				Growth: []bench.GrowthResult{
					{Stored: 1000, Probe: 500, ServerCPU: new(6.5), Ingest: latency(2), EndToEnd: latency(6), Memory: small},
					{Stored: 50_000, Probe: 500},
				},
			},
		},
		Skipped:     []bench.Skip{{Scenario: bench.Crash, Reason: "needs a server"}},
		Interrupted: true,
	}
}

func TestReportIsWritten(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(bench.Report, *bytes.Buffer) error{
		"report.txt":  func(r bench.Report, b *bytes.Buffer) error { return r.WriteText(b) },
		"report.json": func(r bench.Report, b *bytes.Buffer) error { return r.WriteJSON(b) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got bytes.Buffer
			if err := write(fullReport(), &got); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
