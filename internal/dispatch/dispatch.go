// Package dispatch asks Temporal to work: it starts the workflows of events, opens deliveries again, and finds those
// whose workflow was lost.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
	"busbar/internal/temporal"
	"busbar/workflows"
)

// Dispatcher asks one namespace of one cluster.
type Dispatcher struct {
	client    client.Client
	namespace string
	store     *store.Store
	// eager: a worker in this process may get a workflow's first task with the answer to its start.
	eager bool
	keys  temporal.Keys
}

// New makes a dispatcher.
func New(c client.Client, namespace string, s *store.Store, eager bool) *Dispatcher {
	return &Dispatcher{client: c, namespace: namespace, store: s, eager: eager, keys: temporal.NewKeys()}
}

// StartEvent starts the workflow of an event; that it was started before is a success.
func (d *Dispatcher) StartEvent(ctx context.Context, s intake.Start) error {
	in := workflows.ProcessEventInput{Environment: s.Event.Environment, EventID: s.Event.ID, Together: true, Grouped: true}
	if len(s.Refs) > workflows.MaxInlineDeliveries {
		in.More = true
	} else {
		for _, r := range s.Refs {
			in.Deliveries = append(in.Deliveries, workflows.Delivery{
				ID: r.DeliveryID, EndpointID: r.EndpointID, Host: r.Host, Quick: r.Quick, Paced: r.Paced,
			})
		}
	}
	attributes := []sdktemporal.SearchAttributeUpdate{
		d.keys.Environment.ValueSet(string(s.Event.Environment)), d.keys.EventType.ValueSet(s.Type),
	}
	summary := s.Type
	if s.DeviceID != "" {
		attributes = append(attributes, d.keys.DeviceID.ValueSet(string(s.DeviceID)))
		summary += " of " + string(s.DeviceID)
	}
	_, err := d.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       busbar.EventWorkflowID(s.Event.Environment, s.Event.ID),
		TaskQueue:                workflows.TaskQueue,
		WorkflowTaskTimeout:      workflows.TaskTimeout,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		EnableEagerStart:         d.eager,
		TypedSearchAttributes:    sdktemporal.NewSearchAttributes(attributes...),
		StaticSummary:            summary,

		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, workflows.ProcessEventName, in)
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	if err != nil && !errors.As(err, &started) {
		return fmt.Errorf("start workflow of event: %w", err)
	}
	return nil
}

// RetryNow has a delivery tried at once. If that fails, its schedule goes on where it was.
func (d *Dispatcher) RetryNow(ctx context.Context, env busbar.Environment, id busbar.DeliveryID) (busbar.Delivery, error) {
	var reopened bool
	delivery, underWay, err := d.store.RequestRetry(ctx, env, id, func(busbar.Delivery) string {
		reopened = true
		return workflows.RedeliverID(env, id)
	})
	if err != nil {
		return delivery, err
	}
	switch {
	case reopened:
		return delivery, unavailable(d.startRedeliver(ctx, delivery))
	case underWay:
		// Waking it would cut the very attempt that was asked for.
		return delivery, nil
	default:
		return delivery, unavailable(d.hurry(ctx, delivery))
	}
}

// hurry has a pending delivery tried at once, by a new workflow when its own is lost or was ended by a person.
func (d *Dispatcher) hurry(ctx context.Context, delivery busbar.Delivery) error {
	woken, err := d.wake(ctx, delivery)
	if err != nil || woken {
		return err
	}
	running, _, err := d.running(ctx, delivery.WorkflowID)
	if err != nil || running {
		return err
	}
	return d.replace(ctx, delivery)
}

// replace has another workflow carry a pending delivery out.
func (d *Dispatcher) replace(ctx context.Context, delivery busbar.Delivery) error {
	delivery.WorkflowID = workflows.RedeliverID(delivery.Environment, delivery.ID)
	if err := d.store.MoveDelivery(ctx, delivery.ID, delivery.WorkflowID); err != nil {
		return err
	}
	return d.startRedeliver(ctx, delivery)
}

// Cancel ends a delivery that is pending or parked.
func (d *Dispatcher) Cancel(ctx context.Context, env busbar.Environment, id busbar.DeliveryID) (busbar.Delivery, error) {
	delivery, err := d.store.Delivery(ctx, env, id)
	if err != nil {
		return delivery, err
	}
	open, err := d.store.CloseDelivery(ctx, id, busbar.DeliveryCancelled, "cancelled by request")
	if err != nil {
		return delivery, err
	}
	if !open {
		return delivery, busbar.Errorf(busbar.CodeConflict, "the delivery is %s already", delivery.Status)
	}
	// The row is the truth: if its workflow cannot be woken now, it finds out at its next try.
	_, wakeErr := d.wake(ctx, delivery)
	if delivery, err = d.store.Delivery(ctx, env, id); err != nil {
		return delivery, errors.Join(err, wakeErr)
	}
	return delivery, nil
}

// Wake ends the wait of a delivery's activity, if it waits.
func (d *Dispatcher) Wake(ctx context.Context, delivery busbar.Delivery) error {
	_, err := d.wake(ctx, delivery)
	return err
}

// wake ends the wait of a delivery's activity. It is reset rather than run beside itself. It reports false when no
// activity waits: it is on its way to be, or its workflow is gone.
func (d *Dispatcher) wake(ctx context.Context, delivery busbar.Delivery) (bool, error) {
	_, err := d.client.WorkflowService().ResetActivity(ctx, &workflowservice.ResetActivityRequest{
		Namespace: d.namespace,
		Execution: execution(delivery.WorkflowID),
		Activity:  &workflowservice.ResetActivityRequest_Id{Id: string(delivery.ID)},
	})
	if _, ok := errors.AsType[*serviceerror.NotFound](err); ok {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("wake delivery %s: %w", delivery.ID, err)
	}
	return true, nil
}

func (d *Dispatcher) startRedeliver(ctx context.Context, delivery busbar.Delivery) error {
	in := workflows.RedeliverInput{
		Environment: delivery.Environment, EventID: delivery.EventID,
		Delivery: workflows.Delivery{ID: delivery.ID, EndpointID: delivery.EndpointID},
	}
	_, err := d.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       workflows.RedeliverID(delivery.Environment, delivery.ID),
		TaskQueue:                workflows.TaskQueue,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes: sdktemporal.NewSearchAttributes(
			d.keys.Environment.ValueSet(string(delivery.Environment)), d.keys.EventType.ValueSet(delivery.EventType)),
		StaticSummary: "Deliver " + delivery.EventType + " again",
	}, workflows.RedeliverName, in)
	if err != nil {
		return fmt.Errorf("start redelivery of %s: %w", delivery.ID, err)
	}
	return nil
}

func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return busbar.Unavailable(5*time.Second, err, "the retry is on record, but Temporal cannot be reached to hurry it; it follows within minutes")
}
