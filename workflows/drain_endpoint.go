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

// drainTurns is how many turns a run takes before it begins a fresh history.
const drainTurns = 200

// DrainEndpoint sends what is parked for an endpoint, oldest first, as soon as the endpoint takes it: it tries one
// delivery at growing intervals, and once that succeeds sends more and more at a time. It ends when nothing is parked.
func DrainEndpoint(ctx workflow.Context, in DrainEndpointInput) error {
	wake := workflow.GetSignalChannel(ctx, WakeSignal)
	in.Slots = max(1, in.Slots)
	for range drainTurns {
		// Whoever has signalled before this turn wanted it.
		drained(wake)
		r, err := drain(ctx, in)
		if err != nil {
			return err
		}
		in.Slots = max(1, r.Slots)
		switch r.Next {
		case activities.DrainDone:
			if !drained(wake) {
				return nil
			}
		case activities.DrainWait:
			await(ctx, wake, r.Wait)
		case activities.DrainOn:
		}
	}
	return workflow.NewContinueAsNewError(ctx, DrainName, in)
}

func drain(ctx workflow.Context, in DrainEndpointInput) (activities.DrainResult, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: activities.DrainTime,
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
		Summary:             fmt.Sprintf("up to %d at once to %s", in.Slots, in.EndpointID),
	})
	var a *activities.Activities
	var r activities.DrainResult
	turn := activities.DrainInput{Environment: in.Environment, EndpointID: in.EndpointID, Slots: in.Slots}
	if err := workflow.ExecuteActivity(ctx, a.Drain, turn).Get(ctx, &r); err != nil {
		return r, fmt.Errorf("drain %s: %w", in.EndpointID, err)
	}
	return r, nil
}

// drained empties a channel and reports whether anything was in it.
func drained(wake workflow.ReceiveChannel) bool {
	some := false
	for wake.ReceiveAsync(nil) {
		some = true
	}
	return some
}

// await waits until it is woken or the time is over; zero waits to be woken.
func await(ctx workflow.Context, wake workflow.ReceiveChannel, most time.Duration) {
	timed, cancel := workflow.WithCancel(ctx)
	defer cancel()
	s := workflow.NewSelector(ctx)
	s.AddReceive(wake, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
	if most > 0 {
		s.AddFuture(workflow.NewTimer(timed, most), func(workflow.Future) {})
	}
	s.Select(ctx)
}
