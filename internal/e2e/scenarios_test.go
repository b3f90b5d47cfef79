package e2e_test

import (
	"errors"
	"net/http"
	"testing"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"

	"busbar/workflows"
)

// state brings a workflow into one of its states, and returns the id of the workflow to look at.
type state struct {
	name string
	run  func(*testing.T, *dev) string
}

// states are reached one after the other. Each leaves the process as it found it, but for the last.
var states = []state{
	{"process_event_healthy", healthyEvent},
	{"process_event_nobody", unwantedEvent},
	{"process_event_recovered", recoveredEvent},
	{"process_event_slow", slowEvent},
	{"process_event_several", severalEndpoints},
	{"process_event_paged", pagedEvent},
	{"process_event_grouped", groupedEvent},
	{"process_event_exhausted", exhaustedEvent},
	{"process_event_cancelled", cancelledEvent},
	{"process_event_crashed", crashedEvent},
	{"redeliver_delivered", deliveredAgain},
	{"redeliver_failing", failingAgain},
	{"drain_endpoint_enabled", drainedWhenEnabled},
	{"drain_endpoint_probing", drainedAfterProbes},
	{"resend_recovered", recoveredByJob},
	{"resend_paused", pausedJob},
	{"process_event_waiting", waitingEvent},
}

// first lets the first n attempts of each delivery fail.
func first(n int) func(arrival) reply {
	return func(a arrival) reply {
		if a.attempt <= n {
			return reply{status: http.StatusBadGateway}
		}
		return reply{}
	}
}

// scenario posts an event to endpoints that behave in ways of their own and waits until their deliveries have the given statuses.
type scenario struct {
	*dev
	t         *testing.T
	id        string
	endpoints []endpoint
	sinks     []*sink
}

func newScenario(t *testing.T, d *dev, id string, behaviours ...func(arrival) reply) *scenario {
	t.Helper()
	sc := &scenario{dev: d, t: t, id: id}
	for _, b := range behaviours {
		s := newSink(t)
		s.behave(b)
		sc.sinks = append(sc.sinks, s)
		sc.endpoints = append(sc.endpoints, d.subscribe(t, s, nil))
	}
	return sc
}

// awaitStatuses waits for the statuses of the deliveries, in the order of the endpoints.
func (sc *scenario) awaitStatuses(want ...string) {
	sc.t.Helper()
	await(sc.t, sc.id+" to come to its end", func() bool {
		byEndpoint := make(map[string]string)
		for _, d := range sc.deliveriesOf(sc.t, sc.id) {
			byEndpoint[d.EndpointID] = d.Status
		}
		for i, ep := range sc.endpoints {
			if byEndpoint[ep.ID] != want[i] {
				return false
			}
		}
		return true
	})
}

// ended waits for the workflow's end and removes the endpoints.
func (sc *scenario) ended(workflowID string) string {
	sc.t.Helper()
	awaitWorkflow(sc.t, sc.dev, workflowID)
	for _, ep := range sc.endpoints {
		must[any](sc.t, sc.api, http.MethodDelete, "/v1/endpoints/"+ep.ID, nil, http.StatusOK)
	}
	return workflowID
}

// deliver posts the event and waits for the end.
func (sc *scenario) deliver(want ...string) string {
	sc.t.Helper()
	acc := sc.post(sc.t, sc.id)
	sc.awaitStatuses(want...)
	return sc.ended(acc.WorkflowID)
}

func healthyEvent(t *testing.T, d *dev) string {
	t.Helper()
	return newScenario(t, d, "evt_healthy", status(200)).deliver("delivered")
}

func unwantedEvent(t *testing.T, d *dev) string {
	t.Helper()
	return newScenario(t, d, "evt_nobody").deliver()
}

func recoveredEvent(t *testing.T, d *dev) string {
	t.Helper()
	return newScenario(t, d, "evt_recovered", first(2)).deliver("delivered")
}

// An endpoint that failed lately gets no attempt in the event's own task.
func slowEvent(t *testing.T, d *dev) string {
	t.Helper()
	sc := newScenario(t, d, "evt_slow", first(1), status(200))
	sc.post(t, "evt_slow_before")
	sc.sinks[0].awaitCount(2)
	return sc.deliver("delivered", "delivered")
}

func severalEndpoints(t *testing.T, d *dev) string {
	t.Helper()
	sc := newScenario(t, d, "evt_several", status(200), first(1), status(http.StatusGone), status(204), func(arrival) reply {
		return reply{status: 500, header: map[string]string{"webhook-delivery": "abort-message"}}
	})
	return sc.deliver("delivered", "delivered", "parked", "delivered", "failed")
}

// Two endpoints hold their first attempts for longer than the event's own task, and then what follows it, waits; a third fails.
func groupedEvent(t *testing.T, d *dev) string {
	t.Helper()
	release := make(chan struct{})
	held := func(arrival) reply { return reply{after: release} }
	sc := newScenario(t, d, "evt_grouped", first(1), held)
	another := newSink(t)
	another.behave(held)
	sc.endpoints = append(sc.endpoints, d.subscribe(t, another, nil))
	acc := sc.post(t, sc.id)
	awaitActivities(t, d, acc.WorkflowID, "SlowFirsts", 2)
	close(release)
	sc.awaitStatuses("delivered", "delivered", "delivered")
	return sc.ended(acc.WorkflowID)
}

// awaitActivities returns when so many activities of a type were scheduled by a workflow.
func awaitActivities(t *testing.T, d *dev, workflowID, name string, n int) {
	t.Helper()
	c := d.temporalClient(t)
	await(t, "activities of "+workflowID, func() bool {
		scheduled := 0
		events := c.GetWorkflowHistory(t.Context(), workflowID, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			e, err := events.Next()
			if _, unknown := errors.AsType[*serviceerror.NotFound](err); unknown {
				return false
			}
			if err != nil {
				t.Fatalf("read history: %v", err)
			}
			if e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName() == name {
				scheduled++
			}
		}
		return scheduled >= n
	})
}

// There are too many endpoints for the deliveries to travel in the workflow's input.
func pagedEvent(t *testing.T, d *dev) string {
	t.Helper()
	s := newSink(t)
	sc := &scenario{dev: d, t: t, id: "evt_paged"}
	want := make([]string, workflows.MaxInlineDeliveries+1)
	for i := range want {
		sc.endpoints = append(sc.endpoints, d.subscribe(t, s, nil))
		want[i] = "delivered"
	}
	return sc.deliver(want...)
}

func exhaustedEvent(t *testing.T, d *dev) string {
	t.Helper()
	return newScenario(t, d, "evt_exhausted", status(500)).deliver("failed")
}

// The workflow is looked at while it waits for a third attempt, in an hour.
func waitingEvent(t *testing.T, d *dev) string {
	t.Helper()
	sc := newScenario(t, d, "evt_waiting", func(a arrival) reply {
		rep := reply{status: http.StatusServiceUnavailable}
		if a.attempt == 2 {
			rep.header = map[string]string{"retry-after": "3600"}
		}
		return rep
	}, status(200))
	acc := sc.post(t, sc.id)
	sc.sinks[0].awaitCount(2)
	sc.sinks[1].awaitCount(1)
	awaitPending(t, d.temporalClient(t), acc.WorkflowID)
	return acc.WorkflowID
}

func cancelledEvent(t *testing.T, d *dev) string {
	t.Helper()
	sc := newScenario(t, d, "evt_cancelled", status(503))
	acc := sc.post(t, sc.id)
	del := d.awaitDelivery(t, sc.id, "tried once", func(d delivery) bool { return d.AttemptCount > 0 })
	must[delivery](t, d.api, http.MethodPost, "/v1/deliveries/"+del.ID+"/cancel", nil, http.StatusOK)
	return sc.ended(acc.WorkflowID)
}

// The process dies in the first attempt, which is part of a workflow task.
func crashedEvent(t *testing.T, d *dev) string {
	t.Helper()
	never := make(chan struct{})
	sc := newScenario(t, d, "evt_crashed", func(a arrival) reply {
		if a.attempt == 1 {
			return reply{after: never}
		}
		return reply{}
	})
	acc := sc.post(t, sc.id)
	sc.sinks[0].awaitCount(1)
	d.kill(t)
	d.start(t)
	sc.awaitStatuses("delivered")
	return sc.ended(acc.WorkflowID)
}

func deliveredAgain(t *testing.T, d *dev) string {
	t.Helper()
	return again(t, d, "evt_again", status(200))
}

func failingAgain(t *testing.T, d *dev) string {
	t.Helper()
	return again(t, d, "evt_failing_again", func(a arrival) reply {
		if a.attempt > 1 {
			return first(3)(a)
		}
		return reply{}
	})
}

// again has a delivery sent anew that was delivered before.
func again(t *testing.T, d *dev, id string, answer func(arrival) reply) string {
	t.Helper()
	sc := newScenario(t, d, id, answer)
	acc := sc.post(t, id)
	del := d.awaitDelivered(t, id)
	awaitWorkflow(t, d, acc.WorkflowID)
	d.retry(t, del)
	del = d.awaitDelivery(t, id, "delivered again", func(d delivery) bool { return d.Status == "delivered" && d.AttemptCount > 1 })
	return sc.ended(del.WorkflowID)
}
