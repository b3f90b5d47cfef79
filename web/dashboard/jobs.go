package dashboard

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"busbar"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

func jobRoutes() []Route {
	return []Route{
		get("/{env}/endpoints/{id}/recover", busbar.RoleOperator, newRecover),
		post("/{env}/endpoints/{id}/recover", busbar.RoleOperator, startRecover),
		get("/{env}/endpoints/{id}/replay", busbar.RoleOperator, newReplay),
		post("/{env}/endpoints/{id}/replay", busbar.RoleOperator, startReplay),
		get("/{env}/jobs", busbar.RoleViewer, listJobs),
		get("/{env}/jobs/{id}", busbar.RoleViewer, showJob),
		post("/{env}/jobs/{id}/pause", busbar.RoleOperator, pauseJob),
		post("/{env}/jobs/{id}/resume", busbar.RoleOperator, resumeJob),
		post("/{env}/jobs/{id}/cancel", busbar.RoleOperator, cancelJob),
	}
}

// formTime is what a browser makes of a date and a time of day. They are in UTC: a browser without script says no zone.
const formTime = "2006-01-02T15:04"

func newRecover(q *request) error { return q.newJob(busbar.JobRecover) }
func newReplay(q *request) error  { return q.newJob(busbar.JobReplay) }

// newJob offers the window in which the endpoint has been failing, or else the last day.
func (q *request) newJob(kind busbar.JobKind) error {
	e, err := q.endpoint()
	if err != nil {
		return err
	}
	since := q.now().Add(-24 * time.Hour)
	if failing := time.Time(e.Circuit.FailingSince); !failing.IsZero() && kind == busbar.JobRecover {
		since = failing
	}
	form := q.form()
	form.Values = url.Values{
		"since": {since.UTC().Format(formTime)}, "statuses": {string(busbar.DeliveryFailed), string(busbar.DeliveryParked)},
	}
	return q.jobForm(http.StatusOK, kind, e, form)
}

func (q *request) jobForm(status int, kind busbar.JobKind, e api.Endpoint, form view.Form) error {
	return q.render(status, view.JobForm(q.frame("endpoints", "Send again"), view.JobFormPage{Kind: kind, Endpoint: e, Form: form}))
}

func startRecover(q *request) error { return q.startJob(busbar.JobRecover) }
func startReplay(q *request) error  { return q.startJob(busbar.JobReplay) }

func (q *request) startJob(kind busbar.JobKind) error {
	e, err := q.endpoint()
	if err != nil {
		return err
	}
	form := q.form()
	body, err := jobBody(form, kind)
	var started api.StartedJob
	if err == nil {
		started, err = ask[api.StartedJob](q, http.MethodPost, "/v1/endpoints/{id}/"+string(kind), args{
			params: byID(q.id()), body: body, once: form.Once,
		})
	}
	if err != nil {
		if !q.refused(err, &form, "since", "until", "statuses") {
			return err
		}
		return q.jobForm(http.StatusUnprocessableEntity, kind, e, form)
	}
	return q.done(q.at("/jobs/%s", string(started.JobID)), "The job was started.")
}

// jobBody makes of a form what the API takes.
func jobBody(form view.Form, kind busbar.JobKind) (map[string]any, error) {
	body := map[string]any{}
	var wrong []busbar.FieldError
	for _, name := range []string{"since", "until"} {
		text := strings.TrimSpace(form.Get(name))
		if text == "" {
			continue
		}
		at, err := time.Parse(formTime, text)
		if err != nil {
			at, err = time.Parse(formTime+":05", text)
		}
		if err != nil {
			wrong = append(wrong, busbar.FieldError{Path: name, Code: "format", Message: "must be a date and a time, as 2026-06-01T10:30"})
			continue
		}
		body[name] = at.Format(time.RFC3339)
	}
	if kind == busbar.JobRecover {
		statuses := form.Values["statuses"]
		if statuses == nil {
			statuses = []string{}
		}
		body["statuses"] = statuses
	}
	return body, busbar.InvalidFields(wrong)
}

func listJobs(q *request) error {
	shown, asked, err := q.filters("endpointId")
	if err != nil {
		return err
	}
	asked.Del("since")
	shown.Del("last")
	list, err := ask[api.List[api.Job]](q, http.MethodGet, "/v1/jobs", args{query: asked})
	if err != nil {
		return err
	}
	endpoints, err := q.allEndpoints()
	if err != nil {
		return err
	}
	cursor := asked.Get("cursor")
	f := q.frame("endpoints", "Jobs")
	if cursor == "" {
		f = q.live(f)
	}
	return q.render(http.StatusOK, view.Jobs(f, view.JobsPage{
		Now: q.now(), Jobs: list.Items, Endpoints: endpoints, Filters: view.Form{Values: shown},
		Pages: pages(q.at("/jobs"), shown, cursor, list.NextCursor),
	}))
}

func (q *request) job() (api.Job, error) {
	return ask[api.Job](q, http.MethodGet, "/v1/jobs/{id}", args{params: byID(q.id())})
}

func showJob(q *request) error {
	j, err := q.job()
	if err != nil {
		return err
	}
	p := view.JobPage{Now: q.now(), Job: j}
	e, err := ask[api.Endpoint](q, http.MethodGet, "/v1/endpoints/{id}", args{params: byID(string(j.EndpointID))})
	switch {
	case err == nil:
		p.Endpoint = &e
	case busbar.CodeOf(err) != busbar.CodeNotFound: // it may have been deleted since
		return err
	}
	return q.render(http.StatusOK, view.Job(q.live(q.frame("endpoints", "Job")), p))
}

func pauseJob(q *request) error {
	return q.moveJob("pause", "The job is paused. What is on its way already arrives.")
}

func resumeJob(q *request) error { return q.moveJob("resume", "The job goes on.") }

func cancelJob(q *request) error {
	return q.moveJob("cancel", "The job was cancelled. What it has not sent stays as it was.")
}

func (q *request) moveJob(verb, said string) error {
	path := q.at("/jobs/%s", q.id())
	_, err := ask[api.Job](q, http.MethodPost, "/v1/jobs/{id}/"+verb, args{params: byID(q.id())})
	if err := q.conflict(err, path); err != nil {
		return stop(err)
	}
	return q.done(path, "%s", said)
}
