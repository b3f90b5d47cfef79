package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"busbar"
	"busbar/activities"
)

// DrainEndpointInput names an endpoint.
type DrainEndpointInput struct {
	Environment busbar.Environment `json:"environment"`
	EndpointID  busbar.EndpointID  `json:"endpointId"`
	// Slots are those of the next turn, when a run goes on where another ended.
	Slots int `json:"slots,omitempty"`
}

// turnsMost is how many turns a run takes before it begins a fresh history.
const turnsMost = 200

// DrainEndpoint sends what is parked for an endpoint, oldest first, as soon as the endpoint takes it: it tries one
// delivery at growing intervals, and once that succeeds sends more and more at a time. It ends when nothing is parked.
func DrainEndpoint(ctx workflow.Context, in DrainEndpointInput) error {
	var a *activities.Activities
	done, slots, err := takeTurns(ctx, in.Slots, func(ctx workflow.Context, slots int) workflow.Future {
		return workflow.ExecuteActivity(ctx, a.Drain, activities.DrainInput{
			Environment: in.Environment, EndpointID: in.EndpointID, Slots: slots,
		})
	})
	switch {
	case err != nil:
		return fmt.Errorf("drain %s: %w", in.EndpointID, err)
	case done:
		return nil
	}
	in.Slots = slots
	return workflow.NewContinueAsNewError(ctx, DrainName, in)
}

// takeTurns runs an activity again and again, as its results say, until there is nothing left to do. It is woken from its
// waits by a signal. When it is not done it is to go on with a fresh history and with these slots.
func takeTurns(
	ctx workflow.Context, slots int, turn func(ctx workflow.Context, slots int) workflow.Future,
) (done bool, _ int, _ error) {
	wake := workflow.GetSignalChannel(ctx, WakeSignal)
	slots = max(1, slots)
	for range turnsMost {
		// Whoever has signalled before this turn wanted it.
		drained(wake)
		var r activities.DrainResult
		ctx := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: activities.DrainTime,
			HeartbeatTimeout:    activities.HeartbeatTimeout,
			RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
			Summary:             fmt.Sprintf("up to %d at once", slots),
		})
		if err := turn(ctx, slots).Get(ctx, &r); err != nil {
			return false, slots, err
		}
		slots = max(1, r.Slots)
		switch r.Next {
		case activities.DrainDone:
			if !drained(wake) {
				return true, slots, nil
			}
		case activities.DrainWait:
			await(ctx, wake, r.Wait)
		case activities.DrainOn:
		}
	}
	return false, slots, nil
}

// drained empties a channel and reports whether anything was in it.
func drained(wake workflow.ReceiveChannel) bool {
	some := false
	for wake.ReceiveAsync(nil) {
		some = true
	}
	return some
}

// await waits until it is woken or the time is over.
func await(ctx workflow.Context, wake workflow.ReceiveChannel, most time.Duration) {
	timed, cancel := workflow.WithCancel(ctx)
	defer cancel()
	workflow.NewSelector(ctx).
		AddReceive(wake, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) }).
		AddFuture(workflow.NewTimer(timed, most), func(workflow.Future) {}).
		Select(ctx)
}
