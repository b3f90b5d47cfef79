package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"busbar"
	"busbar/internal/store"
	"busbar/web/strictjson"
)

// ReplayBody names a window of events by the time they were received.
type ReplayBody struct {
	Since strictjson.Optional[string] `json:"since" doc:"RFC 3339, inclusive." example:"2026-06-01T00:00:00Z"`
	Until strictjson.Optional[string] `json:"until" doc:"RFC 3339, exclusive; now by default." example:"2026-06-02T00:00:00Z"`
}

// RecoverBody names deliveries by the time they were made and by their status.
type RecoverBody struct {
	Since    strictjson.Optional[string]   `json:"since" doc:"RFC 3339, inclusive." example:"2026-06-01T00:00:00Z"`
	Until    strictjson.Optional[string]   `json:"until" doc:"RFC 3339, exclusive; now by default." example:"2026-06-02T00:00:00Z"`
	Statuses strictjson.Optional[[]string] `json:"statuses" doc:"failed and parked by default; cancelled and delivered only when they are named."`
}

// StartedJob names a job that was started.
type StartedJob struct {
	JobID busbar.JobID `json:"jobId" example:"job_01980f3ae2b57c3f8d1c5b0a9e7f6d21"`
}

func (a *API) recoverEndpoint(ctx context.Context, r *Request) (*Reply, error) {
	body, err := decode[RecoverBody](r)
	if err != nil {
		return nil, err
	}
	statuses := []busbar.DeliveryStatus{busbar.DeliveryFailed, busbar.DeliveryParked}
	if body.Statuses.Has() {
		if statuses, err = parseStatuses(body.Statuses.Value); err != nil {
			return nil, err
		}
	}
	return a.startJob(ctx, r, busbar.JobRecover, ReplayBody{body.Since, body.Until}, statuses)
}

func parseStatuses(names []string) ([]busbar.DeliveryStatus, error) {
	if len(names) == 0 {
		return nil, busbar.Invalid("statuses", "too_few", "must not be empty")
	}
	var statuses []busbar.DeliveryStatus
	for i, name := range names {
		status, err := busbar.ParseDeliveryStatus(name)
		if err != nil || status == busbar.DeliveryPending {
			return nil, busbar.Invalid(fmt.Sprintf("statuses[%d]", i), "enum", "must be failed, parked, cancelled or delivered")
		}
		if !slices.Contains(statuses, status) {
			statuses = append(statuses, status)
		}
	}
	return statuses, nil
}

func (a *API) replayEndpoint(ctx context.Context, r *Request) (*Reply, error) {
	body, err := decode[ReplayBody](r)
	if err != nil {
		return nil, err
	}
	return a.startJob(ctx, r, busbar.JobReplay, body, nil)
}

// startJob puts a job on record and has it carried out.
func (a *API) startJob(
	ctx context.Context, r *Request, kind busbar.JobKind, window ReplayBody, statuses []busbar.DeliveryStatus,
) (*Reply, error) {
	id, err := r.id("endpoint")
	if err != nil {
		return nil, err
	}
	now := a.Now()
	since, until, err := parseWindow(window, now)
	if err != nil {
		return nil, err
	}
	e, err := a.Store.Endpoint(ctx, r.Env, busbar.EndpointID(id))
	if err != nil {
		return nil, err
	}
	if !e.Enabled {
		return nil, busbar.Errorf(busbar.CodeConflict, "the endpoint is disabled; enable it first")
	}
	j := busbar.Job{
		ID: busbar.NewJobID(), Environment: r.Env, EndpointID: e.ID, Kind: kind, Status: busbar.JobRunning,
		Since: since, Until: until, Statuses: statuses, CreatedAt: now,
	}
	made := false
	reply, err := a.create(ctx, r, http.StatusAccepted, func(tx *store.Tx) (any, error) {
		made = true
		return StartedJob{j.ID}, tx.CreateJob(&j)
	})
	if err != nil || !made {
		return reply, err
	}
	if e.Circuit.State == busbar.CircuitOpen {
		if err := a.Redeliverer.ProbeNow(ctx, r.Env, e.ID); err != nil {
			a.Logger.WarnContext(ctx, "could not probe an endpoint at once", "endpoint_id", e.ID, "error", err)
		}
	}
	a.wakeJob(ctx, j)
	return reply, nil
}

func parseWindow(w ReplayBody, now time.Time) (since, until time.Time, err error) {
	if !w.Since.Has() {
		return since, until, busbar.Invalid("since", "required", "is missing")
	}
	var ok bool
	if since, ok = busbar.ParseTime(w.Since.Value); !ok {
		return since, until, busbar.Invalid("since", "format", "must be RFC 3339 with a zone, as 2026-06-01T10:30:00Z")
	}
	until = now
	if w.Until.Has() {
		if until, ok = busbar.ParseTime(w.Until.Value); !ok {
			return since, until, busbar.Invalid("until", "format", "must be RFC 3339 with a zone, as 2026-06-01T10:30:00Z")
		}
	}
	if err := checkPast(since, now); err != nil {
		return since, until, err
	}
	return since, until, checkPeriod(since, until)
}
