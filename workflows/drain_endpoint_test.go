package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
	"busbar/internal/storetest"
	"busbar/internal/webhook"
	"busbar/workflows"
)

// backlog parks n events for an endpoint, a minute apart and the last first, and returns their ids in the order in which
// they happened.
func (w *world) backlog(id busbar.EndpointID, n int) []string {
	w.t.Helper()
	now := w.env.Now().UTC()
	var want []string
	for i := range n {
		e := busbar.Event{
			ID: busbar.NewEventID(), Environment: busbar.Sandbox, Type: "device.updated", Data: []byte(`{}`),
			Timestamp: now.Add(-time.Duration(i) * time.Minute), ReceivedAt: now,
		}
		d := busbar.Delivery{
			ID: busbar.NewDeliveryID(), Environment: e.Environment, EventID: e.ID, EventType: e.Type, EndpointID: id,
			Status: busbar.DeliveryParked, WorkflowID: e.WorkflowID(), CreatedAt: now,
		}
		must(w.t, w.store.Decide(w.t.Context(), []busbar.Environment{e.Environment}, func(tx *store.DecisionTx) error {
			return storetest.Insert(tx, store.Accepted{Event: e, Deliveries: []busbar.Delivery{d}})
		}))
		want = append(want, string(e.ID))
	}
	slices.Reverse(want)
	return want
}

// sentIDs are the events of the attempts that began, in their order.
func (w *world) sentIDs() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := make([]string, len(w.sent))
	for i, r := range w.sent {
		list[i] = r.MessageID
	}
	return list
}

func (w *world) drain(id busbar.EndpointID) {
	w.t.Helper()
	w.env.ExecuteWorkflow(workflows.DrainName, workflows.DrainEndpointInput{Environment: busbar.Sandbox, EndpointID: id})
	if !w.env.IsWorkflowCompleted() {
		w.t.Fatal("draining did not end")
	}
	must(w.t, w.env.GetWorkflowError())
}

func (w *world) circuit(id busbar.EndpointID) busbar.Circuit {
	w.t.Helper()
	e, err := w.store.Endpoint(w.t.Context(), busbar.Sandbox, id)
	must(w.t, err)
	return e.Circuit
}

func TestDrainingSendsTheOldestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1s")
	id := w.endpoint(func(e *busbar.Endpoint) { e.MaxInFlight = 1 })
	want := w.backlog(id, 50)
	w.drain(id)
	if diff := cmp.Diff(want, w.sentIDs()); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if c := w.circuit(id); c.State != busbar.CircuitClosed {
		t.Errorf("circuit is %q at the end, want closed", c.State)
	}
}

func TestAnEndpointThatIsDownIsProbedWithOneDeliveryAndLosesNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1s,1s")
	id := w.endpoint(nil)
	want := w.backlog(id, 30)
	began := w.env.Now()
	const outage = 10 * time.Minute
	w.answer = func(webhook.Request) webhook.Result {
		if w.env.Now().Sub(began) < outage {
			return failing(503)(webhook.Request{})
		}
		return webhook.Result{StatusCode: 200}
	}
	w.drain(id)
	sent := w.sentIDs()
	probes := len(sent) - len(want)
	// After 0, 5, 15, 35, 75 seconds and then once a minute.
	if probes < 10 || probes > 15 {
		t.Errorf("%d probes in %s", probes, outage)
	}
	for _, got := range sent[:probes] {
		if got != want[0] {
			t.Fatalf("probed with %s, want the oldest, %s", got, want[0])
		}
	}
	for _, event := range want {
		list, err := w.store.DeliveriesOfEvent(t.Context(), busbar.Sandbox, busbar.EventID(event))
		must(t, err)
		if list[0].Status != busbar.DeliveryDelivered {
			t.Errorf("a delivery is %s after all is well, want delivered", list[0].Status)
		}
	}
	if took := w.at[len(w.at)-1].Sub(began); took > outage+2*time.Minute {
		t.Errorf("the last was sent after %s of an outage of %s", took, outage)
	}
}

func TestOneThatFailsAmongManyGoesBackToItsSchedule(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1s,1s")
	id := w.endpoint(nil)
	want := w.backlog(id, 20)
	w.answer = func(r webhook.Request) webhook.Result {
		if r.MessageID == want[7] {
			return failing(500)(r)
		}
		return webhook.Result{StatusCode: 200}
	}
	w.drain(id)
	if len(w.released) != 1 || string(w.released[0].EventID) != want[7] || w.released[0].Step != 1 {
		t.Fatalf("released %+v, want the one that failed, a step on", w.released)
	}
	if d := w.delivery(w.released[0].ID); d.Status != busbar.DeliveryPending || d.Attempts != 1 {
		t.Errorf("it is %s after %d attempts, want pending after one", d.Status, d.Attempts)
	}
}

func TestDrainingLeavesADisabledEndpointAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1s")
	id := w.endpoint(func(e *busbar.Endpoint) { e.Enabled = false })
	w.backlog(id, 3)
	w.drain(id)
	if n := len(w.sentIDs()); n != 0 {
		t.Errorf("sent %d to a disabled endpoint", n)
	}
	parked, err := w.store.Parked(t.Context(), id, 10)
	must(t, err)
	if len(parked) != 3 {
		t.Errorf("%d parked, want all three kept", len(parked))
	}
}

func TestAnOpenCircuitEndsTheWorkflowsThatWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1s")
	id := w.endpoint(nil)
	w.answer = failing(500)
	// Ten first attempts that fail, as the workflows of ten events make them.
	for range 10 {
		in := w.event(id)
		d := w.delivery(in.Deliveries[0].ID)
		must(t, w.store.Finish(t.Context(), []*store.Finished{{
			Status: busbar.DeliveryPending, Step: 1, NextAttemptAt: w.env.Now().Add(time.Hour),
			Attempt: busbar.Attempt{DeliveryID: d.ID, Number: 1, At: w.env.Now(), ErrorClass: "http_status", StatusCode: 500},
		}}))
	}
	if c := w.circuit(id); c.State != busbar.CircuitOpen {
		t.Fatalf("circuit is %q, want open", c.State)
	}
	w.answer = healthy
	in := w.event(id) // its workflow has not tried it yet
	w.drain(id)
	if len(w.woken) != 11 {
		t.Errorf("%d workflows were told to end, want 11", len(w.woken))
	}
	if d := w.delivery(in.Deliveries[0].ID); d.Status != busbar.DeliveryDelivered {
		t.Errorf("delivery is %s, want delivered by draining", d.Status)
	}
}
