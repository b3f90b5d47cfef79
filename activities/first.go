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

// first makes one first attempt. What was prepared is claimed already, and nothing was sent.
func (a *Activities) first(ctx context.Context, t Target, s intake.Shipment, prepared bool) (Outcome, error) {
	release, ok := a.permit(ctx, t, firstPermit, s.Subscriber)
	if !ok && prepared {
		return OutcomeBusy, a.cfg.Deliveries.Unclaim(ctx, intake.FirstOwner, t.DeliveryID)
	}
	if !ok {
		return OutcomeBusy, nil
	}
	defer release()
	c := &claimed{Shipment: s, owner: intake.FirstOwner, attempt: 1}
	if !prepared || !a.cfg.Now().Before(s.Until) {
		var outcome Outcome
		var err error
		outcome, c, err = a.claim(ctx, t, claimant{name: intake.FirstOwner, unsent: prepared})
		if errors.Is(err, errFull) {
			return OutcomeBusy, nil
		}
		if err != nil || c == nil {
			return outcome, err
		}
	}
	f, err := a.attempt(ctx, c)
	if err != nil {
		return "", err
	}
	if f.Status == busbar.DeliveryPending {
		return OutcomeRetry, nil
	}
	return Outcome(f.Status), nil
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
