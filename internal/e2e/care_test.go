package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"

	"busbar/workflows"
)

// circuitView is an endpoint as far as its circuit goes.
type circuitView struct {
	Enabled bool `json:"enabled"`
	Circuit struct {
		State    string `json:"state"`
		Failures int    `json:"failures"`
	} `json:"circuit"`
}

func (a *api) circuit(t *testing.T, id string) circuitView {
	t.Helper()
	return must[circuitView](t, a, http.MethodGet, "/v1/endpoints/"+id, nil, http.StatusOK)
}

// page is a page of deliveries.
type page struct {
	Items      []delivery `json:"items"`
	NextCursor *string    `json:"nextCursor"`
}

// countOf counts the deliveries of an endpoint that have a status.
func (a *api) countOf(t *testing.T, endpointID, status string) int {
	t.Helper()
	n := 0
	for path := "/v1/deliveries?limit=200&endpointId=" + endpointID + "&status=" + status; ; {
		p := must[page](t, a, http.MethodGet, path, nil, http.StatusOK)
		n += len(p.Items)
		if p.NextCursor == nil {
			return n
		}
		path = "/v1/deliveries?limit=200&endpointId=" + endpointID + "&status=" + status + "&cursor=" + *p.NextCursor
	}
}

// What comes for an endpoint that is down waits as rows, and goes out in the order in which it happened once it is back,
// even when the process is killed while it waits and while it goes out.
func TestDownForAWhile(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	s := newSink(t)
	s.behave(status(503))
	ep := d.subscribe(t, s, map[string]any{"maxInFlight": 4})
	const events = 300
	l := startLoad(t, load{apis: []*api{d.api}, clients: 4, events: events, prefix: "evt_down"})
	ids := l.wait(t)
	await(t, "the circuit to open", func() bool { return d.circuit(t, ep.ID).Circuit.State != "closed" })
	await(t, "all to be parked", func() bool { return d.countOf(t, ep.ID, "parked") == events })
	// Those that waited for a retry when the circuit opened have ended, too.
	waiting := fmt.Sprintf("WorkflowType = %q AND ExecutionStatus = 'Running'", workflows.ProcessEventName)
	await(t, "no workflow to wait beside the parked rows", func() bool { return countWorkflows(t, d, waiting) == 0 })
	d.kill(t)
	s.behave(status(200))
	before := len(s.all())
	d.start(t)
	s.awaitCount(before + events/3)
	d.kill(t)
	d.start(t)
	await(t, "the circuit to close", func() bool { return d.circuit(t, ep.ID).Circuit.State == "closed" })
	if n := d.countOf(t, ep.ID, "delivered"); n != events {
		t.Errorf("%d of %d are delivered", n, events)
	}
	checkStartOrder(t, d.api, ep.ID, s.all()[before:], ids, 4)
	d.post(t, "evt_after")
	d.awaitDelivered(t, "evt_after")
}

// begun gives when the attempts began that delivered events to an endpoint.
func (a *api) begun(t *testing.T, endpointID string) map[string]time.Time {
	t.Helper()
	all := make(map[string]time.Time)
	for path := "/v1/deliveries?limit=200&status=delivered&endpointId=" + endpointID; ; {
		p := must[page](t, a, http.MethodGet, path, nil, http.StatusOK)
		for _, d := range p.Items {
			d = must[delivery](t, a, http.MethodGet, "/v1/deliveries/"+d.ID, nil, http.StatusOK)
			all[d.EventID] = d.Attempts[len(d.Attempts)-1].At
		}
		if p.NextCursor == nil {
			return all
		}
		path = "/v1/deliveries?limit=200&status=delivered&endpointId=" + endpointID + "&cursor=" + *p.NextCursor
	}
}

// checkStartOrder wants all to have arrived, and the attempts to have begun in the order of the events' own times, but for a few of
// those that are under way at once: on a busy machine one may be kept waiting between its turn and its beginning, while the others
// pass it. They need not arrive in that order: one may have to connect meanwhile.
func checkStartOrder(t *testing.T, a *api, endpointID string, arrivals []arrival, ids []string, atOnce int) {
	t.Helper()
	type stamped struct{ id, at string }
	seen := make(map[string]bool)
	var got []stamped
	for _, a := range arrivals {
		var body struct{ EventID, Timestamp string }
		if err := json.Unmarshal(a.body, &body); err != nil {
			t.Fatal(err)
		}
		if !seen[body.EventID] {
			seen[body.EventID] = true
			got = append(got, stamped{body.EventID, body.Timestamp})
		}
	}
	for _, id := range ids {
		if !seen[id] {
			t.Errorf("%s has not arrived", id)
		}
	}
	begun := a.begun(t, endpointID)
	slices.SortStableFunc(got, func(a, b stamped) int { return begun[a.id].Compare(begun[b.id]) })
	want := slices.Clone(got)
	slices.SortStableFunc(want, func(a, b stamped) int {
		if a.at < b.at {
			return -1
		}
		if a.at > b.at {
			return 1
		}
		return 0
	})
	late := 0
	for i := range want {
		// Times have milliseconds: what happened in the same one may go in any order.
		within := func(places int) bool {
			near := got[max(0, i-places):min(len(got), i+places+1)]
			return slices.ContainsFunc(near, func(s stamped) bool { return s.at == want[i].at })
		}
		if !within(4 * atOnce) {
			t.Fatalf("those begun around place %d are not those of %s", i, want[i].at)
		}
		if !within(atOnce) {
			late++
		}
	}
	if late > atOnce {
		t.Errorf("%d of %d began more than %d places from theirs", late, len(want), atOnce)
	}
}

// What happens to an endpoint is told to others as events, never to itself.
func TestOthersAreTold(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--retry-schedule", "100ms")
	failing, told := newSink(t), newSink(t)
	failing.behave(status(500))
	all := map[string]any{"eventTypes": []string{"*"}}
	ep := d.subscribe(t, failing, all)
	d.subscribe(t, told, map[string]any{"eventTypes": []string{"endpoint.*", "delivery.exhausted"}})
	acc := d.post(t, "evt_told")
	types := func() map[string]int {
		count := make(map[string]int)
		for _, a := range told.all() {
			count[a.eventType]++
		}
		return count
	}
	await(t, "failing and exhausted", func() bool {
		got := types()
		return got["endpoint.failing"] == 1 && got["delivery.exhausted"] == 1
	})
	failing.behave(status(200))
	d.post(t, "evt_back")
	await(t, "recovered", func() bool { return types()["endpoint.recovered"] == 1 })
	failing.behave(status(410))
	d.post(t, "evt_gone")
	await(t, "disabled", func() bool { return types()["endpoint.disabled"] == 1 })
	if d.circuit(t, ep.ID).Enabled {
		t.Error("still enabled after 410")
	}
	if got := d.onlyDelivery(t, "evt_gone"); got.Status != "parked" || got.AttemptCount != 1 {
		t.Errorf("the delivery that was answered 410 is %s after %d attempts, want parked after one", got.Status, got.AttemptCount)
	}
	for _, a := range failing.all() {
		if a.eventType != "device.updated" {
			t.Errorf("the endpoint itself was told %s", a.eventType)
		}
	}
	failing.behave(status(200))
	must[any](t, d.api, http.MethodPost, "/v1/endpoints/"+ep.ID+"/enable", nil, http.StatusOK)
	d.awaitDelivered(t, "evt_gone")
	await(t, "recovered again", func() bool { return types()["endpoint.recovered"] == 2 })
	for _, a := range told.all() {
		if a.eventType != "delivery.exhausted" {
			continue
		}
		var body struct {
			EventID string
			Data    struct {
				EventID, EndpointID string
				Attempts            int
				LastStatusCode      int
			}
		}
		if err := json.Unmarshal(a.body, &body); err != nil {
			t.Fatal(err)
		}
		if body.Data.EventID != acc.EventID || body.Data.EndpointID != ep.ID || body.Data.Attempts != 2 || body.Data.LastStatusCode != 500 {
			t.Errorf("delivery.exhausted says %s", a.body)
		}
	}
}

// countWorkflows counts the workflows that a query finds.
func countWorkflows(t *testing.T, d *dev, query string) int {
	t.Helper()
	n, err := d.temporalClient(t).CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: namespace, Query: query,
	})
	if err != nil {
		t.Fatalf("count %s: %v", query, err)
	}
	return int(n.GetCount())
}
