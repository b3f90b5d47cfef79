package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"busbar/activities"
)

// A run of Purge may take this long; the schedule skips runs meanwhile.
const (
	purgeTime      = time.Hour
	purgeHeartbeat = time.Minute
)

// Purge deletes what is older than the retention. A schedule runs it.
func Purge(ctx workflow.Context) (activities.Purged, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: purgeTime,
		HeartbeatTimeout:    purgeHeartbeat,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: time.Minute, MaximumAttempts: 10},
	})
	var a *activities.Activities
	var purged activities.Purged
	if err := workflow.ExecuteActivity(ctx, a.Purge).Get(ctx, &purged); err != nil {
		return purged, fmt.Errorf("purge: %w", err)
	}
	return purged, nil
}
