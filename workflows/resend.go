package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"busbar"
	"busbar/activities"
)

// ResendInput names a job.
type ResendInput struct {
	Environment busbar.Environment `json:"environment"`
	JobID       busbar.JobID       `json:"jobId"`
	// Slots are those of the next turn, when a run goes on where another ended.
	Slots int `json:"slots,omitempty"`
}

// Resend carries out a job: it sends what an endpoint missed, oldest first and at the endpoint's own rate. The job's row says
// whether it runs, is paused or has ended; a signal tells that the row has changed.
func Resend(ctx workflow.Context, in ResendInput) error {
	var a *activities.Activities
	done, slots, err := takeTurns(ctx, in.Slots, func(ctx workflow.Context, slots int) workflow.Future {
		return workflow.ExecuteActivity(ctx, a.Resend, activities.ResendInput{
			Environment: in.Environment, JobID: in.JobID, Slots: slots,
		})
	})
	switch {
	case err != nil:
		return fmt.Errorf("carry out %s: %w", in.JobID, err)
	case done:
		return nil
	}
	in.Slots = slots
	return workflow.NewContinueAsNewError(ctx, ResendName, in)
}
