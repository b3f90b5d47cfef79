package activities

import (
	"context"
	"errors"
	"time"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
)

// firstPermit is how long a first attempt waits for a free slot of its endpoint, holding up its event's task.
const firstPermit = 250 * time.Millisecond

// ClaimMargin is how long a claim outlives the timeout of its attempt.
const ClaimMargin = 5 * time.Second

// First makes the first attempt at an endpoint that answers well, as a local activity in the event's own task. What it
// cannot do quickly it leaves to Deliver.
//
// Workflows that began under earlier code run it; Firsts has taken its place.
func (a *Activities) First(ctx context.Context, t Target) (Outcome, error) {
	outcomes, err := a.Firsts(ctx, FirstsInput{
		Environment: t.Environment, Targets: []FirstTarget{{DeliveryID: t.DeliveryID, EndpointID: t.EndpointID}},
	})
	if err != nil {
		return "", err
	}
	return outcomes[0], nil
}

// firstTry is a first attempt to be made.
type firstTry struct {
	Target
	// owner claims; it makes several attempts, of one event.
	owner string
	// shipment, when ready, was claimed by the owner, and nothing was sent.
	shipment intake.Shipment
	ready    bool
	// release gives back the place at the endpoint, once there is one.
	release func()
	// wait is how long a place is waited for.
	wait time.Duration
	// unawaited: it takes longer than anybody waits.
	unawaited bool
	records   *sheaf
}

// first makes one first attempt. A place that could not be had is errFull.
func (a *Activities) first(ctx context.Context, try firstTry) (landing, error) {
	defer try.records.leave(ctx)
	if try.release == nil {
		release, ok := a.permit(ctx, try.Target, try.wait, try.shipment.Subscriber)
		if !ok {
			return landing{}, errors.Join(errFull, a.unclaim(ctx, &try))
		}
		try.release = release
	}
	defer try.release()
	c := &claimed{Shipment: try.shipment, owner: try.owner, attempt: 1, records: try.records}
	if !try.ready || !a.cfg.Now().Before(try.shipment.Until) {
		outcome, again, err := a.claim(ctx, try.Target, claimant{name: try.owner, unsent: try.ready})
		if err != nil || again == nil {
			return landing{outcome: outcome}, err
		}
		c, c.records = again, try.records
	}
	c.release = try.release
	f, err := a.attempt(ctx, c)
	switch {
	case err != nil:
		return landing{}, err
	case f.Status == busbar.DeliveryPending:
		return landing{OutcomeRetry, f.NextAttemptAt}, nil
	default:
		return landing{outcome: Outcome(f.Status)}, nil
	}
}

// unclaim gives back the right to an attempt that is not made.
func (a *Activities) unclaim(ctx context.Context, try *firstTry) error {
	if !try.ready {
		return nil
	}
	try.ready = false
	return a.cfg.Deliveries.Unclaim(ctx, try.owner, try.DeliveryID)
}

// permit waits for a free slot of an endpoint.
func (a *Activities) permit(ctx context.Context, t Target, wait time.Duration, sub *store.Subscriber) (release func(), ok bool) {
	limit := busbar.DefaultMaxInFlight
	if sub == nil {
		if subs, err := a.cfg.Sources.Subscribers(ctx, t.Environment); err == nil {
			sub, _ = subs.Get(t.EndpointID)
		}
	}
	if sub != nil {
		limit = sub.MaxInFlight
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	release, err := a.cfg.Gate.Acquire(ctx, string(t.EndpointID), limit)
	return release, err == nil
}
