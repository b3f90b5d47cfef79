// Package workflows orchestrates: it decides in which order things happen and how long to wait. It is deterministic; all
// that touches the world is an activity.
package workflows

import (
	"time"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"busbar"
	"busbar/activities"
)

// TaskQueue is where all of Busbar's workflows and activities run.
const TaskQueue = "busbar"

// TaskTimeout bounds a workflow task. Commands leave a task with local activities at 80 % of it, and it is what a
// worker that crashed costs, so it is short.
const TaskTimeout = 3 * time.Second

// Names of the workflows, as the Temporal UI shows them.
const (
	ProcessEventName = "ProcessEvent"
	RedeliverName    = "Redeliver"
	PurgeName        = "Purge"
	DrainName        = "DrainEndpoint"
	ResendName       = "Resend"
	RunActionName    = "RunAction"
	RunRuleName      = "RunRule"
	HoldRuleName     = "HoldRule"
	WindowRuleName   = "WindowRule"
)

// WakeSignal tells a waiting workflow that there may be something to do.
const WakeSignal = "wake"

// ActionEndedSignal tells a run that an action of its step has ended, or was accepted; ChangedSignal tells the workflow of a
// rule's window that the rule was saved.
const (
	ActionEndedSignal = "action-ended"
	ChangedSignal     = "changed"
)

// PurgeScheduleID names the schedule that runs Purge.
const PurgeScheduleID = "busbar-purge"

// RedeliverID is the id of the workflow that opens a delivery again.
func RedeliverID(env busbar.Environment, id busbar.DeliveryID) string {
	return "redeliver-" + string(env) + "-" + string(id)
}

// DrainID is the id of the workflow that sends what is parked for an endpoint.
func DrainID(env busbar.Environment, id busbar.EndpointID) string {
	return "drain-" + string(env) + "-" + string(id)
}

// ResendID is the id of the workflow that carries out a job.
func ResendID(env busbar.Environment, id busbar.JobID) string {
	return busbar.JobWorkflowID(env, id)
}

// Register makes the workflows and activities known to a worker.
func Register(r worker.Registry, a *activities.Activities) {
	r.RegisterWorkflowWithOptions(ProcessEvent, workflow.RegisterOptions{Name: ProcessEventName})
	r.RegisterWorkflowWithOptions(Redeliver, workflow.RegisterOptions{Name: RedeliverName})
	r.RegisterWorkflowWithOptions(Purge, workflow.RegisterOptions{Name: PurgeName})
	r.RegisterWorkflowWithOptions(DrainEndpoint, workflow.RegisterOptions{Name: DrainName})
	r.RegisterWorkflowWithOptions(Resend, workflow.RegisterOptions{Name: ResendName})
	r.RegisterActivity(a)
}

// RegisterCommands makes the workflow of actions and its activities known to a worker.
func RegisterCommands(r worker.Registry, c *activities.Commands) {
	r.RegisterWorkflowWithOptions(RunAction, workflow.RegisterOptions{Name: RunActionName})
	r.RegisterActivity(c)
}

// RegisterRules makes the workflows of rules and their activities known to a worker.
func RegisterRules(r worker.Registry, a *activities.Rules) {
	r.RegisterWorkflowWithOptions(RunRule, workflow.RegisterOptions{Name: RunRuleName})
	r.RegisterWorkflowWithOptions(HoldRule, workflow.RegisterOptions{Name: HoldRuleName})
	r.RegisterWorkflowWithOptions(WindowRule, workflow.RegisterOptions{Name: WindowRuleName})
	r.RegisterActivity(a)
}
