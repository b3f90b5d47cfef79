package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
)

// The heartbeat of Deliver: HeartbeatTimeout without one means that its worker is gone.
const (
	HeartbeatTimeout = 5 * time.Second
	heartbeatEvery   = time.Second
)

// Waits of Deliver for reasons other than the schedule.
const (
	deliverPermit = 200 * time.Millisecond
	busyFirst     = time.Second
	busyMost      = time.Minute
	// A claim lasts for the longest attempt there may be; most end long before.
	heldLook = 2 * time.Second
)

// Types of the errors by which Deliver asks to be run again. People read them in the Temporal UI.
const (
	ErrorAttemptFailed = "AttemptFailed"
	ErrorNotDue        = "NotDue"
	ErrorBusy          = "Busy"
	ErrorPaced         = "RateLimited"
)

// Deliver makes the attempts of a delivery that First did not finish, one an execution: between them Temporal keeps
// the time. The delivery's row says which attempt is next and when; Temporal's own count says nothing.
func (a *Activities) Deliver(ctx context.Context, t Target) (Outcome, error) {
	stop := beat(ctx)
	defer stop()
	info := activity.GetInfo(ctx)
	owner := info.WorkflowExecution.ID + "/" + info.ActivityID
	if parked, err := a.parkShut(ctx, t, owner); err != nil || parked {
		return OutcomeParked, err
	}
	leave, ok := a.enter(t.EndpointID)
	if !ok {
		return "", again(ErrorBusy, errHangs.Error(), a.busyWait(ctx))
	}
	defer leave()
	if err := a.cfg.Flights.wait(ctx, t.DeliveryID); err != nil {
		return "", fmt.Errorf("wait for the first attempt: %w", err)
	}
	release, ok := a.permit(ctx, t, deliverPermit, nil)
	if !ok {
		return a.crowded(ctx, t, owner)
	}
	defer release()
	outcome, c, err := a.claim(ctx, t, claimant{name: owner})
	if errors.Is(err, errFull) {
		return a.crowded(ctx, t, owner)
	}
	if err != nil || c == nil {
		return outcome, err
	}
	c.release = release
	f, err := a.attempt(ctx, c)
	if err != nil {
		return "", err
	}
	if f.Status != busbar.DeliveryPending {
		return Outcome(f.Status), nil
	}
	return "", again(ErrorAttemptFailed, describe(f.Attempt.Number, f.Attempt.Error, f.NextAttemptAt), f.NextAttemptAt.Sub(a.cfg.Now()))
}

// errFull says that all workers together send as many deliveries to an endpoint as it allows.
var errFull = errors.New("as many attempts as the endpoint allows are under way")

// crowded parks a delivery that found no place at its endpoint, and what comes after it: many that wait, each for itself,
// would cost far more than the attempts, and go out in no order. One that was tried before, or that a person wants tried,
// comes again.
func (a *Activities) crowded(ctx context.Context, t Target, owner string) (Outcome, error) {
	subs, err := a.cfg.Sources.Subscribers(ctx, t.Environment)
	if err != nil {
		return "", fmt.Errorf("read endpoint: %w", err)
	}
	begun := false
	if sub, ok := subs.Get(t.EndpointID); ok && !sub.Shut() {
		if begun, err = a.cfg.Circuits.Crowd(ctx, t.Environment, t.EndpointID); err != nil {
			return "", fmt.Errorf("begin a line of deliveries: %w", err)
		}
	}
	parked, err := a.parkShut(ctx, t, owner)
	if err != nil {
		return "", err
	}
	if begun {
		if err := a.cfg.Director.StartDrain(ctx, t.Environment, t.EndpointID); err != nil {
			// The line is on record; the reconciler has it sent.
			a.cfg.Logger.WarnContext(ctx, "could not start draining", "endpoint_id", t.EndpointID, "error", err)
		}
	}
	if !parked {
		return "", again(ErrorBusy, errFull.Error(), a.busyWait(ctx))
	}
	return OutcomeParked, nil
}

// parkShut parks a delivery before it takes a place in the line of an endpoint that takes none now.
func (a *Activities) parkShut(ctx context.Context, t Target, owner string) (bool, error) {
	subs, err := a.cfg.Sources.Subscribers(ctx, t.Environment)
	if err != nil {
		return false, fmt.Errorf("read endpoint: %w", err)
	}
	if sub, ok := subs.Get(t.EndpointID); !ok || !sub.Shut() {
		return false, nil
	}
	parked, err := a.cfg.Deliveries.ParkShut(ctx, t.Environment, t.DeliveryID, owner, false)
	if parked {
		a.cfg.Observer.Delivery(t.Environment, busbar.DeliveryParked)
	}
	return parked, err
}

// claimed is a shipment that may be sent.
type claimed struct {
	intake.Shipment
	owner   string
	attempt int
	manual  bool
	// job, if set, has it sent.
	job busbar.JobID
	// release gives back the place at the endpoint.
	release func()
	// records, if set, gathers its record with those of others.
	records *sheaf
}

// claimant is who claims. It is unsent when it has claimed before and sent nothing.
type claimant struct {
	name   string
	unsent bool
	// also are the states beside pending in which it sends.
	also []busbar.DeliveryStatus
	job  busbar.JobID
}

// drains reports whether the claimant may send to an endpoint that is shut: it is draining it.
func (c claimant) drains() bool { return len(c.also) > 0 }

// claim takes the right to send. It gives a shipment, or an outcome when there is nothing to send, or an error that
// asks to come again.
func (a *Activities) claim(ctx context.Context, t Target, by claimant) (Outcome, *claimed, error) {
	lasts := busbar.MaxDeliveryTimeout + ClaimMargin
	rate, most := 0.0, busbar.DefaultMaxInFlight
	if subs, err := a.cfg.Sources.Subscribers(ctx, t.Environment); err == nil {
		if sub, ok := subs.Get(t.EndpointID); ok {
			lasts, rate, most = a.timeout(sub)+ClaimMargin, sub.RateLimit, sub.MaxInFlight
		}
	}
	c, err := a.cfg.Deliveries.Claim(ctx, store.ClaimRequest{
		DeliveryID: t.DeliveryID, EndpointID: t.EndpointID, MaxInFlight: most, Owner: by.name, For: lasts, Unsent: by.unsent,
		Also: by.also, Rate: rate,
	})
	if err != nil {
		if busbar.CodeOf(err) == busbar.CodeNotFound {
			// Its retention is over.
			return OutcomeCancelled, nil, nil
		}
		return "", nil, fmt.Errorf("claim delivery: %w", err)
	}
	switch c.Outcome {
	case store.ClaimClosed:
		return Outcome(c.Delivery.Status), nil, nil
	case store.ClaimNotDue:
		d := c.Delivery
		return "", nil, again(ErrorNotDue, describe(d.Attempts, d.LastError, d.NextAttemptAt), c.Wait)
	case store.ClaimPaced:
		return "", nil, again(ErrorPaced, "the endpoint's rate limit", c.Wait)
	case store.ClaimFull:
		return "", nil, errFull
	case store.ClaimHeld:
		return "", nil, again(ErrorBusy, "another worker is making an attempt", min(c.Wait, heldLook))
	case store.Claimed:
	}
	s, err := a.load(ctx, c.Delivery)
	if err != nil {
		return "", nil, errors.Join(err, a.cfg.Deliveries.Unclaim(ctx, by.name, t.DeliveryID))
	}
	if outcome, closed, err := a.closeUnwanted(ctx, s, by); err != nil || closed {
		return outcome, nil, err
	}
	return "", &claimed{Shipment: s, owner: by.name, attempt: c.Attempt, manual: c.Manual, job: by.job}, nil
}

// closeUnwanted ends a delivery whose endpoint was deleted and parks one whose endpoint takes none now.
func (a *Activities) closeUnwanted(ctx context.Context, s intake.Shipment, by claimant) (Outcome, bool, error) {
	d := s.Delivery
	switch {
	case s.Subscriber == nil:
		if err := a.cfg.Deliveries.Unclaim(ctx, by.name, d.ID); err != nil {
			return "", false, err
		}
		if _, err := a.cfg.Deliveries.CloseDelivery(ctx, d.ID, busbar.DeliveryCancelled, errGone.Error()); err != nil {
			return "", false, fmt.Errorf("close delivery: %w", err)
		}
		a.cfg.Observer.Delivery(d.Environment, busbar.DeliveryCancelled)
		return OutcomeCancelled, true, nil
	case d.Single || goesThrough(s.Subscriber, d) || s.Subscriber.Enabled && by.drains():
		return "", false, nil
	case d.Status != busbar.DeliveryPending:
		// The endpoint was disabled in the middle of draining it.
		return Outcome(d.Status), true, a.cfg.Deliveries.Unclaim(ctx, by.name, d.ID)
	}
	parked, err := a.cfg.Deliveries.ParkShut(ctx, d.Environment, d.ID, by.name, true)
	if err != nil || !parked {
		// When it is not parked, the endpoint takes it after all: what is known here may be a moment old.
		return "", false, err
	}
	a.cfg.Observer.Delivery(d.Environment, busbar.DeliveryParked)
	return OutcomeParked, true, nil
}

// goesThrough reports whether a delivery is sent and not parked. What a person wants tried now goes through an open
// circuit, what was tried before through a half-open one.
func goesThrough(sub *store.Subscriber, d busbar.Delivery) bool {
	switch {
	case !sub.Enabled:
		return false
	case !sub.Shut() || d.RetryNow:
		return true
	default:
		return sub.Circuit.State == busbar.CircuitHalfOpen && d.Attempts > 0
	}
}

// again asks Temporal to run the activity once more, after a wait.
func again(kind, message string, wait time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(message, kind, temporal.ApplicationErrorOptions{
		NextRetryDelay: max(wait, time.Millisecond),
	})
}

// comesAgain reports whether an error only asks to run the activity once more.
func comesAgain(err error) bool {
	e, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && (e.Type() == ErrorBusy || e.Type() == ErrorNotDue || e.Type() == ErrorPaced)
}

// paced is how long it is until a rate-limited endpoint takes the delivery.
func paced(err error) (time.Duration, bool) {
	e, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || e.Type() != ErrorPaced {
		return 0, false
	}
	return e.NextRetryDelay(), true
}

func describe(attempts int, reason string, next time.Time) string {
	return fmt.Sprintf("attempt %d: %s; next try at %s", attempts, reason, next.UTC().Format(timeFormat))
}

// busyWait grows with each time that a delivery found no slot, so that a long queue is not asked after too often.
func (a *Activities) busyWait(ctx context.Context) time.Duration {
	wait := busyFirst
	for n := activity.GetInfo(ctx).Attempt; n > 1 && wait < busyMost; n-- {
		wait *= 2
	}
	wait = min(wait, busyMost)
	return time.Duration(float64(wait) * (0.75 + a.cfg.Random()/2))
}

// beat tells Temporal that the worker lives, until stop is called.
func beat(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(heartbeatEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				activity.RecordHeartbeat(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}
