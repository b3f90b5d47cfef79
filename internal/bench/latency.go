package bench

import (
	"slices"
	"time"
)

// Latency summarises samples, in milliseconds. The percentiles are exact: the nearest rank among all samples, none estimated.
type Latency struct {
	Samples int     `json:"samples"`
	P50     float64 `json:"p50Ms"`
	P95     float64 `json:"p95Ms"`
	P99     float64 `json:"p99Ms"`
	Max     float64 `json:"maxMs"`
}

// summarize sorts samples in place and returns nil when there are none.
func summarize(samples []time.Duration) *Latency {
	if len(samples) == 0 {
		return nil
	}
	slices.Sort(samples)
	return &Latency{
		Samples: len(samples),
		P50:     milliseconds(nearestRank(samples, 50)),
		P95:     milliseconds(nearestRank(samples, 95)),
		P99:     milliseconds(nearestRank(samples, 99)),
		Max:     milliseconds(samples[len(samples)-1]),
	}
}

// nearestRank returns the smallest sample that at least percent of all sorted samples do not exceed.
func nearestRank(sorted []time.Duration, percent int) time.Duration {
	rank := (len(sorted)*percent + 99) / 100
	return sorted[max(rank, 1)-1]
}

func milliseconds(d time.Duration) float64 {
	return float64(d) / float64(time.Millisecond)
}
