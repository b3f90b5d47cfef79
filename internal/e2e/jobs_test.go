package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	enums "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"busbar"
	"busbar/workflows"
)

// job is a recover or replay job.
type job struct {
	ID     string `json:"id"`
	JobID  string `json:"jobId"`
	Status string `json:"status"`
	Total  int    `json:"total"`
	Done   int    `json:"done"`
	Failed int    `json:"failed"`
}

// startJob starts a job over all that has happened.
func (a *api) startJob(t *testing.T, kind, endpointID string, statuses []string) string {
	t.Helper()
	body := map[string]any{"since": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)}
	if statuses != nil {
		body["statuses"] = statuses
	}
	return must[job](t, a, http.MethodPost, "/v1/endpoints/"+endpointID+"/"+kind, body, http.StatusAccepted).JobID
}

// awaitCompleted returns a job once it is completed.
func (a *api) awaitCompleted(t *testing.T, id string) job {
	t.Helper()
	var j job
	await(t, "the job to be completed", func() bool {
		j = must[job](t, a, http.MethodGet, "/v1/jobs/"+id, nil, http.StatusOK)
		return j.Status == "completed"
	})
	return j
}

// A process that dies in the middle of a job goes on with it: nothing is lost, and nothing is repeated but what was under
// way.
func TestKilledInMidRecovery(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	s := newSink(t)
	ep := d.subscribe(t, s, map[string]any{"maxInFlight": atOnce})
	must[any](t, d.api, http.MethodPost, "/v1/endpoints/"+ep.ID+"/disable", nil, http.StatusOK)
	const events = 120
	l := startLoad(t, load{apis: []*api{d.api}, clients: 4, events: events, prefix: "evt_job"})
	ids := l.wait(t)
	// What was cancelled is not drained, so that the job alone sends it.
	for _, id := range ids {
		must[any](t, d.api, http.MethodPost, "/v1/deliveries/"+d.deliveriesOf(t, id)[0].ID+"/cancel", nil, http.StatusOK)
	}
	must[any](t, d.api, http.MethodPost, "/v1/endpoints/"+ep.ID+"/enable", nil, http.StatusOK)
	cancelled := []string{"cancelled", "failed", "parked"}
	killInMid(t, d.api, s, "recover", ep.ID, ids, cancelled, func() { d.kill(t); s.behave(status(200)); d.start(t) })
	again := d.awaitCompleted(t, d.startJob(t, "recover", ep.ID, cancelled))
	if again.Total != 0 || again.Done != 0 {
		t.Errorf("a second job: %+v, want nothing to send", again)
	}
	// An endpoint that is newer than all of that gets it by replaying.
	newer := newSink(t)
	late := d.subscribe(t, newer, map[string]any{"maxInFlight": atOnce})
	killInMid(t, d.api, newer, "replay", late.ID, ids, nil, func() { d.kill(t); newer.behave(status(200)); d.start(t) })
	if again = d.awaitCompleted(t, d.startJob(t, "replay", late.ID, nil)); again.Total != 0 {
		t.Errorf("a second replay: %+v, want nothing to send", again)
	}
}

const atOnce = 4

// killInMid starts a job, has the process that carries it out killed when half is sent, and wants the rest after restart.
func killInMid(t *testing.T, a *api, s *sink, kind, endpointID string, ids, statuses []string, restart func()) {
	t.Helper()
	before := len(s.all())
	half := before + len(ids)/2
	never := make(chan struct{})
	s.behave(func(arrival) reply {
		if len(s.all()) > half {
			return reply{after: never}
		}
		return reply{}
	})
	id := a.startJob(t, kind, endpointID, statuses)
	s.awaitCount(half + 1)
	// The answers change with the death of those who wait for them.
	restart()
	if j := a.awaitCompleted(t, id); j.Total != len(ids) || j.Done != len(ids) || j.Failed != 0 {
		t.Errorf("%s: %+v, want %d done", kind, j, len(ids))
	}
	sent := s.all()[before:]
	for _, id := range ids {
		if !slices.ContainsFunc(sent, func(a arrival) bool { return a.id == id }) {
			t.Errorf("%s: %s was not sent", kind, id)
		}
	}
	if n := len(sent) - len(ids); n > atOnce {
		t.Errorf("%s: %d repeats, want at most the %d that were under way", kind, n, atOnce)
	}
}

// A rate limit holds, whatever waits.
func TestRateLimitHolds(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	s := newSink(t)
	const perSecond, events = 10, 40
	d.subscribe(t, s, map[string]any{"rateLimit": perSecond})
	l := startLoad(t, load{apis: []*api{d.api}, clients: 4, events: events, prefix: "evt_paced"})
	s.awaitIDs(l.wait(t))
	arrivals := s.all()
	for i := range arrivals {
		// They leave evenly; a busy machine lets some arrive together.
		if j := i + perSecond + 5; j < len(arrivals) && arrivals[j].at.Sub(arrivals[i].at) < time.Second {
			t.Fatalf("%d webhooks within %s", j-i+1, arrivals[j].at.Sub(arrivals[i].at))
		}
	}
	if took := arrivals[len(arrivals)-1].at.Sub(arrivals[0].at); took > 4*events/perSecond*time.Second {
		t.Errorf("%d webhooks at %d a second took %s", events, perSecond, took)
	}
}

func drainedWhenEnabled(t *testing.T, d *dev) string {
	t.Helper()
	sc := newScenario(t, d, "evt_enabled", status(200))
	must[any](t, d.api, http.MethodPost, "/v1/endpoints/"+sc.endpoints[0].ID+"/disable", nil, http.StatusOK)
	sc.post(t, sc.id)
	must[any](t, d.api, http.MethodPost, "/v1/endpoints/"+sc.endpoints[0].ID+"/enable", nil, http.StatusOK)
	sc.awaitStatuses("delivered")
	return sc.ended(workflows.DrainID(busbar.Sandbox, busbar.EndpointID(sc.endpoints[0].ID)))
}

// The endpoint is down for the first probe, too.
func drainedAfterProbes(t *testing.T, d *dev) string {
	t.Helper()
	sc := newScenario(t, d, "evt_probed", status(503))
	for i := range 15 {
		sc.post(t, fmt.Sprintf("evt_probed_%02d", i))
	}
	await(t, "the circuit to open", func() bool { return d.circuit(t, sc.endpoints[0].ID).Circuit.State == "open" })
	sent := len(sc.sinks[0].all())
	must[any](t, d.api, http.MethodPost, "/v1/endpoints/"+sc.endpoints[0].ID+"/enable", nil, http.StatusOK)
	sc.sinks[0].awaitCount(sent + 1)
	sc.sinks[0].behave(status(200))
	await(t, "the circuit to close", func() bool { return d.circuit(t, sc.endpoints[0].ID).Circuit.State == "closed" })
	return sc.ended(workflows.DrainID(busbar.Sandbox, busbar.EndpointID(sc.endpoints[0].ID)))
}

func recoveredByJob(t *testing.T, d *dev) string {
	t.Helper()
	sc := newScenario(t, d, "evt_by_job", first(3))
	sc.post(t, sc.id)
	sc.awaitStatuses("failed")
	id := d.startJob(t, "recover", sc.endpoints[0].ID, nil)
	if j := d.awaitCompleted(t, id); j.Total != 1 || j.Done != 1 {
		t.Errorf("job: %+v, want the one that failed", j)
	}
	return sc.ended(workflows.ResendID(busbar.Sandbox, busbar.JobID(id)))
}

// A job that waits for its slow deliveries is paused, resumed and cancelled.
func pausedJob(t *testing.T, d *dev) string {
	t.Helper()
	sc := newScenario(t, d, "evt_paused")
	for i := range 20 {
		sc.post(t, fmt.Sprintf("evt_paused_%02d", i))
	}
	s := newSink(t)
	answer := make(chan struct{})
	s.behave(func(arrival) reply { return reply{after: answer} })
	ep := d.subscribe(t, s, map[string]any{"maxInFlight": 1})
	id := d.startJob(t, "replay", ep.ID, nil)
	s.awaitCount(1)
	act := func(name string) {
		must[any](t, d.api, http.MethodPost, "/v1/jobs/"+id+"/"+name, nil, http.StatusOK)
	}
	act("pause")
	close(answer)
	awaitTimer(t, d, workflows.ResendID(busbar.Sandbox, busbar.JobID(id)))
	act("resume")
	act("cancel")
	awaitWorkflow(t, d, workflows.ResendID(busbar.Sandbox, busbar.JobID(id)))
	must[any](t, d.api, http.MethodDelete, "/v1/endpoints/"+ep.ID, nil, http.StatusOK)
	return sc.ended(workflows.ResendID(busbar.Sandbox, busbar.JobID(id)))
}

// awaitTimer returns when a workflow waits for a time.
func awaitTimer(t *testing.T, d *dev, id string) {
	t.Helper()
	c := d.temporalClient(t)
	await(t, "workflow "+id+" to wait", func() bool {
		events := fetchHistory(t, c, id).GetEvents()
		return slices.ContainsFunc(events, func(e *historypb.HistoryEvent) bool {
			return e.GetEventType() == enums.EVENT_TYPE_TIMER_STARTED
		})
	})
}
