package dispatch

import (
	"context"
	"errors"
	"fmt"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"

	"busbar"
	"busbar/internal/intake"
	"busbar/workflows"
)

// LaunchAction starts the workflow of an action, or wakes it. That it has ended already is a success: then the action has,
// too, or the reconciler sees to it.
func (d *Dispatcher) LaunchAction(ctx context.Context, l intake.Launch) error {
	if l.Fresh {
		return d.startAction(ctx, l)
	}
	return d.wakeAction(ctx, l)
}

// startAction gives the first task to this process, if a worker lives in it.
func (d *Dispatcher) startAction(ctx context.Context, l intake.Launch) error {
	options := d.actionOptions(l)
	options.EnableEagerStart = d.eager
	_, err := d.client.ExecuteWorkflow(ctx, options, workflows.RunActionName, actionInput(l))
	if _, started := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); err != nil && !started {
		return fmt.Errorf("start workflow of action: %w", err)
	}
	return nil
}

// wakeAction starts the workflow if it is not there.
func (d *Dispatcher) wakeAction(ctx context.Context, l intake.Launch) error {
	options := d.actionOptions(l)
	_, err := d.client.SignalWithStartWorkflow(ctx, options.ID, workflows.WakeSignal, nil, options, workflows.RunActionName, actionInput(l))
	if _, ended := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); err != nil && !ended {
		return fmt.Errorf("wake workflow of action: %w", err)
	}
	return nil
}

func actionInput(l intake.Launch) workflows.RunActionInput {
	return workflows.RunActionInput{Environment: l.Environment, ActionID: l.ActionID}
}

func (d *Dispatcher) actionOptions(l intake.Launch) client.StartWorkflowOptions {
	attributes := []sdktemporal.SearchAttributeUpdate{
		d.keys.Environment.ValueSet(string(l.Environment)), d.keys.DeviceID.ValueSet(string(l.DeviceID)),
	}
	if l.RuleID != "" {
		attributes = append(attributes, d.keys.RuleID.ValueSet(l.RuleID))
	}
	return client.StartWorkflowOptions{
		ID:                    busbar.ActionWorkflowID(l.Environment, l.ActionID),
		TaskQueue:             workflows.TaskQueue,
		WorkflowTaskTimeout:   workflows.TaskTimeout,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		TypedSearchAttributes: sdktemporal.NewSearchAttributes(attributes...),
		StaticSummary:         fmt.Sprintf("%s → %s", l.Command, l.DeviceID),

		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}
}
