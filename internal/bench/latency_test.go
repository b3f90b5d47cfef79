package bench_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/bench"
)

func TestPercentilesAreNearestRanks(t *testing.T) {
	t.Parallel()
	upTo := func(n int) []time.Duration {
		samples := make([]time.Duration, n)
		for i := range samples {
			samples[i] = time.Duration(i+1) * time.Millisecond
		}
		rand.Shuffle(n, func(i, j int) { samples[i], samples[j] = samples[j], samples[i] })
		return samples
	}
	for _, test := range []struct {
		name    string
		samples []time.Duration
		want    *bench.Latency
	}{
		{"none", nil, nil},
		{"one", upTo(1), &bench.Latency{Samples: 1, P50: 1, P95: 1, P99: 1, Max: 1}},
		{"two", upTo(2), &bench.Latency{Samples: 2, P50: 1, P95: 2, P99: 2, Max: 2}},
		{"ten", upTo(10), &bench.Latency{Samples: 10, P50: 5, P95: 10, P99: 10, Max: 10}},
		{"hundred", upTo(100), &bench.Latency{Samples: 100, P50: 50, P95: 95, P99: 99, Max: 100}},
		{"a thousand and one", upTo(1001), &bench.Latency{Samples: 1001, P50: 501, P95: 951, P99: 991, Max: 1001}},
		{"fractions", []time.Duration{1500 * time.Microsecond}, &bench.Latency{Samples: 1, P50: 1.5, P95: 1.5, P99: 1.5, Max: 1.5}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, bench.Summarize(test.samples)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
