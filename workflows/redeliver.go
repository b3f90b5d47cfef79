package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"busbar"
	"busbar/activities"
)

// RedeliverInput names a delivery that is open again, or whose workflow was lost.
type RedeliverInput struct {
	Environment busbar.Environment `json:"environment"`
	EventID     busbar.EventID     `json:"eventId"`
	Delivery    Delivery           `json:"delivery"`
}

// Redeliver brings one delivery to its end, as ProcessEvent would.
func Redeliver(ctx workflow.Context, in RedeliverInput) (activities.Outcome, error) {
	err := workflow.UpsertTypedSearchAttributes(ctx, failingEndpoints.ValueSet([]string{string(in.Delivery.EndpointID)}))
	if err != nil {
		return "", fmt.Errorf("show endpoint: %w", err)
	}
	return deliver(ctx, in.Environment, in.Delivery)
}
