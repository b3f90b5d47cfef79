package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
)

// FirstsInput names deliveries of one event.
type FirstsInput struct {
	Environment busbar.Environment `json:"environment"`
	EventID     busbar.EventID     `json:"eventId"`
	Targets     []FirstTarget      `json:"targets"`
}

// FirstTarget is one of them.
type FirstTarget struct {
	DeliveryID busbar.DeliveryID `json:"deliveryId"`
	EndpointID busbar.EndpointID `json:"endpointId"`
}

// DefaultPatience is how long Firsts waits for its attempts. The event's task is open meanwhile, and nothing that follows
// from one of them begins; those that take longer go on by themselves.
const DefaultPatience = 500 * time.Millisecond

// Firsts makes the first attempts of an event side by side, as one local activity: as one each, every result would have the
// workflow look at all the others. The outcomes are in the order of the targets.
func (a *Activities) Firsts(ctx context.Context, in FirstsInput) ([]Outcome, error) {
	outcomes := make([]Outcome, len(in.Targets))
	ready := a.prepare(ctx, in, outcomes)
	type ended struct {
		at      int
		outcome Outcome
	}
	results := make(chan ended, len(in.Targets))
	waiting := 0
	for i, target := range in.Targets {
		if outcomes[i] != "" {
			continue
		}
		t := Target{in.Environment, target.DeliveryID, target.EndpointID}
		s, prepared := ready[t.DeliveryID]
		outcomes[i] = OutcomeUnderWay
		begun := a.cfg.Flights.begin(ctx, t.DeliveryID, func(ctx context.Context) {
			outcome, err := a.first(ctx, t, s, prepared)
			if err != nil {
				a.cfg.Logger.WarnContext(ctx, "left a first attempt to the regular way", "delivery_id", t.DeliveryID, "error", err)
				outcome = OutcomeBusy
			}
			results <- ended{i, outcome}
		})
		if begun {
			waiting++
		}
	}
	patience := time.NewTimer(a.cfg.Patience)
	defer patience.Stop()
	for range waiting {
		select {
		case r := <-results:
			outcomes[r.at] = r.outcome
		case <-patience.C:
			return outcomes, nil
		}
	}
	return outcomes, nil
}

// prepare collects what can be sent at once: what this process has accepted, and of the rest what can be claimed together.
// It has the outcomes of those that are not for the quick way. What goes wrong here is left to the claim of each.
func (a *Activities) prepare(ctx context.Context, in FirstsInput, outcomes []Outcome) map[busbar.DeliveryID]intake.Shipment {
	ready := make(map[busbar.DeliveryID]intake.Shipment, len(in.Targets))
	subs, err := a.cfg.Sources.Subscribers(ctx, in.Environment)
	if err != nil {
		subs = &store.Subscribers{}
	}
	var given []busbar.DeliveryID
	fresh := store.FreshClaim{Owner: intake.FirstOwner}
	for i, t := range in.Targets {
		s, prepared := a.cfg.Prepared.Take(t.DeliveryID)
		sub, known := subs.Get(t.EndpointID)
		outcomes[i] = a.unfit(t.EndpointID, sub)
		switch {
		case outcomes[i] != "" && prepared:
			given = append(given, t.DeliveryID)
		case outcomes[i] != "":
		case prepared:
			ready[t.DeliveryID] = s
		case known && !sub.Shut() && !a.cfg.Flights.under(t.DeliveryID):
			fresh.Deliveries = append(fresh.Deliveries, store.Fresh{
				DeliveryID: t.DeliveryID, EndpointID: t.EndpointID, MaxInFlight: sub.MaxInFlight,
			})
			fresh.For = max(fresh.For, a.timeout(sub)+ClaimMargin)
		}
	}
	if len(given) > 0 {
		err = errors.Join(err, a.cfg.Deliveries.Unclaim(ctx, intake.FirstOwner, given...))
	}
	if len(fresh.Deliveries) > 0 {
		err = errors.Join(err, a.claimFresh(ctx, in.Environment, fresh, ready))
	}
	if err != nil {
		a.cfg.Logger.WarnContext(ctx, "could not prepare first attempts", "event_id", in.EventID, "error", err)
	}
	return ready
}

// unfit says why an endpoint is not for the quick way, if it is not.
func (a *Activities) unfit(id busbar.EndpointID, sub *store.Subscriber) Outcome {
	switch {
	case !a.cfg.Health.Quick(string(id)):
		return OutcomeSlow
	case sub != nil && sub.RateLimit > 0:
		// It may have to wait, which must not hold up the task.
		return OutcomeBusy
	default:
		return ""
	}
}

// claimFresh claims deliveries of one event in one transaction and reads the event once.
func (a *Activities) claimFresh(
	ctx context.Context, env busbar.Environment, fresh store.FreshClaim, ready map[busbar.DeliveryID]intake.Shipment,
) error {
	until := a.cfg.Now().Add(store.StartClaim)
	claimed, err := a.cfg.Deliveries.ClaimFresh(ctx, fresh)
	if err != nil || len(claimed) == 0 {
		return err
	}
	for _, d := range claimed {
		// Without a time until when it may be sent as it is, it is claimed and read again.
		ready[d.ID] = intake.Shipment{Delivery: d}
	}
	e, err := a.cfg.Sources.Event(ctx, env, claimed[0].EventID)
	if err != nil {
		return fmt.Errorf("read event: %w", err)
	}
	// Read after the claim, so that no endpoint gets anything that was deleted or disabled before it.
	subs, err := a.cfg.Sources.Subscribers(ctx, env)
	if err != nil {
		return fmt.Errorf("read endpoints: %w", err)
	}
	for _, d := range claimed {
		if sub, ok := subs.Get(d.EndpointID); ok && !sub.Shut() {
			ready[d.ID] = intake.Shipment{Delivery: d, Event: e, Subscriber: sub, Until: until}
		}
	}
	return nil
}
