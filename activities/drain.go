package activities

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"

	"busbar"
)

// DrainInput names an endpoint and says how many deliveries may be under way at once.
type DrainInput struct {
	Environment busbar.Environment `json:"environment"`
	EndpointID  busbar.EndpointID  `json:"endpointId"`
	Slots       int                `json:"slots"`
}

// DrainNext is what follows a turn of draining.
type DrainNext string

// What follows.
const (
	// DrainDone: nothing is parked, or the endpoint is disabled or gone.
	DrainDone DrainNext = "done"
	// DrainWait: nothing is to be tried before DrainResult.Wait is over.
	DrainWait DrainNext = "wait"
	// DrainOn: there may be more.
	DrainOn DrainNext = "on"
)

// DrainResult is a turn of draining.
type DrainResult struct {
	Next DrainNext     `json:"next"`
	Wait time.Duration `json:"wait,omitempty"`
	// Slots are those of the next turn: one for a probe, then twice as many each time, up to what the endpoint allows.
	Slots     int `json:"slots,omitempty"`
	Delivered int `json:"delivered,omitempty"`
	Failed    int `json:"failed,omitempty"`
}

// Sizes of a turn. It ends early when the endpoint fails, and begins no more deliveries after turnTime.
const (
	parkPage   = 200
	turnTime   = 10 * time.Second
	turnRounds = 8
	turnMost   = 500
	drainBusy  = 250 * time.Millisecond
	permitWait = 5 * time.Second
	// hangsLook is how often those look for a place whose endpoints hang.
	hangsLook = 2 * time.Second
	// placeLook is how often a place is looked for that other workers have taken.
	placeLook = 100 * time.Millisecond
)

// DrainTime bounds a turn of draining, the last attempts included.
const DrainTime = turnTime + permitWait + busbar.MaxDeliveryTimeout + ClaimMargin

// Drain takes a turn at what is parked for an endpoint. While its circuit is open it moves there what still waits in
// workflows, so that only rows are left, and tries one delivery when the time has come; once that has succeeded it sends
// the others, oldest first.
func (a *Activities) Drain(ctx context.Context, in DrainInput) (DrainResult, error) {
	stop := beat(ctx)
	defer stop()
	e, err := a.cfg.Circuits.Endpoint(ctx, in.Environment, in.EndpointID)
	if busbar.CodeOf(err) == busbar.CodeNotFound {
		return DrainResult{Next: DrainDone}, nil
	}
	if err != nil {
		return DrainResult{}, fmt.Errorf("read endpoint: %w", err)
	}
	if !e.Enabled || e.Circuit.State == busbar.CircuitOpen {
		if err := a.parkWaiting(ctx, &e); err != nil {
			return DrainResult{}, err
		}
	}
	if !e.Enabled {
		return DrainResult{Next: DrainDone}, nil
	}
	probe := e.Circuit.State == busbar.CircuitOpen
	most := 1
	if !probe {
		most = min(in.Slots*turnRounds, turnMost)
	}
	batch, err := a.cfg.Circuits.Parked(ctx, e.ID, most)
	if err != nil {
		return DrainResult{}, err
	}
	if len(batch) == 0 {
		closed, err := a.cfg.Circuits.CloseCircuit(ctx, in.Environment, e.ID)
		if closed {
			return DrainResult{Next: DrainDone}, err
		}
		return DrainResult{Next: DrainOn, Slots: in.Slots}, err
	}
	if recovering, err := a.cfg.Jobs.Recovering(ctx, e.ID, batch[0].CreatedAt); err != nil || recovering {
		// What the job sends may be older.
		return DrainResult{Next: DrainWait, Wait: drainedLook, Slots: 1}, err
	}
	if wait := e.Circuit.ProbeAt.Sub(a.cfg.Now()); probe && wait > 0 {
		return DrainResult{Next: DrainWait, Wait: wait, Slots: 1}, nil
	}
	leave, ok := a.enter(e.ID)
	if !ok {
		return DrainResult{Next: DrainWait, Wait: hangsLook, Slots: in.Slots}, nil
	}
	defer leave()
	switch e.Circuit.State {
	case busbar.CircuitOpen:
		if taken, err := a.cfg.Circuits.TryCircuit(ctx, e.ID); err != nil || !taken {
			return DrainResult{Next: DrainOn, Slots: 1}, err
		}
	case busbar.CircuitHalfOpen:
	case busbar.CircuitClosed, "":
		return DrainResult{Next: DrainOn, Slots: 1}, a.cfg.Circuits.QueueUp(ctx, in.Environment, e.ID)
	}
	t := a.sendBatch(ctx, &e, batch, in.Slots, claimant{name: drainer(ctx), also: []busbar.DeliveryStatus{busbar.DeliveryParked}})
	return a.ramp(ctx, &e, in.Slots, probe, t)
}

// drainer is who claims: the workflow, so that it finds its own claims again after a crash.
func drainer(ctx context.Context) string { return activity.GetInfo(ctx).WorkflowExecution.ID }

// parkWaiting parks what waits for a retry or for room, and has its workflows end.
func (a *Activities) parkWaiting(ctx context.Context, e *busbar.Endpoint) error {
	for {
		parked, err := a.cfg.Circuits.ParkWaiting(ctx, e.Environment, e.ID, parkPage)
		if err != nil {
			return err
		}
		for _, d := range parked {
			if err := a.cfg.Director.Wake(ctx, d); err != nil {
				return fmt.Errorf("end the wait of a parked delivery: %w", err)
			}
		}
		if len(parked) < parkPage {
			return nil
		}
	}
}

// ramp decides from a turn how the next one goes.
func (a *Activities) ramp(ctx context.Context, e *busbar.Endpoint, slots int, probe bool, t *tally) (DrainResult, error) {
	if err := t.error(); err != nil {
		return DrainResult{}, err
	}
	r := DrainResult{Next: DrainOn, Slots: min(2*slots, e.MaxInFlight), Delivered: t.delivered(), Failed: len(t.failed)}
	switch {
	case len(t.failed) == 0 && r.Delivered == 0:
		// Nothing could be sent: others hold it, or it was taken back.
		r.Slots, r.Next, r.Wait = slots, DrainWait, drainBusy
		return r, nil
	case probe && len(t.failed) > 0 || 2*len(t.failed) > r.Delivered+len(t.failed):
		r.Slots = 1
		return r, a.cfg.Circuits.ShutAgain(ctx, e.ID)
	}
	for _, c := range t.failed {
		if err := a.goOn(ctx, c); err != nil {
			return r, err
		}
	}
	return r, nil
}

// goOn gives a delivery that failed, though its endpoint takes others, back to its own retry schedule.
func (a *Activities) goOn(ctx context.Context, c *claimed) error {
	d := c.Delivery
	wait, ok := a.cfg.Schedule.Wait(d.Step, 0, a.cfg.Jitter, a.cfg.Random())
	if ok {
		d.Step++
	} else {
		// Its schedule is used up; the attempt that follows is its last.
		wait = busyFirst
	}
	d.NextAttemptAt = a.cfg.Now().Add(wait)
	if err := a.cfg.Director.Release(ctx, d); err != nil {
		return fmt.Errorf("give %s back to its schedule: %w", d.ID, err)
	}
	return nil
}

// tally is what became of a batch. Its methods are for after the batch.
type tally struct {
	mu     sync.Mutex
	ok     int
	failed []*claimed
	errs   []error
	// bad counts what failed, for those who begin the next.
	bad atomic.Int64
}

func (t *tally) delivered() int { return t.ok }

// error is the first error that is not about the endpoint, when nothing could be done but for it.
func (t *tally) error() error {
	if len(t.errs) == 0 || t.ok+len(t.failed) > 0 {
		return nil
	}
	return t.errs[0]
}

// trouble notes an error that is not about the endpoint.
func (t *tally) trouble(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errs = append(t.errs, err)
}

// turnBad failures in one turn end it: what is left is tried later.
const turnBad = 5

// sendBatch begins deliveries in their order, as many at once as there are slots, until the endpoint fails or the turn is
// over.
func (a *Activities) sendBatch(ctx context.Context, e *busbar.Endpoint, batch []busbar.Delivery, slots int, by claimant) *tally {
	t := &tally{}
	room := make(chan struct{}, max(1, min(slots, e.MaxInFlight)))
	over := a.cfg.Now().Add(turnTime)
	var group sync.WaitGroup
	for _, d := range batch {
		room <- struct{}{}
		if ctx.Err() != nil || t.bad.Load() >= turnBad || a.cfg.Now().After(over) {
			break
		}
		c := a.begin(ctx, t, d, by, over)
		if c == nil {
			<-room
			continue
		}
		group.Go(func() {
			defer func() { c.release(); <-room }()
			a.finish(ctx, t, c)
		})
	}
	group.Wait()
	return t
}

// begin claims one delivery of a batch. It is done in turn, so that deliveries start in their order; a rate limit is waited
// for until the turn is over.
func (a *Activities) begin(ctx context.Context, t *tally, d busbar.Delivery, by claimant, over time.Time) *claimed {
	target := Target{d.Environment, d.ID, d.EndpointID}
	release, ok := a.permit(ctx, target, permitWait, nil)
	if !ok {
		return nil
	}
	for {
		_, c, err := a.claim(ctx, target, by)
		if c != nil {
			c.release = release
			return c
		}
		if wait, ok := paced(err); ok && a.cfg.Now().Add(wait).Before(over) && sleep(ctx, wait) {
			continue
		}
		if errors.Is(err, errFull) && a.cfg.Now().Before(over) && sleep(ctx, placeLook) {
			// It keeps its turn.
			continue
		}
		release()
		if err != nil && !comesAgain(err) && !errors.Is(err, errFull) {
			t.trouble(err)
		}
		return nil
	}
}

// sleep reports whether the time is over, and false when ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (a *Activities) finish(ctx context.Context, t *tally, c *claimed) {
	f, err := a.attempt(ctx, c)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err != nil:
		t.errs = append(t.errs, err)
	case f.Status == busbar.DeliveryDelivered && f.Attempt.ErrorClass == "":
		t.ok++
	default:
		t.bad.Add(1)
		t.failed = append(t.failed, c)
	}
}
