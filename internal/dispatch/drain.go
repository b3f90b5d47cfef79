package dispatch

import (
	"context"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"

	"busbar"
	"busbar/workflows"
)

// drainPatience is what a request waits for Temporal to begin draining; after that the reconciler begins it.
const drainPatience = 2 * time.Second

// StartDrain has what is parked for an endpoint sent when the endpoint takes it. One that is at work already stays.
func (d *Dispatcher) StartDrain(ctx context.Context, env busbar.Environment, id busbar.EndpointID) error {
	_, err := d.client.ExecuteWorkflow(ctx, d.drainOptions(env, id), workflows.DrainName,
		workflows.DrainEndpointInput{Environment: env, EndpointID: id})
	if err != nil {
		return fmt.Errorf("start draining %s: %w", id, err)
	}
	return nil
}

// ProbeNow has an endpoint tried at once, and what is parked for it sent if that succeeds.
func (d *Dispatcher) ProbeNow(ctx context.Context, env busbar.Environment, id busbar.EndpointID) error {
	if err := d.store.ProbeNow(ctx, id); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	_, err := d.client.SignalWithStartWorkflow(ctx, workflows.DrainID(env, id), workflows.WakeSignal, nil,
		d.drainOptions(env, id), workflows.DrainName, workflows.DrainEndpointInput{Environment: env, EndpointID: id})
	if err != nil {
		return fmt.Errorf("wake draining of %s: %w", id, err)
	}
	return nil
}

func (d *Dispatcher) drainOptions(env busbar.Environment, id busbar.EndpointID) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       workflows.DrainID(env, id),
		TaskQueue:                workflows.TaskQueue,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes: sdktemporal.NewSearchAttributes(
			d.keys.Environment.ValueSet(string(env)), d.keys.FailingEndpoints.ValueSet([]string{string(id)})),
		StaticSummary: "Send what is parked for " + string(id),
	}
}

// Release gives a parked delivery back to its retry schedule, under a workflow of its own. If the process ends between the
// two steps, the reconciler finds the delivery without a workflow.
func (d *Dispatcher) Release(ctx context.Context, delivery busbar.Delivery) error {
	delivery.WorkflowID = workflows.RedeliverID(delivery.Environment, delivery.ID)
	released, err := d.store.Release(ctx, delivery)
	if err != nil || !released {
		return err
	}
	return d.startRedeliver(ctx, delivery)
}

// drainAll sees to it that each endpoint with something parked is drained: whoever parked it may have died before.
func (r *Reconciler) drainAll(ctx context.Context, failed *failures) error {
	refs, err := r.dispatcher.store.Undrained(ctx)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		if failed.add(r.dispatcher.StartDrain(ctx, ref.Environment, ref.ID)) {
			break
		}
	}
	return nil
}
