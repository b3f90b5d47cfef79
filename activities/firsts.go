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

func (in *FirstsInput) target(i int) Target {
	return Target{in.Environment, in.Targets[i].DeliveryID, in.Targets[i].EndpointID}
}

// DefaultPatience is how long Firsts waits for its attempts. The event's task is open meanwhile, and nothing that follows
// from one of them begins; those that take longer go on by themselves.
const DefaultPatience = time.Second

// Firsts makes the first attempts of an event side by side, as one local activity: as one each, every result would have the
// workflow look at all the others. The outcomes are in the order of the targets.
func (a *Activities) Firsts(ctx context.Context, in FirstsInput) ([]Outcome, error) {
	c := a.newCrew(len(in.Targets))
	for i, t := range in.Targets {
		// The event's task is run again when it took too long.
		_ = c.join(i, t.DeliveryID)
	}
	ready := a.prepare(ctx, in, c)
	for i := range in.Targets {
		if c.known(i) {
			continue
		}
		try := firstTry{Target: in.target(i), owner: intake.FirstOwner, wait: firstPermit}
		try.shipment, try.ready = ready[try.DeliveryID]
		try.unawaited = !a.cfg.Health.Quick(string(try.EndpointID))
		c.add(i, try)
	}
	c.begin(ctx, func(ctx context.Context, try firstTry) landing {
		l, err := a.first(ctx, try)
		if err != nil {
			return a.leave(ctx, try, err)
		}
		return l
	})
	return c.wait(ctx, a.cfg.Patience), nil
}

// leave has a delivery whose first attempt was not made go on by itself.
func (a *Activities) leave(ctx context.Context, try firstTry, err error) landing {
	if !errors.Is(err, errFull) {
		a.cfg.Logger.WarnContext(ctx, "left a first attempt to the regular way", "delivery_id", try.DeliveryID, "error", err)
	}
	return landing{outcome: OutcomeBusy}
}

// prepare collects what can be sent at once: what this process has accepted, and of the rest what can be claimed together.
// It notes the outcomes of those that are not for the quick way. What goes wrong here is left to the claim of each.
func (a *Activities) prepare(ctx context.Context, in FirstsInput, c *crew) map[busbar.DeliveryID]intake.Shipment {
	ready := make(map[busbar.DeliveryID]intake.Shipment, len(in.Targets))
	subs, err := a.cfg.Sources.Subscribers(ctx, in.Environment)
	if err != nil {
		subs = &store.Subscribers{}
	}
	var given []busbar.DeliveryID
	fresh := store.FreshClaim{Owner: intake.FirstOwner}
	for i, t := range in.Targets {
		if c.known(i) {
			continue
		}
		s, prepared := a.cfg.Prepared.Take(t.DeliveryID)
		sub, known := subs.Get(t.EndpointID)
		unfit := a.unfit(t.EndpointID, sub)
		switch {
		case prepared && unfit != OutcomePaced:
			// One that is slow by now is sent all the same: it is claimed, and nobody need wait for it.
			ready[t.DeliveryID] = s
		case unfit != "":
			c.note(i, landing{outcome: unfit})
			if prepared {
				given = append(given, t.DeliveryID)
			}
		case known && !sub.Shut() && !a.cfg.Flights.under(t.DeliveryID):
			a.addFresh(&fresh, sub, t.DeliveryID)
		}
	}
	if len(given) > 0 {
		err = errors.Join(err, a.cfg.Deliveries.Unclaim(ctx, intake.FirstOwner, given...))
	}
	err = errors.Join(err, a.claimFresh(ctx, in.Environment, fresh, ready))
	if err != nil {
		a.cfg.Logger.WarnContext(ctx, "could not prepare first attempts", "event_id", in.EventID, "error", err)
	}
	return ready
}

// unfit says why an endpoint is not for the quick way, if it is not.
func (a *Activities) unfit(id busbar.EndpointID, sub *store.Subscriber) Outcome {
	switch {
	case sub != nil && sub.RateLimit > 0:
		// It may have to wait, which must not hold up the task.
		return OutcomePaced
	case !a.cfg.Health.Quick(string(id)):
		return OutcomeSlow
	default:
		return ""
	}
}

func (a *Activities) addFresh(fresh *store.FreshClaim, sub *store.Subscriber, id busbar.DeliveryID) {
	fresh.Deliveries = append(fresh.Deliveries, store.Fresh{DeliveryID: id, EndpointID: sub.ID, MaxInFlight: sub.MaxInFlight})
	fresh.For = max(fresh.For, a.timeout(sub)+ClaimMargin)
}

// claimFresh claims deliveries of one event in one transaction and reads the event once.
func (a *Activities) claimFresh(
	ctx context.Context, env busbar.Environment, fresh store.FreshClaim, ready map[busbar.DeliveryID]intake.Shipment,
) error {
	if len(fresh.Deliveries) == 0 {
		return nil
	}
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
