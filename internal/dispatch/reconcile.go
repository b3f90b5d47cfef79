package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
)

func execution(workflowID string) *commonpb.WorkflowExecution {
	return &commonpb.WorkflowExecution{WorkflowId: workflowID}
}

// How often the reconciler looks, and for how long a delivery must be overdue before it is asked after.
const (
	reconcileEvery = time.Minute
	overdueAfter   = time.Minute
	reconcilePage  = 200
	// reconcileMost bounds one round; the next goes on where it ended.
	reconcileMost = 2000
)

// Reconciler looks for pending deliveries whose time is over, and asks Temporal after their workflow. One that is lost
// (Temporal's files may forget their last moments when the power goes) or that was ended by a person is replaced:
// our rows are the truth.
type Reconciler struct {
	dispatcher *Dispatcher
	now        func() time.Time
	logger     *slog.Logger
	position   store.OverduePosition
}

// NewReconciler makes a reconciler.
func NewReconciler(d *Dispatcher, now func() time.Time, logger *slog.Logger) *Reconciler {
	return &Reconciler{dispatcher: d, now: now, logger: logger}
}

// Run looks once a minute until ctx ends. Several copies may run; they find the same and do it once.
func (r *Reconciler) Run(ctx context.Context) {
	// Copies that were started together look at different times.
	next := time.NewTimer(rand.N(reconcileEvery)) //nolint:gosec // not a secret, only spread
	defer next.Stop()
	for {
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
		if err := r.Round(ctx); err != nil && ctx.Err() == nil {
			r.logger.WarnContext(ctx, "could not reconcile overdue deliveries", "error", err)
		}
		next.Reset(reconcileEvery)
	}
}

// Round looks at up to 2,000 overdue deliveries, and goes on from there the next time. What is parked is seen to be
// drained, and jobs to be carried out. Deliveries that a person wanted
// tried while Temporal could not be reached are hurried now, and those whose endpoint is gone are cancelled.
func (r *Reconciler) Round(ctx context.Context) error {
	if err := r.dispatcher.store.CancelOrphans(ctx); err != nil {
		return err
	}
	var failed failures
	if err := r.drainAll(ctx, &failed); err != nil {
		return err
	}
	if err := r.wakeJobs(ctx, &failed); err != nil {
		return err
	}
	for seen := 0; seen < reconcileMost; {
		overdue, position, err := r.dispatcher.store.Overdue(ctx, r.now().Add(-overdueAfter), r.position, reconcilePage)
		if err != nil {
			return err
		}
		r.position = position
		for _, d := range overdue {
			if failed.add(r.one(ctx, d)) {
				return failed.err()
			}
		}
		seen += len(overdue)
		if len(overdue) < reconcilePage {
			r.position = store.OverduePosition{}
			break
		}
	}
	hurried, err := r.dispatcher.store.Hurried(ctx, reconcilePage)
	if err != nil {
		return err
	}
	for _, d := range hurried {
		if failed.add(r.dispatcher.hurry(ctx, d)) {
			break
		}
	}
	return failed.err()
}

// failures gathers what went wrong with single deliveries, so that one of them does not keep the others waiting.
type failures []error

// failuresMost in one round mean that it is not about single deliveries.
const failuresMost = 10

// add reports whether it is time to give up.
func (f *failures) add(err error) bool {
	if err != nil {
		*f = append(*f, err)
	}
	return len(*f) >= failuresMost
}

func (f *failures) err() error { return errors.Join(*f...) }

func (r *Reconciler) one(ctx context.Context, d busbar.Delivery) error {
	running, known, err := r.dispatcher.running(ctx, d.WorkflowID)
	if err != nil || running {
		return err
	}
	r.logger.WarnContext(ctx, "a pending delivery has no workflow; starting one",
		"delivery_id", d.ID, "event_id", d.EventID, "endpoint_id", d.EndpointID)
	if !known && d.WorkflowID == busbar.EventWorkflowID(d.Environment, d.EventID) {
		return r.startEvent(ctx, d)
	}
	return r.dispatcher.replace(ctx, d)
}

// startEvent starts an event's workflow anew, with all of its pending deliveries.
func (r *Reconciler) startEvent(ctx context.Context, d busbar.Delivery) error {
	s := r.dispatcher.store
	e, err := s.Event(ctx, d.Environment, d.EventID)
	if err != nil {
		return err
	}
	ref := store.EventRef{Environment: d.Environment, ID: d.EventID}
	pending, err := s.PendingDeliveries(ctx, ref, "", busbar.MaxEndpoints)
	if err != nil {
		return err
	}
	start := intake.Start{Event: ref, Type: e.Type, DeviceID: e.DeviceID}
	for _, p := range pending {
		start.Refs = append(start.Refs, intake.Ref{DeliveryID: p.DeliveryID, EndpointID: p.EndpointID})
	}
	return r.dispatcher.StartEvent(ctx, start)
}

// running asks after a workflow.
func (d *Dispatcher) running(ctx context.Context, id string) (running, known bool, err error) {
	desc, err := d.client.DescribeWorkflowExecution(ctx, id, "")
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	return desc.GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING, true, nil
}
