package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/bench"
)

const fakeKey = "sk_test_fake"

// quick is a configuration for a fake server.
func quick(scenarios ...bench.Scenario) bench.Config {
	cfg := bench.DefaultConfig()
	cfg.Scenarios = scenarios
	cfg.Rate = 500
	cfg.Duration = 200 * time.Millisecond
	cfg.InFlight = 4
	cfg.Warmup = 5
	cfg.Payload = 100
	cfg.Hang = 20 * time.Second
	cfg.CrashAfter = 200 * time.Millisecond
	cfg.Quiet = 10 * time.Millisecond
	cfg.PendingEvents = 30
	cfg.ParkedEvents = 30
	cfg.GrowthAt = []int{20, 60}
	cfg.GrowthProbe = 10
	cfg.Settle = time.Millisecond
	cfg.Drain = 30 * time.Second
	cfg.Linger = 0
	cfg.CrashLinger = 0
	cfg.Command = []string{"busbar", "bench", "--key", "sk_test_x"}
	return cfg
}

// against points a configuration at a fake server that lives as long as the test.
func against(t *testing.T, cfg bench.Config, faults fakeFaults) (bench.Config, *fakeAPI) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	fake := newFake(fakeKey, faults)
	server := httptest.NewServer(fake.handler(ctx))
	t.Cleanup(func() {
		server.Close()
		cancel()
		fake.running.Wait()
	})
	cfg.Target = server.URL
	cfg.Key = fakeKey
	return cfg, fake
}

// one runs a configuration of a single scenario and returns its result.
func one(t *testing.T, cfg bench.Config) (bench.Result, error) {
	t.Helper()
	var out bytes.Buffer
	report, err := bench.Run(t.Context(), cfg, &out)
	if len(report.Results) != 1 {
		t.Fatalf("%d results, error %v", len(report.Results), err)
	}
	if !strings.Contains(out.String(), "\n"+string(report.Results[0].Scenario)+": ") {
		t.Errorf("no result in the output:\n%s", out.String())
	}
	return report.Results[0], err
}

type counts struct{ Events, Accepted, Deliveries, Losses, Repeats, BadSignatures, Malformed, Strays int }

func countsOf(r bench.Result) counts {
	return counts{r.Events, r.Accepted, r.Deliveries, r.Losses, r.Repeats, r.BadSignatures, r.Malformed, r.Strays}
}

func TestPacedRun(t *testing.T) {
	t.Parallel()
	cfg, fake := against(t, quick(bench.Paced), fakeFaults{})
	cfg.Endpoints = 2
	cfg.PID = os.Getpid()
	result, err := one(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(counts{Events: 105, Accepted: 105, Deliveries: 210}, countsOf(result)); diff != "" {
		t.Error(diff)
	}
	if result.Ingest == nil || result.Ingest.Samples != 100 || result.EndToEnd == nil || result.EndToEnd.Samples != 200 {
		t.Errorf("latencies %+v and %+v, want 100 and 200 samples", result.Ingest, result.EndToEnd)
	}
	if result.ServerCPU == nil || result.LoadCPU == nil || result.Memory == nil || result.Memory.Peak < result.Memory.Current {
		t.Errorf("processor time or memory is missing: %+v", result)
	}
	fake.mu.Lock()
	defer fake.mu.Unlock()
	if fake.deleted != 2 {
		t.Errorf("%d endpoints deleted afterwards, want 2", fake.deleted)
	}
}

func TestRunReportsWhatTheServerDoesWrong(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		faults fakeFaults
		want   counts
		errors map[string]int
		fails  string
	}{
		{
			name: "lost", faults: fakeFaults{loseEvery: 10}, fails: "10 deliveries of accepted events are missing",
			want: counts{Events: 105, Accepted: 105, Deliveries: 95, Losses: 10},
		},
		{
			name: "repeated", faults: fakeFaults{repeatEvery: 7},
			want: counts{Events: 105, Accepted: 105, Deliveries: 105, Repeats: 15},
		},
		{
			name: "refused", faults: fakeFaults{refuseEvery: 5}, errors: map[string]int{"UNAVAILABLE": 21},
			want: counts{Events: 105, Accepted: 84, Deliveries: 84},
		},
		{
			name: "all refused", faults: fakeFaults{refuseEvery: 1}, errors: map[string]int{"UNAVAILABLE": 105},
			want: counts{Events: 105}, fails: "none of 105 events was accepted",
		},
		{
			name: "called a duplicate", faults: fakeFaults{duplicate: true}, errors: map[string]int{"UNEXPECTED_ANSWER": 105},
			want: counts{Events: 105, Deliveries: 105}, fails: "none of 105 events was accepted",
		},
		{
			name: "forged", faults: fakeFaults{forge: true}, fails: "210 webhooks with a bad signature",
			want: counts{Events: 105, Accepted: 105, Losses: 105, BadSignatures: 210},
		},
		{
			name: "wrong body", faults: fakeFaults{otherBody: true}, fails: "210 webhooks with a wrong body",
			want: counts{Events: 105, Accepted: 105, Losses: 105, Malformed: 210},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.faults.atOnce = true
			cfg, _ := against(t, quick(bench.Paced), test.faults)
			if test.want.Losses > 0 {
				cfg.Drain = time.Millisecond
			}
			result, err := one(t, cfg)
			if (err != nil) != (test.fails != "") || (err != nil && !strings.Contains(err.Error(), test.fails)) {
				t.Errorf("error %v, want %q", err, test.fails)
			}
			if diff := cmp.Diff(test.want, countsOf(result)); diff != "" {
				t.Error(diff)
			}
			if test.errors == nil {
				test.errors = map[string]int{}
			}
			if diff := cmp.Diff(test.errors, result.Errors); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSaturatedRun(t *testing.T) {
	t.Parallel()
	for _, acceptedOnly := range []bool{false, true} {
		cfg, _ := against(t, quick(bench.Saturated), fakeFaults{})
		cfg.Endpoints = 3
		cfg.AcceptedOnly = acceptedOnly
		result, err := one(t, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if result.Accepted <= cfg.Warmup || result.Deliveries != 3*result.Accepted || result.Losses != 0 {
			t.Errorf("counts %+v", countsOf(result))
		}
		if result.EventsPerSecond == nil || *result.EventsPerSecond <= 0 {
			t.Error("no throughput")
		}
	}
}

func TestHangingEndpointIsLeftOutOfTheFigures(t *testing.T) {
	t.Parallel()
	cfg, _ := against(t, quick(bench.Hanging), fakeFaults{})
	result, err := one(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(counts{Events: 105, Accepted: 105, Deliveries: 210}, countsOf(result)); diff != "" {
		t.Error(diff)
	}
	if result.Hanging == nil || result.Hanging.HoldMs != 20_000 || result.EndToEnd.Samples != 200 {
		t.Errorf("hanging %+v, end to end %+v", result.Hanging, result.EndToEnd)
	}
}

func TestPendingAndGrowthAndIdle(t *testing.T) {
	t.Parallel()
	cfg, _ := against(t, quick(bench.Pending, bench.Growth, bench.Idle), fakeFaults{})
	cfg.PID = os.Getpid()
	cfg.JSON = true
	var out bytes.Buffer
	report, err := bench.Run(t.Context(), cfg, &out)
	if err != nil {
		t.Fatal(err)
	}
	pending, growth, idle := report.Results[0], report.Results[1], report.Results[2]
	if p := pending.Pending; p == nil || p.Attempted != 30 || p.Attempts < 30 || p.After.Current == 0 || pending.Losses != 0 {
		t.Errorf("pending %+v", pending)
	}
	if g := growth.Growth; len(g) != 2 || g[0].Stored != 20 || g[1].Stored != 60 || g[1].Probe != 10 || g[1].ServerCPU == nil {
		t.Errorf("growth %+v", growth.Growth)
	}
	if i := idle.Idle; i == nil || i.AtStart.Current == 0 || i.AfterQuiet.Peak == 0 {
		t.Errorf("idle %+v", idle)
	}
	var written bench.Report
	if err := json.Unmarshal(out.Bytes(), &written); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report, written); diff != "" {
		t.Error(diff)
	}
}

func TestInterruptedRunKeepsWhatItMeasured(t *testing.T) {
	t.Parallel()
	cfg, fake := against(t, quick(bench.Paced, bench.Saturated), fakeFaults{})
	cfg.Rate, cfg.Duration = 200, time.Minute
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	defer cancel()
	go func() {
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for range ticker.C {
			fake.mu.Lock()
			enough := fake.events > 50
			fake.mu.Unlock()
			if enough || ctx.Err() != nil {
				cancel()
				return
			}
		}
	}()
	var out bytes.Buffer
	report, err := bench.Run(ctx, cfg, &out)
	if !errors.Is(err, bench.ErrInterrupted) {
		t.Fatalf("error %v", err)
	}
	if !report.Interrupted || len(report.Results) != 1 || report.Results[0].Accepted < 40 || report.Results[0].Losses != 0 {
		t.Errorf("report %+v", report)
	}
	if !strings.Contains(out.String(), "Interrupted") {
		t.Errorf("the text does not say so:\n%s", out.String())
	}
	fake.mu.Lock()
	defer fake.mu.Unlock()
	if fake.deleted != 1 {
		t.Errorf("%d endpoints deleted, want 1", fake.deleted)
	}
}

func TestTelemetryRun(t *testing.T) {
	t.Parallel()
	cfg := quick(bench.Telemetry)
	cfg.Devices = 35
	cfg, fake := against(t, cfg, fakeFaults{})
	result, err := one(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	got := result.Telemetry
	if got == nil || got.Devices != 35 || got.Readings == 0 || got.Readings != got.Updated+got.Unchanged || got.ReadingsPerSecond <= 0 {
		t.Fatalf("telemetry = %+v", got)
	}
	if share := float64(got.Updated) / float64(got.Readings); got.Readings > 20_000 && (share < 0.008 || share > 0.012) {
		t.Errorf("%d of %d readings are changes, want 1 in 100", got.Updated, got.Readings)
	}
	if fake.deleted != 35+4 {
		t.Errorf("%d things were deleted afterwards, want 35 devices and 4 sites", fake.deleted)
	}
}

func TestRefusedReadingsBreakTheRun(t *testing.T) {
	t.Parallel()
	cfg := quick(bench.Telemetry)
	cfg.Devices = 10
	cfg, _ = against(t, cfg, fakeFaults{refuseEvery: 1})
	if _, err := one(t, cfg); err == nil || !strings.Contains(err.Error(), "readings were refused") {
		t.Errorf("error %v, want that readings were refused", err)
	}
}
