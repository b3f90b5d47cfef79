package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"busbar"
	"busbar/web/strictjson"
)

const (
	// testMargin is how long a test send may take beside its attempt.
	testMargin = 5 * time.Second
	// The first attempt usually takes milliseconds; later looks are further apart.
	firstLook, maxLook = 20 * time.Millisecond, 250 * time.Millisecond
)

// TestBody sends an example to an endpoint.
type TestBody struct {
	Type strictjson.Optional[string] `json:"type" doc:"Whose example is sent; webhook.test by default." example:"device.updated"`
}

// TestResult is the attempt of a test send.
type TestResult struct {
	Attempt
	EventID    busbar.EventID        `json:"eventId"`
	DeliveryID busbar.DeliveryID     `json:"deliveryId"`
	Status     busbar.DeliveryStatus `json:"status" enum:"pending,delivered,failed,parked,cancelled"`
}

// testEndpoint tries disabled endpoints too: that is how one finds out whether to enable it.
func (a *API) testEndpoint(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("endpoint")
	if err != nil {
		return nil, err
	}
	body, err := decode[TestBody](r)
	if err != nil {
		return nil, err
	}
	e, err := a.Store.Endpoint(ctx, r.Env, busbar.EndpointID(id))
	if err != nil {
		return nil, err
	}
	example, err := a.exampleOf(ctx, r.Env, body.Type.Or(busbar.TypeTest))
	if err != nil {
		return nil, err
	}
	wait := a.timeoutOf(&e) + testMargin
	if err := r.Extend(wait + testMargin); err != nil {
		return nil, err
	}
	deliveryID, eventID, err := a.Intake.SendTest(ctx, r.Env, e.ID, example, r.Idempotency)
	if err != nil {
		return nil, err
	}
	attempt, delivery, err := a.firstAttempt(ctx, r.Env, deliveryID, wait)
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, TestResult{viewAttempt(&attempt), eventID, deliveryID, delivery.Status}}, nil
}

// exampleOf is an event with the example of a type.
func (a *API) exampleOf(ctx context.Context, env busbar.Environment, name string) (busbar.Event, error) {
	known, err := a.catalog.get(ctx, env, name)
	if err != nil && busbar.CodeOf(err) == busbar.CodeNotFound {
		return busbar.Event{}, busbar.Invalid("type", "unknown", "there is no event type %q", shorten(name))
	}
	if err != nil {
		return busbar.Event{}, err
	}
	if known.Example == nil {
		return busbar.Event{}, busbar.Invalid("type", "no_example", "the event type %s has no example", name)
	}
	return busbar.Event{Environment: env, Type: name, Data: append(json.RawMessage(nil), known.Example...)}, nil
}

// firstAttempt waits until an attempt is on record.
func (a *API) firstAttempt(ctx context.Context, env busbar.Environment, id busbar.DeliveryID, wait time.Duration) (busbar.Attempt, busbar.Delivery, error) {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for pause := firstLook; ; pause = min(2*pause, maxLook) {
		attempts, err := a.Store.Attempts(ctx, id)
		if err != nil {
			return busbar.Attempt{}, busbar.Delivery{}, err
		}
		d, err := a.Store.Delivery(ctx, env, id)
		if err != nil {
			return busbar.Attempt{}, d, err
		}
		switch {
		case len(attempts) > 0:
			return attempts[0], d, nil
		case d.Status != busbar.DeliveryPending && d.Attempts == 0:
			return busbar.Attempt{}, d, busbar.Errorf(busbar.CodeConflict, "the test was not sent: %s", d.LastError)
		}
		look := time.NewTimer(pause)
		select {
		case <-look.C:
		case <-deadline.C:
			look.Stop()
			return busbar.Attempt{}, d, busbar.Unavailable(testMargin, nil,
				"the test send %s was accepted and has not been made yet; GET /v1/deliveries/%s shows it later", id, id)
		case <-ctx.Done():
			look.Stop()
			return busbar.Attempt{}, d, ctx.Err()
		}
	}
}
