package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"busbar"
)

func TestAFilterIsJudgedBesideItsField(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	form := url.Values{"url": {"http://127.0.0.1:9000/hook"}, "filter": {" data.state.level >> 99 "}, "rateLimit": {"2.5"}}
	got := b.post("/sandbox/endpoints", form)
	wantPage(t, got, http.StatusUnprocessableEntity, `aria-describedby="filter-hint filter-error"`, `id="filter-error"`, "data.state.level &gt;&gt; 99")
	form.Set("filter", "data.state.level >= 99 and colour == 1")
	wantPage(t, b.post("/sandbox/endpoints", form), http.StatusUnprocessableEntity, "At “colour”: ")
	form.Set("rateLimit", "fast")
	wantPage(t, b.post("/sandbox/endpoints", form), http.StatusUnprocessableEntity, `id="rateLimit-error"`)
	form.Set("rateLimit", "2.5")
	form.Set("filter", "data.state.level >= 99")
	wantPage(t, b.post("/sandbox/endpoints", form), http.StatusOK, "The endpoint was created.")
	page, err := b.app.store.ListEndpoints(t.Context(), busbar.Sandbox, busbar.PageRequest{Limit: 1})
	must(t, err)
	e := page.Items[0]
	if e.Filter != "data.state.level >= 99" || e.RateLimit != 2.5 {
		t.Errorf("filter %q, rate limit %v", e.Filter, e.RateLimit)
	}
	path := "/sandbox/endpoints/" + string(e.ID)
	wantPage(t, b.get(path), http.StatusOK, "<code>data.state.level &gt;= 99</code>", "2.5 a second")
	wantPage(t, b.get(path+"/edit"), http.StatusOK, `value="2.5"`, "data.state.level &gt;= 99</textarea>")
	form.Set("filter", "")
	form.Set("rateLimit", "")
	wantPage(t, b.post(path+"/edit", form), http.StatusOK, "The settings were saved.")
	if e, err = b.app.store.Endpoint(t.Context(), busbar.Sandbox, e.ID); err != nil || e.Filter != "" || e.RateLimit != 0 {
		t.Errorf("after they were emptied: filter %q, rate limit %v, %v", e.Filter, e.RateLimit, err)
	}
}

func TestAJobIsStartedPausedAndCancelledByForms(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	id, _ := b.app.createEndpoint(plainEndpoint)
	path := "/sandbox/endpoints/" + id
	offered := b.get(path + "/recover")
	wantPage(t, offered, http.StatusOK, `type="datetime-local"`, `value="failed" checked`, `value="parked" checked`)
	once := onceField.FindStringSubmatch(offered.body)
	if once == nil {
		t.Fatal("the form can be sent twice")
	}
	form := url.Values{"once": {once[1]}, "since": {"2026-01-01T00:00"}, "until": {"2026-01-02T00:00:30"}, "statuses": {"failed", "cancelled"}}
	started := b.post(path+"/recover", form)
	wantPage(t, started, http.StatusOK, "The job was started.", "running", "failed, cancelled", "2026-01-02 00:00:30.000", "http://temporal.example/resend-sandbox-job_")
	if again := b.post(path+"/recover", form); again.path != started.path {
		t.Errorf("sent twice, the form leads to %s and %s", started.path, again.path)
	}
	job := started.path
	if !regexp.MustCompile(`^/sandbox/jobs/job_[0-9a-f]+$`).MatchString(job) {
		t.Fatalf("the job is at %s", job)
	}
	wantPage(t, b.post(job+"/pause", nil), http.StatusOK, "The job is paused.", "Resume")
	wantPage(t, b.post(job+"/resume", nil), http.StatusOK, "The job goes on.")
	wantPage(t, b.post(job+"/cancel", nil), http.StatusOK, "The job was cancelled.")
	wantPage(t, b.post(job+"/pause", nil), http.StatusOK, "The job is cancelled already.")
	wantPage(t, b.get("/live/jobs/"+strings.TrimPrefix(job, "/sandbox/jobs/")), http.StatusNotFound)
	wantPage(t, b.get(path), http.StatusOK, `href="`+job+`"`)
	wantPage(t, b.get("/sandbox/jobs?endpointId="+id), http.StatusOK, `href="`+job+`"`)
	wantPage(t, b.get("/live/jobs"), http.StatusOK, "Nothing was sent again yet.")

	wantPage(t, b.post(path+"/replay", url.Values{"since": {"2026-01-01T00:00"}}), http.StatusOK, "The job was started.", "Replay")
	for _, bad := range []struct {
		kind, field string
		form        url.Values
	}{
		{"replay", "since", url.Values{}},
		{"replay", "since", url.Values{"since": {"yesterday"}}},
		{"replay", "until", url.Values{"since": {"2026-01-01T00:00"}, "until": {"<b>"}}},
		{"recover", "since", url.Values{"since": {"2026-01-02T00:00"}, "until": {"2026-01-01T00:00"}, "statuses": {"failed"}}},
		{"recover", "statuses", url.Values{"since": {"2026-01-02T00:00"}}},
		{"recover", "statuses", url.Values{"since": {"2026-01-02T00:00"}, "statuses": {"pending"}}},
	} {
		wantPage(t, b.post(path+"/"+bad.kind, bad.form), http.StatusUnprocessableEntity, `id="`+bad.field+`-error"`)
	}
	wantPage(t, b.post(path+"/disable", nil), http.StatusOK)
	wantPage(t, b.post(path+"/recover", url.Values{"since": {"2026-01-01T00:00"}, "statuses": {"failed"}}), http.StatusUnprocessableEntity, "The endpoint is disabled; enable it first")
}
