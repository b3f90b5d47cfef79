package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
)

// SlowFirstsInput names deliveries of one event whose first attempt may take long.
type SlowFirstsInput struct {
	FirstsInput

	// Begun: the attempts were begun before, and are waited for to their end.
	Begun bool `json:"begun,omitempty"`
}

// slowPatience is how long SlowFirsts waits for attempts that it has begun. What hangs longer is waited for apart from them.
const slowPatience = 3 * time.Second

// slowPermit is how long one of them waits for a place at its endpoint, before what is for the endpoint is put in a line. It
// is long, because in a moment in which this machine is slow the places of endpoints are taken that are not.
const slowPermit = 2 * time.Second

// SlowFirstsTime bounds SlowFirsts, the claims before the attempts included.
const SlowFirstsTime = flightTime + 20*time.Second

// SlowFirsts makes the first attempts at endpoints that do not answer well, and those that Firsts has left, side by side and
// as one activity: as one each, a moment in which this machine is slow would cost it thirty times the work when it can do
// least. The outcomes are in the order of the targets.
func (a *Activities) SlowFirsts(ctx context.Context, in SlowFirstsInput) ([]Outcome, error) {
	stop := beat(ctx)
	defer stop()
	release, roomy := a.slow.take()
	defer release()
	patience := slowPatience
	switch {
	case in.Begun && !roomy:
		return nil, again(ErrorBusy, errHangs.Error(), a.busyWait(ctx))
	case in.Begun:
		patience = flightTime
	case !roomy:
		patience = DefaultPatience
	}
	c := a.newCrew(len(in.Targets))
	if err := a.addBegun(ctx, in, c); err != nil {
		return nil, err
	}
	if !in.Begun {
		a.addSlow(ctx, in.FirstsInput, c)
		c.begin(ctx, a.slowFirst)
	}
	return c.wait(ctx, patience), nil
}

// addBegun waits for attempts that are under way, and finds those that have ended.
func (a *Activities) addBegun(ctx context.Context, in SlowFirstsInput, c *crew) error {
	at := make(map[busbar.DeliveryID]int)
	var ids []busbar.DeliveryID
	for i, t := range in.Targets {
		if !c.join(i, t.DeliveryID) {
			at[t.DeliveryID] = i
			ids = append(ids, t.DeliveryID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	list, err := a.cfg.Deliveries.Standing(ctx, ids)
	if err != nil {
		return err
	}
	if in.Begun {
		for _, i := range at {
			// Its retention is over, unless it is found.
			c.note(i, landing{outcome: OutcomeCancelled})
		}
	}
	for _, d := range list {
		switch {
		case d.Status != busbar.DeliveryPending:
			c.note(at[d.ID], landing{outcome: Outcome(d.Status)})
		case d.Attempts > 0:
			c.note(at[d.ID], landing{OutcomeRetry, d.NextAttemptAt})
		case in.Begun:
			// It is another process that makes the attempt.
			c.note(at[d.ID], landing{OutcomeBusy, a.cfg.Now()})
		}
	}
	return nil
}

// errHangs says that too many wait for endpoints that hang.
var errHangs = errors.New("as many attempts at endpoints that hang are waited for as may be")

// addSlow parks what is for endpoints that take none now, and claims the rest together, as far as there are places for it. What
// goes wrong here is left to the claim of each.
func (a *Activities) addSlow(ctx context.Context, in FirstsInput, c *crew) {
	info := activity.GetInfo(ctx)
	owner := info.WorkflowExecution.ID + "/" + info.ActivityID
	subs, err := a.cfg.Sources.Subscribers(ctx, in.Environment)
	if err != nil {
		subs = &store.Subscribers{}
	}
	parked, parkErr := a.parkAll(ctx, in, subs)
	err = errors.Join(err, parkErr)
	fresh := store.FreshClaim{Owner: owner}
	releases := make(map[busbar.DeliveryID]func())
	for i := range in.Targets {
		t := in.target(i)
		sub, known := subs.Get(t.EndpointID)
		switch {
		case c.known(i):
			continue
		case parked[t.DeliveryID]:
			c.note(i, landing{outcome: OutcomeParked})
			continue
		case known && sub.RateLimit > 0:
			c.note(i, landing{outcome: OutcomePaced})
			continue
		}
		c.add(i, firstTry{Target: t, owner: owner, wait: slowPermit})
		if !known || sub.Shut() {
			continue
		}
		if release, ok := a.cfg.Gate.TryAcquire(string(t.EndpointID), sub.MaxInFlight); ok {
			releases[t.DeliveryID] = release
			a.addFresh(&fresh, sub, t.DeliveryID)
		}
	}
	ready := make(map[busbar.DeliveryID]intake.Shipment, len(releases))
	if err := errors.Join(err, a.claimFresh(ctx, in.Environment, fresh, ready)); err != nil {
		a.cfg.Logger.WarnContext(ctx, "could not prepare slow first attempts", "event_id", in.EventID, "error", err)
	}
	for i := range c.tries {
		try := &c.tries[i]
		try.release = releases[try.DeliveryID]
		try.shipment, try.ready = ready[try.DeliveryID]
	}
}

// parkAll parks what is for endpoints that take none now.
func (a *Activities) parkAll(ctx context.Context, in FirstsInput, subs *store.Subscribers) (map[busbar.DeliveryID]bool, error) {
	var shut []busbar.DeliveryID
	for _, t := range in.Targets {
		if sub, ok := subs.Get(t.EndpointID); ok && sub.Shut() && !a.cfg.Flights.under(t.DeliveryID) {
			shut = append(shut, t.DeliveryID)
		}
	}
	if len(shut) == 0 {
		return nil, nil
	}
	list, err := a.cfg.Deliveries.ParkAll(ctx, in.Environment, shut)
	parked := make(map[busbar.DeliveryID]bool, len(list))
	for _, id := range list {
		parked[id] = true
		a.cfg.Observer.Delivery(in.Environment, busbar.DeliveryParked)
	}
	return parked, err
}

// slowFirst makes one first attempt that may take long.
func (a *Activities) slowFirst(ctx context.Context, try firstTry) landing {
	l, err := a.first(ctx, try)
	if errors.Is(err, errFull) {
		l.outcome, err = a.crowded(ctx, try.Target, try.owner)
	}
	if e, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		switch e.Type() {
		case ErrorNotDue:
			return landing{OutcomeRetry, a.cfg.Now().Add(e.NextRetryDelay())}
		case ErrorPaced:
			return landing{outcome: OutcomePaced}
		case ErrorBusy:
			return landing{outcome: OutcomeBusy}
		}
	}
	if err != nil {
		return a.leave(ctx, try, err)
	}
	return l
}
