package driver

import (
	"time"

	"busbar"
	"busbar/internal/webhook"
)

// What the tests of parsing ask for.
var GatewayAnswer = gatewayAnswer

// AmpsAction reads an answer that should hold an action.
func AmpsAction(result webhook.Result) (Outcome, error) {
	reply, err := ampsAnswer(result)
	if err != nil {
		return outcomeOf(err)
	}
	return reply.action()
}

// AmpsReading reads an answer that should hold a device.
func AmpsReading(result webhook.Result, f busbar.Family, now time.Time) (Reading, error) {
	reply, err := ampsAnswer(result)
	if err != nil {
		return Reading{}, err
	}
	var d ampsDevice
	if err := reply.into(&d); err != nil {
		return Reading{}, err
	}
	return d.reading(f.Spec(), now), nil
}
