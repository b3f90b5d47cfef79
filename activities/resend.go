package activities

import (
	"context"
	"fmt"
	"time"

	"busbar"
)

// Jobs is what resending needs of the store.
type Jobs interface {
	Job(ctx context.Context, env busbar.Environment, id busbar.JobID) (busbar.Job, error)
	CountJob(ctx context.Context, j *busbar.Job, e *busbar.Endpoint) error
	Missed(ctx context.Context, j *busbar.Job, limit int) ([]busbar.Delivery, error)
	Unmatched(ctx context.Context, j *busbar.Job, e *busbar.Endpoint, workflowID string, limit int) ([]busbar.Delivery, error)
	MoveJob(ctx context.Context, env busbar.Environment, id busbar.JobID, to busbar.JobStatus, reason string) (busbar.Job, error)
	// Recovering reports whether a job is sending what an endpoint missed, a delivery that was made then among it.
	Recovering(ctx context.Context, id busbar.EndpointID, made time.Time) (bool, error)
}

// ResendInput names a job and says how many deliveries may be under way at once.
type ResendInput struct {
	Environment busbar.Environment `json:"environment"`
	JobID       busbar.JobID       `json:"jobId"`
	Slots       int                `json:"slots"`
}

// Waits of a job: for the end of a pause it is woken, for its endpoint it looks now and then.
const (
	pausedLook   = 10 * time.Minute
	disabledLook = 15 * time.Second
	drainedLook  = time.Second
)

// Resend takes a turn at a job. The rows say what is left to send, so that a turn that was cut by a crash goes on where it
// was.
func (a *Activities) Resend(ctx context.Context, in ResendInput) (DrainResult, error) {
	stop := beat(ctx)
	defer stop()
	j, err := a.cfg.Jobs.Job(ctx, in.Environment, in.JobID)
	switch {
	case busbar.CodeOf(err) == busbar.CodeNotFound, err == nil && !j.Status.Open():
		return DrainResult{Next: DrainDone}, nil
	case err != nil:
		return DrainResult{}, fmt.Errorf("read job: %w", err)
	case j.Status == busbar.JobPaused:
		return DrainResult{Next: DrainWait, Wait: pausedLook, Slots: 1}, nil
	}
	e, err := a.cfg.Circuits.Endpoint(ctx, in.Environment, j.EndpointID)
	switch {
	case busbar.CodeOf(err) == busbar.CodeNotFound:
		_, err := a.cfg.Jobs.MoveJob(ctx, in.Environment, j.ID, busbar.JobFailed, errGone.Error())
		return DrainResult{Next: DrainDone}, err
	case err != nil:
		return DrainResult{}, fmt.Errorf("read endpoint: %w", err)
	case !e.Enabled:
		return DrainResult{Next: DrainWait, Wait: disabledLook, Slots: 1}, nil
	}
	if err := a.cfg.Jobs.CountJob(ctx, &j, &e); err != nil {
		return DrainResult{}, err
	}
	if j.Kind == busbar.JobReplay && e.Shut() {
		// What is parked goes first.
		return DrainResult{Next: DrainWait, Wait: drainedLook, Slots: 1}, nil
	}
	return a.resend(ctx, &j, &e, in.Slots)
}

// resend sends what is left, a turn at a time. A job is the one that probes an endpoint whose circuit is open, because what
// it sends may be older than what is parked.
func (a *Activities) resend(ctx context.Context, j *busbar.Job, e *busbar.Endpoint, slots int) (DrainResult, error) {
	probe := e.Circuit.State == busbar.CircuitOpen
	if !e.Shut() {
		slots = max(slots, e.MaxInFlight)
	}
	batch, err := a.resendBatch(ctx, j, e, slots, probe)
	switch code := busbar.CodeOf(err); {
	case err != nil && (code == busbar.CodeConflict || code == busbar.CodeNotFound):
		// It was paused, or has ended, or its endpoint is gone, since this turn began. The next one sees which.
		return DrainResult{Next: DrainOn, Slots: slots}, nil
	case err != nil:
		return DrainResult{}, err
	}
	if len(batch) == 0 {
		_, err := a.cfg.Jobs.MoveJob(ctx, j.Environment, j.ID, busbar.JobCompleted, "")
		if busbar.CodeOf(err) == busbar.CodeConflict {
			err = nil // it was cancelled in between
		}
		return DrainResult{Next: DrainDone}, err
	}
	if probe {
		if wait := e.Circuit.ProbeAt.Sub(a.cfg.Now()); wait > 0 {
			return DrainResult{Next: DrainWait, Wait: wait, Slots: 1}, nil
		}
	}
	leave, ok := a.enter(e.ID)
	if !ok {
		return DrainResult{Next: DrainWait, Wait: hangsLook, Slots: slots}, nil
	}
	defer leave()
	if probe {
		if taken, err := a.cfg.Circuits.TryCircuit(ctx, e.ID); err != nil || !taken {
			return DrainResult{Next: DrainOn, Slots: 1}, err
		}
	}
	by := claimant{name: drainer(ctx), also: append([]busbar.DeliveryStatus{busbar.DeliveryParked}, j.Statuses...), job: j.ID}
	return a.ramp(ctx, e, slots, probe, a.sendBatch(ctx, e, batch, slots, by))
}

func (a *Activities) resendBatch(ctx context.Context, j *busbar.Job, e *busbar.Endpoint, slots int, probe bool) ([]busbar.Delivery, error) {
	most := min(slots*turnRounds, turnMost)
	if probe {
		most = 1
	}
	if j.Kind == busbar.JobReplay {
		return a.cfg.Jobs.Unmatched(ctx, j, e, drainer(ctx), most)
	}
	return a.cfg.Jobs.Missed(ctx, j, most)
}
