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
	"busbar/internal/store"
	"busbar/workflows"
)

// LaunchRule starts the workflow of a run or of a hold, or tells that of a run that it has moved on. That it has ended already
// is a success: then the run or the hold has, too, or the reconciler sees to it.
func (d *Dispatcher) LaunchRule(ctx context.Context, l intake.RuleLaunch) error {
	var err error
	switch options := d.ruleOptions(l.RuleStart); {
	case l.Kind == store.StartHold:
		_, err = d.client.ExecuteWorkflow(ctx, options, workflows.HoldRuleName, workflows.HoldRuleInput{
			Environment: l.Environment, RuleID: l.RuleID, Key: l.Key, Shadow: l.Shadow, HoldID: l.ID, Due: l.Due,
		})
	case l.Fresh:
		// The first task goes to this process, if a worker lives in it.
		options.EnableEagerStart = d.eager
		_, err = d.client.ExecuteWorkflow(ctx, options, workflows.RunRuleName, runInput(l))
	default:
		_, err = d.client.SignalWithStartWorkflow(ctx, options.ID, workflows.ActionEndedSignal, nil, options, workflows.RunRuleName, runInput(l))
	}
	if _, known := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); err != nil && !known {
		return fmt.Errorf("start workflow of %s: %w", l.Kind, err)
	}
	return nil
}

func runInput(l intake.RuleLaunch) workflows.RunRuleInput {
	return workflows.RunRuleInput{Environment: l.Environment, RunID: busbar.RunID(l.ID)}
}

func (d *Dispatcher) ruleOptions(r store.RuleStart) client.StartWorkflowOptions {
	options := client.StartWorkflowOptions{
		ID:                    busbar.RunWorkflowID(r.Environment, busbar.RunID(r.ID)),
		TaskQueue:             workflows.TaskQueue,
		WorkflowTaskTimeout:   workflows.TaskTimeout,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		TypedSearchAttributes: d.ruleAttributes(r.Environment, r.RuleID),
		StaticSummary:         fmt.Sprintf("%s fired for %s", r.RuleID, r.Key),
		StaticDetails:         fmt.Sprintf("Why it fired is at `GET /v1/runs/%s`, what it sent at `GET /v1/actions?ruleId=%s`.", r.ID, r.RuleID),

		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}
	if r.Kind == store.StartHold {
		options.ID = busbar.HoldWorkflowID(r.Environment, r.ID)
		options.StaticSummary = fmt.Sprintf("%s holds for %s", r.RuleID, r.Key)
		options.StaticDetails = fmt.Sprintf("The runs that hold are at `GET /v1/rules/%s/runs`.", r.RuleID)
	}
	return options
}

func (d *Dispatcher) ruleAttributes(env busbar.Environment, id busbar.RuleID) sdktemporal.SearchAttributes {
	return sdktemporal.NewSearchAttributes(d.keys.Environment.ValueSet(string(env)), d.keys.RuleID.ValueSet(string(id)))
}

// WatchWindow sees to it that a rule's window is opened. One that is watched already stays.
func (d *Dispatcher) WatchWindow(ctx context.Context, env busbar.Environment, id busbar.RuleID) error {
	_, err := d.client.ExecuteWorkflow(ctx, d.windowOptions(env, id), workflows.WindowRuleName, windowInput(env, id))
	if err != nil {
		return fmt.Errorf("start watching the window of %s: %w", id, err)
	}
	return nil
}

// RuleChanged has the window of a rule that was saved looked at again.
func (d *Dispatcher) RuleChanged(ctx context.Context, env busbar.Environment, id busbar.RuleID) error {
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	options := d.windowOptions(env, id)
	_, err := d.client.SignalWithStartWorkflow(ctx, options.ID, workflows.ChangedSignal, nil, options, workflows.WindowRuleName, windowInput(env, id))
	if err != nil {
		return fmt.Errorf("tell the window of %s of a change: %w", id, err)
	}
	return nil
}

// WindowOver has the workflow of a window that does not open any more look at its rule again, which ends it.
func (d *Dispatcher) WindowOver(ctx context.Context, env busbar.Environment, id busbar.RuleID) error {
	ctx, cancel := context.WithTimeout(ctx, drainPatience)
	defer cancel()
	err := d.client.SignalWorkflow(ctx, busbar.WindowWorkflowID(env, id), "", workflows.ChangedSignal, nil)
	if _, gone := errors.AsType[*serviceerror.NotFound](err); err != nil && !gone {
		return fmt.Errorf("tell the window of %s that it is over: %w", id, err)
	}
	return nil
}

func windowInput(env busbar.Environment, id busbar.RuleID) workflows.WindowRuleInput {
	return workflows.WindowRuleInput{Environment: env, RuleID: id}
}

func (d *Dispatcher) windowOptions(env busbar.Environment, id busbar.RuleID) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       busbar.WindowWorkflowID(env, id),
		TaskQueue:                workflows.TaskQueue,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    d.ruleAttributes(env, id),
		StaticSummary:            "Open the window of " + string(id),
	}
}
