package bench

import (
	"context"
	"time"
)

// pace calls fire for each of count events when it is due: the i-th at start + i/rate. The schedule does not wait for anyone: an
// event that comes too late is fired at once with the time it was due, so that latency counted from there includes what a slow
// server made the load wait (no coordinated omission). It returns early with the context's error.
func pace(ctx context.Context, rate, count int, fire func(due time.Time)) error {
	start := time.Now()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for i := range count {
		due := start.Add(time.Duration(int64(i) * int64(time.Second) / int64(rate)))
		if wait := time.Until(due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		fire(due)
	}
	return nil
}

// pause waits for d or until the context ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
