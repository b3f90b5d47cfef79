package web_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
)

func TestJobsAreStartedPausedAndEnded(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	id := want[object](a, http.StatusCreated, http.MethodPost, "/v1/endpoints", plainEndpoint)["id"].(string)
	started := want[object](a, http.StatusAccepted, http.MethodPost, "/v1/endpoints/"+id+"/recover",
		`{"since":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00+01:00","statuses":["failed","cancelled","failed"]}`)
	path := "/v1/jobs/" + started["jobId"].(string)
	job := want[object](a, http.StatusOK, http.MethodGet, path, "")
	delete(job, "createdAt")
	wanted := object{
		"id": started["jobId"], "kind": "recover", "endpointId": id, "status": "running", "since": "2026-01-01T00:00:00.000Z",
		"until": "2026-01-01T23:00:00.000Z", "statuses": []any{"failed", "cancelled"}, "total": 0.0, "done": 0.0, "failed": 0.0,
		"links": object{
			"self":     "http://busbar.example" + path,
			"workflow": "http://temporal.example/resend-sandbox-" + started["jobId"].(string),
		},
	}
	if diff := cmp.Diff(wanted, job); diff != "" {
		t.Errorf("job (-want +got):\n%s", diff)
	}
	for _, step := range []struct{ act, status string }{
		{"pause", "paused"}, {"pause", "paused"}, {"resume", "running"}, {"cancel", "cancelled"}, {"cancel", "cancelled"},
	} {
		got := want[object](a, http.StatusOK, http.MethodPost, path+"/"+step.act, "")
		if got["status"] != step.status {
			t.Errorf("after %s the job is %v, want %s", step.act, got["status"], step.status)
		}
	}
	for _, act := range []string{"pause", "resume"} {
		if got := a.send(http.MethodPost, path+"/"+act, ""); got.Status != http.StatusConflict {
			t.Errorf("%s of a cancelled job: %d, want 409", act, got.Status)
		}
	}
	replay := want[object](a, http.StatusAccepted, http.MethodPost, "/v1/endpoints/"+id+"/replay", `{"since":"2026-01-01T00:00:00Z"}`)
	var listed []any
	for _, j := range a.items("/v1/jobs?endpointId=" + id) {
		listed = append(listed, j["id"])
	}
	if diff := cmp.Diff([]any{replay["jobId"], started["jobId"]}, listed); diff != "" {
		t.Errorf("jobs, newest first (-want +got):\n%s", diff)
	}
	if n := len(a.items("/v1/jobs?endpointId=ep_other")); n != 0 {
		t.Errorf("%d jobs of another endpoint", n)
	}
	for _, note := range []string{
		"recover " + started["jobId"].(string) + " running", "recover " + started["jobId"].(string) + " cancelled",
		"replay " + replay["jobId"].(string) + " running",
	} {
		if !slices.Contains(a.cluster.asked, note) {
			t.Errorf("Temporal was not asked for %q", note)
		}
	}
}

func TestJobsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	id := want[object](a, http.StatusCreated, http.MethodPost, "/v1/endpoints", plainEndpoint)["id"].(string)
	for _, c := range []struct {
		path, body string
		status     int
		code       string
	}{
		{id + "/recover", `{}`, 422, "VALIDATION_FAILED"},
		{id + "/recover", `{"since":"yesterday"}`, 422, "VALIDATION_FAILED"},
		{id + "/recover", `{"since":"2026-01-01T00:00:00"}`, 422, "VALIDATION_FAILED"},
		{id + "/recover", `{"since":"2026-01-02T00:00:00Z","until":"2026-01-02T00:00:00Z"}`, 422, "VALIDATION_FAILED"},
		{id + "/recover", `{"since":"2999-01-01T00:00:00Z"}`, 422, "VALIDATION_FAILED"},
		{id + "/recover", `{"since":"2026-01-01T00:00:00Z","statuses":[]}`, 422, "VALIDATION_FAILED"},
		{id + "/recover", `{"since":"2026-01-01T00:00:00Z","statuses":["pending"]}`, 422, "VALIDATION_FAILED"},
		{id + "/recover", `{"since":"2026-01-01T00:00:00Z","speed":1}`, 422, "UNKNOWN_FIELD"},
		{id + "/replay", `{"since":"2026-01-01T00:00:00Z","statuses":["failed"]}`, 422, "UNKNOWN_FIELD"},
		{id + "/replay", `[]`, 422, "VALIDATION_FAILED"},
		{id + "/replay", `{`, 400, "INVALID_JSON"},
		{"ep_none/recover", `{"since":"2026-01-01T00:00:00Z"}`, 404, "NOT_FOUND"},
	} {
		got := a.send(http.MethodPost, "/v1/endpoints/"+c.path, c.body)
		if code := string(got.Error.Code); got.Status != c.status || code != c.code {
			t.Errorf("%s %s: %d %s, want %d %s", c.path, c.body, got.Status, code, c.status, c.code)
		}
	}
	want[object](a, http.StatusOK, http.MethodPost, "/v1/endpoints/"+id+"/disable", "")
	if got := a.send(http.MethodPost, "/v1/endpoints/"+id+"/recover", `{"since":"2026-01-01T00:00:00Z"}`); got.Status != http.StatusConflict {
		t.Errorf("recovering a disabled endpoint: %d, want 409", got.Status)
	}
	if got := a.send(http.MethodGet, "/v1/jobs/job_none", ""); got.Status != http.StatusNotFound {
		t.Errorf("a job that is not there: %d, want 404", got.Status)
	}
}

func TestStatsSayHowTheAttemptsWent(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	id := want[object](a, http.StatusCreated, http.MethodPost, "/v1/endpoints", plainEndpoint)["id"].(string)
	empty := want[object](a, http.StatusOK, http.MethodGet, "/v1/endpoints/"+id+"/stats", "")
	if empty["successRate"] != nil || empty["p50Ms"] != nil || empty["attempts"] != 0.0 {
		t.Errorf("stats without attempts: %v", empty)
	}
	want[object](a, http.StatusAccepted, http.MethodPost, "/v1/events", `{"type":"device.updated","data":{"state":{}}}`)
	delivery := a.items("/v1/deliveries")[0]["id"].(string)
	for i, code := range []int{200, 200, 503, 0} {
		f := &store.Finished{Status: busbar.DeliveryDelivered, Attempt: busbar.Attempt{
			DeliveryID: busbar.DeliveryID(delivery), Number: i + 1, At: a.now(), Duration: 100 * time.Millisecond, StatusCode: code,
		}}
		if code != 200 {
			f.Attempt.ErrorClass = "timeout"
		}
		must(t, a.store.Finish(t.Context(), []*store.Finished{f}))
	}
	got := want[object](a, http.StatusOK, http.MethodGet, "/v1/endpoints/"+id+"/stats", "")
	hours := got["hours"].([]any)
	if got["attempts"] != 4.0 || got["succeeded"] != 2.0 || got["successRate"] != 0.5 || len(hours) == 0 {
		t.Errorf("stats: %v", got)
	}
	if diff := cmp.Diff(object{"2xx": 2.0, "3xx": 0.0, "4xx": 0.0, "5xx": 1.0, "none": 1.0}, got["statuses"]); diff != "" {
		t.Errorf("by status (-want +got):\n%s", diff)
	}
	// 100 ms lie between 80 and 130.
	if p := got["p95Ms"].(float64); p < 80 || p > 130 {
		t.Errorf("p95 is %v ms of attempts that took 100", p)
	}
	for _, query := range []string{"?since=2026-01-01T00:00:00Z&until=2026-03-01T00:00:00Z", "?since=2999-01-01T00:00:00Z", "?hours=3"} {
		if got := a.send(http.MethodGet, "/v1/endpoints/"+id+"/stats"+query, ""); got.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d, want 422", query, got.Status)
		}
	}
}
