package bench_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"busbar/internal/bench"
)

// own makes the test binary the server that the benchmark starts.
func own(t *testing.T, cfg bench.Config) bench.Config {
	t.Helper()
	cfg.Dir = t.TempDir()
	t.Cleanup(func() {
		left, err := os.ReadDir(cfg.Dir)
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
	return cfg
}

func TestCrashRunLosesNothing(t *testing.T) {
	t.Parallel()
	result, err := one(t, own(t, quick(bench.Crash)))
	if err != nil {
		t.Fatal(err)
	}
	crash := result.Crash
	if crash == nil || crash.First == nil || crash.Last == nil || crash.Ready <= 0 {
		t.Fatalf("crash %+v", crash)
	}
	if result.Accepted == 0 || result.Losses != 0 || result.Deliveries < result.Accepted {
		t.Errorf("counts %+v", countsOf(result))
	}
	if crash.Unanswered > 4 {
		t.Errorf("%d posts unanswered: only 4 can be under way", crash.Unanswered)
	}
}

func TestCrashRunFindsLosses(t *testing.T) {
	t.Parallel()
	cfg := own(t, quick(bench.Crash))
	cfg.ServerArgs = []string{"--lose-every", "3"}
	cfg.Drain = 500 * time.Millisecond
	result, err := one(t, cfg)
	if err == nil || !strings.Contains(err.Error(), "are missing") || result.Losses == 0 {
		t.Errorf("error %v, %d losses", err, result.Losses)
	}
}

func TestIdleRunOfAnOwnServer(t *testing.T) {
	t.Parallel()
	result, err := one(t, own(t, quick(bench.Idle)))
	if err != nil {
		t.Fatal(err)
	}
	if result.Idle == nil || result.Idle.Ready == nil || *result.Idle.Ready <= 0 {
		t.Errorf("idle %+v", result.Idle)
	}
}

func TestServerThatDoesNotStartIsExplained(t *testing.T) {
	t.Parallel()
	cfg := own(t, quick(bench.Paced))
	cfg.ServerArgs = []string{"--refuse-start"}
	_, err := one(t, cfg)
	if err == nil || !strings.Contains(err.Error(), "the fake refuses to start") {
		t.Errorf("error %v", err)
	}
}

func TestInterruptEndsTheOwnServer(t *testing.T) {
	t.Parallel()
	cfg := own(t, quick(bench.Paced))
	cfg.Duration = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for range ticker.C {
			if ctx.Err() != nil || delivering(cfg.Dir) {
				cancel()
				return
			}
		}
	}()
	report, err := bench.Run(ctx, cfg, io.Discard)
	if !errors.Is(err, bench.ErrInterrupted) || len(report.Results) != 1 || report.Results[0].Accepted == 0 {
		t.Errorf("error %v, report %+v", err, report)
	}
}

// delivering reports whether the fake server in dir has written down a delivery.
func delivering(dir string) bool {
	journals, err := filepath.Glob(filepath.Join(dir, "*", "data", "journal"))
	if err != nil || len(journals) == 0 {
		return false
	}
	text, err := os.ReadFile(journals[0])
	return err == nil && strings.Contains(string(text), "\ndone ")
}
