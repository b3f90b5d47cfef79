package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"busbar"
	"busbar/internal/store"
)

// Purged counts what a purge deleted.
type Purged = store.Purged

// Purger deletes what is old, a batch at a time.
type Purger interface {
	Purge(ctx context.Context, keep busbar.Retention, limit int) (Purged, error)
}

// A purge deletes in batches so small that events are accepted and delivered in between, and rests as long as it worked.
const (
	purgeBatch = 200
	purgeMost  = 500
)

// Purge deletes what is older than the retention, at most 100,000 events of an environment a run; the next run goes on.
func (a *Activities) Purge(ctx context.Context) (Purged, error) {
	var total Purged
	for range purgeMost {
		began := a.cfg.Now()
		p, err := a.cfg.Purger.Purge(ctx, a.cfg.Retention, purgeBatch)
		if err != nil {
			return total, fmt.Errorf("purge: %w", err)
		}
		total = total.Plus(p)
		if p.Total() == 0 {
			return total, nil
		}
		activity.RecordHeartbeat(ctx, total)
		select {
		case <-ctx.Done():
			return total, ctx.Err()
		case <-time.After(a.cfg.Now().Sub(began)):
		}
	}
	return total, nil
}
