package dispatch

import (
	"context"
	"fmt"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"

	"busbar"
	"busbar/workflows"
)

// WakeJob has a job carried out, or look at its row again when it is at work.
func (d *Dispatcher) WakeJob(ctx context.Context, j busbar.Job) error {
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	id := workflows.ResendID(j.Environment, j.ID)
	_, err := d.client.SignalWithStartWorkflow(ctx, id, workflows.WakeSignal, nil, client.StartWorkflowOptions{
		ID:                       id,
		TaskQueue:                workflows.TaskQueue,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    sdktemporal.NewSearchAttributes(d.keys.Environment.ValueSet(string(j.Environment))),
		StaticSummary:            string(j.Kind) + " for " + string(j.EndpointID),
	}, workflows.ResendName, workflows.ResendInput{Environment: j.Environment, JobID: j.ID})
	if err != nil {
		return fmt.Errorf("wake %s: %w", j.ID, err)
	}
	return nil
}

// wakeJobs sees to it that each job that runs is carried out: whoever made it may have died before.
func (r *Reconciler) wakeJobs(ctx context.Context, failed *failures) error {
	jobs, err := r.dispatcher.store.RunningJobs(ctx)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if failed.add(r.dispatcher.WakeJob(ctx, j)) {
			break
		}
	}
	return nil
}
