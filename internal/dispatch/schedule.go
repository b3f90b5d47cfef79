package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"

	"busbar/workflows"
)

// purgeEvery is how often old rows are looked for; a run that finds none takes milliseconds.
const purgeEvery = 15 * time.Minute

// EnsureSchedules makes the schedules that this product runs on, unless they exist.
func (d *Dispatcher) EnsureSchedules(ctx context.Context) error {
	_, err := d.client.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:      workflows.PurgeScheduleID,
		Spec:    client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: purgeEvery}}},
		Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		Action: &client.ScheduleWorkflowAction{
			ID: workflows.PurgeScheduleID, Workflow: workflows.PurgeName, TaskQueue: workflows.TaskQueue,
			StaticSummary: "Delete what is older than the retention",
		},
	})
	if err != nil && !errors.Is(err, sdktemporal.ErrScheduleAlreadyRunning) {
		return fmt.Errorf("create schedule %s: %w", workflows.PurgeScheduleID, err)
	}
	return nil
}
