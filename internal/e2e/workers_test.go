package e2e_test

import (
	"net/http"
	"testing"

	"busbar/internal/pgtest"
)

// What is parked goes out in its order, and a job does what it has to, though the worker that is at it is killed: another
// takes its place.
func TestWorkersTakeTheCareOfAnEndpointOver(t *testing.T) {
	t.Parallel()
	p := newTopology(t, pgtest.DSN(t), "--postgres", pgtest.DSN(t))
	serve := p.run(t, "serve", "--worker=false")
	first, second := p.run(t, "worker"), p.run(t, "worker")
	awaitReady(t, serve, first, second)
	s := newSink(t)
	s.behave(status(503))
	ep := serve.subscribe(t, s, map[string]any{"maxInFlight": atOnce})
	const events = 120
	l := startLoad(t, load{apis: []*api{serve.api}, clients: 4, events: events, prefix: "evt_over"})
	ids := l.wait(t)
	await(t, "all to be parked", func() bool { return serve.countOf(t, ep.ID, "parked") == events })
	before := len(s.all())
	s.behave(status(200))
	must[any](t, serve.api, http.MethodPost, "/v1/endpoints/"+ep.ID+"/enable", nil, http.StatusOK)
	s.awaitCount(before + events/4)
	first.kill(t)
	await(t, "the circuit to close", func() bool { return serve.circuit(t, ep.ID).Circuit.State == "closed" })
	if n := serve.countOf(t, ep.ID, "delivered"); n != events {
		t.Errorf("%d of %d are delivered", n, events)
	}
	checkStartOrder(t, serve.api, ep.ID, s.all()[before:], ids, atOnce)
	killInMid(t, serve.api, s, "recover", ep.ID, ids, []string{"delivered"}, func() {
		second.kill(t)
		s.behave(status(200))
		awaitReady(t, p.run(t, "worker"))
	})
}

// Two workers send no more to an endpoint at once than one may.
func TestWorkersShareAnInFlightLimit(t *testing.T) {
	t.Parallel()
	p := newTopology(t, pgtest.DSN(t), "--postgres", pgtest.DSN(t))
	serve := p.run(t, "serve", "--worker=false")
	awaitReady(t, serve, p.run(t, "worker"), p.run(t, "worker"))
	hanging, healthy := newSink(t), newSink(t)
	never := make(chan struct{})
	hanging.behave(func(arrival) reply { return reply{after: never} })
	serve.subscribe(t, hanging, map[string]any{"maxInFlight": 2, "timeout": "30s"})
	serve.subscribe(t, healthy, nil)
	l := startLoad(t, load{apis: []*api{serve.api}, clients: 4, events: 40, prefix: "evt_share"})
	hanging.awaitCount(2)
	healthy.awaitIDs(l.wait(t))
	if n := len(hanging.all()); n != 2 {
		t.Errorf("%d attempts are under way at an endpoint that takes 2", n)
	}
}
