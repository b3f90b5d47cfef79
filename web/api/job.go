package api

import (
	"context"
	"net/http"

	"busbar"
)

// Job is a job as clients see it.
type Job struct {
	ID          busbar.JobID            `json:"id" example:"job_01980f3ae2b57c3f8d1c5b0a9e7f6d21"`
	Kind        busbar.JobKind          `json:"kind" enum:"recover,replay"`
	EndpointID  busbar.EndpointID       `json:"endpointId"`
	Status      busbar.JobStatus        `json:"status" enum:"running,paused,completed,cancelled,failed"`
	Since       Time                    `json:"since"`
	Until       Time                    `json:"until"`
	Statuses    []busbar.DeliveryStatus `json:"statuses" doc:"Those of the deliveries that are sent again; none for a replay."`
	Total       int                     `json:"total" doc:"How much there is to send; 0 until it was counted."`
	Done        int                     `json:"done" doc:"How much was delivered."`
	Failed      int                     `json:"failed" doc:"How much was tried and was not. What was parked or is new follows its retry schedule."`
	Reason      string                  `json:"reason,omitempty" doc:"Why it failed."`
	CreatedAt   Time                    `json:"createdAt"`
	CompletedAt Time                    `json:"completedAt,omitzero"`
	Links       JobLinks                `json:"links"`
}

// JobLinks lead to where a job can be looked at.
type JobLinks struct {
	Self     string  `json:"self"`
	Workflow *string `json:"workflow" doc:"In the Temporal UI; null when there is none or its retention is over."`
}

func (a *API) jobLinks(j *busbar.Job) JobLinks {
	l := JobLinks{Self: a.PublicURL + "/v1/jobs/" + string(j.ID)}
	over := a.WorkflowRetention > 0 && !j.CompletedAt.IsZero() && a.Now().Sub(j.CompletedAt) > a.WorkflowRetention
	if url := a.WorkflowURL(j.WorkflowID(), ""); url != "" && !over {
		l.Workflow = &url
	}
	return l
}

func (a *API) viewJob(j *busbar.Job) Job {
	v := Job{
		ID: j.ID, Kind: j.Kind, EndpointID: j.EndpointID, Status: j.Status, Since: Time(j.Since), Until: Time(j.Until),
		Statuses: j.Statuses, Total: j.Total, Done: j.Done, Failed: j.Failed, Reason: j.Reason,
		CreatedAt: Time(j.CreatedAt), CompletedAt: Time(j.CompletedAt), Links: a.jobLinks(j),
	}
	if v.Statuses == nil {
		v.Statuses = []busbar.DeliveryStatus{}
	}
	return v
}

func (a *API) listJobs(ctx context.Context, r *Request) (*Reply, error) {
	req, err := r.page()
	if err != nil {
		return nil, err
	}
	page, err := a.Store.Jobs(ctx, r.Env, busbar.EndpointID(r.Query.Get("endpointId")), req)
	if err != nil {
		return nil, err
	}
	return listOf(r, page, a.viewJob), nil
}

func (a *API) getJob(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("job")
	if err != nil {
		return nil, err
	}
	j, err := a.Store.Job(ctx, r.Env, busbar.JobID(id))
	if err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, a.viewJob(&j)}, nil
}

func (a *API) pauseJob(ctx context.Context, r *Request) (*Reply, error) {
	return a.moveJob(ctx, r, busbar.JobPaused)
}

func (a *API) resumeJob(ctx context.Context, r *Request) (*Reply, error) {
	return a.moveJob(ctx, r, busbar.JobRunning)
}

func (a *API) cancelJob(ctx context.Context, r *Request) (*Reply, error) {
	return a.moveJob(ctx, r, busbar.JobCancelled)
}

func (a *API) moveJob(ctx context.Context, r *Request, to busbar.JobStatus) (*Reply, error) {
	id, err := r.id("job")
	if err != nil {
		return nil, err
	}
	if _, err := decode[Nothing](r); err != nil {
		return nil, err
	}
	j, err := a.Store.MoveJob(ctx, r.Env, busbar.JobID(id), to, "")
	if err != nil {
		return nil, err
	}
	a.wakeJob(ctx, j)
	return &Reply{http.StatusOK, a.viewJob(&j)}, nil
}

// wakeJob hurries a job. Its row is the truth: should Temporal be away, the job follows within a minute.
func (a *API) wakeJob(ctx context.Context, j busbar.Job) {
	if err := a.Redeliverer.WakeJob(ctx, j); err != nil {
		a.Logger.WarnContext(ctx, "could not wake a job at once", "job_id", j.ID, "error", err)
	}
}
