package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"busbar"
)

// HourStats is what the attempts of an hour at one endpoint came to. Test sends are not among them.
type HourStats struct {
	Hour time.Time
	// ByClass counts the answers 2xx, 3xx, 4xx and 5xx, in this order, and then the attempts without one.
	ByClass   [5]int64
	Succeeded int64
	latencies []int64
}

// Attempts is how many there were.
func (h HourStats) Attempts() int64 {
	var n int64
	for _, c := range h.ByClass {
		n += c
	}
	return n
}

// Latency is the time within which a part of the attempts ended, estimated from the buckets they were counted in; zero
// without attempts.
func (h HourStats) Latency(part float64) time.Duration {
	var total int64
	for _, n := range h.latencies {
		total += n
	}
	rank, seen := part*float64(total), 0.0
	lower := int64(0)
	for i, n := range h.latencies {
		if next := seen + float64(n); n > 0 && next >= rank {
			within := (rank - seen) / float64(n)
			ms := float64(lower) + within*float64(latencyBounds[i]-lower)
			return time.Duration(ms * float64(time.Millisecond))
		}
		seen += float64(n)
		lower = latencyBounds[i]
	}
	return 0
}

// Sum adds hours up; its hour is that of the first.
func Sum(hours []HourStats) HourStats {
	total := HourStats{latencies: make([]int64, len(latencyBounds))}
	for i, h := range hours {
		if i == 0 {
			total.Hour = h.Hour
		}
		for j, n := range h.ByClass {
			total.ByClass[j] += n
		}
		total.Succeeded += h.Succeeded
		for j, n := range h.latencies {
			total.latencies[j] += n
		}
	}
	return total
}

// EndpointHours gives the hours that begin in a window and had attempts, oldest first.
func (s *Store) EndpointHours(ctx context.Context, env busbar.Environment, id busbar.EndpointID, since, until time.Time) ([]HourStats, error) {
	if _, err := s.Endpoint(ctx, env, id); err != nil {
		return nil, err
	}
	// The primary key of endpoint_hours.
	var rows []map[string]any
	err := s.read.WithContext(ctx).Table("endpoint_hours").
		Where("endpoint_id = ? AND hour >= ? AND hour < ?", string(id), micros(since), micros(until)).
		Order("hour").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read hours of %s: %w", id, translate(err))
	}
	hours := make([]HourStats, len(rows))
	for i, row := range rows {
		if hours[i], err = hourOf(row); err != nil {
			return nil, fmt.Errorf("read hours of %s: %w", id, err)
		}
	}
	return hours, nil
}

func hourOf(row map[string]any) (HourStats, error) {
	at, ok := row["hour"].(int64)
	if !ok {
		return HourStats{}, fmt.Errorf("hour is %T", row["hour"])
	}
	h := HourStats{Hour: fromMicros(at)}
	counts := make([]int64, 0, int(answerKinds)+len(latencyBounds))
	for _, column := range hourColumns() {
		n, ok := row[column].(int64)
		if !ok {
			return h, fmt.Errorf("%s is %T", column, row[column])
		}
		counts = append(counts, n)
	}
	copy(h.ByClass[:], counts)
	h.Succeeded, h.latencies = counts[answeredOK], slices.Clone(counts[answerKinds:])
	return h, nil
}
