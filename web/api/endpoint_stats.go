package api

import (
	"context"
	"net/http"
	"time"

	"busbar"
	"busbar/internal/store"
)

// Stats is how the attempts at an endpoint went. Test sends are not among them.
type Stats struct {
	Since Time `json:"since" doc:"The beginning of the first hour."`
	Until Time `json:"until"`
	Counts
	Hours []Hour `json:"hours" doc:"The hours that had attempts, oldest first."`
}

// Hour is what the attempts of an hour came to.
type Hour struct {
	Hour Time `json:"hour" doc:"When it began."`
	Counts
}

// Counts is what attempts came to.
type Counts struct {
	Attempts    int64    `json:"attempts"`
	Succeeded   int64    `json:"succeeded"`
	SuccessRate *float64 `json:"successRate" doc:"Of the attempts, 0 to 1; null without any."`
	P50Ms       *float64 `json:"p50Ms" doc:"Half of the attempts took at most so long; estimated, null without any."`
	P95Ms       *float64 `json:"p95Ms" doc:"19 of 20 attempts took at most so long; estimated, null without any."`
	Statuses    Statuses `json:"statuses"`
}

// Statuses counts attempts by their answer.
type Statuses struct {
	S2xx int64 `json:"2xx"`
	S3xx int64 `json:"3xx"`
	S4xx int64 `json:"4xx"`
	S5xx int64 `json:"5xx"`
	None int64 `json:"none" doc:"No answer came."`
}

const (
	defaultStats = 24 * time.Hour
	mostStats    = 31 * 24 * time.Hour
)

func (a *API) endpointStats(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("endpoint")
	if err != nil {
		return nil, err
	}
	since, until, err := r.period()
	if err != nil {
		return nil, err
	}
	now := a.Now()
	if err := checkPast(since, now); err != nil {
		return nil, err
	}
	if until.IsZero() {
		until = now
	}
	if since.IsZero() {
		since = until.Add(-defaultStats)
	}
	if since = since.Truncate(time.Hour); until.Sub(since) > mostStats+time.Hour {
		return nil, busbar.Invalid("since", "out_of_range", "must be at most 31 days before until")
	}
	hours, err := a.Store.EndpointHours(ctx, r.Env, busbar.EndpointID(id), since, until)
	if err != nil {
		return nil, err
	}
	stats := Stats{Since: Time(since), Until: Time(until), Counts: viewCounts(store.Sum(hours)), Hours: make([]Hour, len(hours))}
	for i, h := range hours {
		stats.Hours[i] = Hour{Time(h.Hour), viewCounts(h)}
	}
	return &Reply{http.StatusOK, stats}, nil
}

func viewCounts(h store.HourStats) Counts {
	c := Counts{
		Attempts: h.Attempts(), Succeeded: h.Succeeded,
		Statuses: Statuses{h.ByClass[0], h.ByClass[1], h.ByClass[2], h.ByClass[3], h.ByClass[4]},
	}
	if c.Attempts == 0 {
		return c
	}
	rate := float64(c.Succeeded) / float64(c.Attempts)
	p50, p95 := milliseconds(h.Latency(0.5)), milliseconds(h.Latency(0.95))
	c.SuccessRate, c.P50Ms, c.P95Ms = &rate, &p50, &p95
	return c
}
