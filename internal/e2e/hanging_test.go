package e2e_test

import (
	"testing"
)

// An endpoint that hangs holds up nobody but itself.
func TestHangingEndpointDelaysNobody(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--delivery-timeout", "60s")
	first, second, hanging := newSink(t), newSink(t), newSink(t)
	release := make(chan struct{})
	// It hangs until the healthy ones have everything, so that they cannot have waited for it.
	hanging.behave(func(arrival) reply { return reply{after: release} })
	for _, s := range []*sink{hanging, first, second} {
		d.subscribe(t, s, nil)
	}
	ids := startLoad(t, load{apis: []*api{d.api}, clients: 4, events: 100, prefix: "evt_hang"}).wait(t)
	first.awaitIDs(ids)
	second.awaitIDs(ids)
	held := hanging.all()
	if len(held) == 0 || len(held) > inFlight {
		t.Errorf("%d webhooks at the hanging endpoint, want 1 to %d", len(held), inFlight)
	}
	for _, a := range held {
		if a.attempt != 1 {
			t.Errorf("the hanging endpoint got attempt %d: it was given up before the others had everything", a.attempt)
		}
	}
	if n := first.repeats() + second.repeats(); n != 0 {
		t.Errorf("%d repeats at the healthy endpoints", n)
	}
	close(release)
	d.awaitDeliveredTo(t, hanging, held[0].id)
}

// So many that hang would fill all places of a worker that wait for attempts, each with as many as it may get at once.
func TestFortyHangingEndpointsDelayNobody(t *testing.T) {
	t.Parallel()
	d := startDev(t, "--delivery-timeout", "60s")
	healthy, limited, hanging := newSink(t), newSink(t), newSink(t)
	release := make(chan struct{})
	hanging.behave(func(arrival) reply { return reply{after: release} })
	for range 40 {
		d.subscribe(t, hanging, nil)
	}
	d.subscribe(t, healthy, nil)
	// What has a rate limit waits in activities, beside those that wait for the others.
	d.subscribe(t, limited, map[string]any{"rateLimit": 100})
	ids := startLoad(t, load{apis: []*api{d.api}, clients: 2, events: 40, prefix: "evt_forty"}).wait(t)
	healthy.awaitIDs(ids)
	limited.awaitIDs(ids)
	held := hanging.all()
	for _, a := range held {
		if a.attempt != 1 {
			t.Errorf("a hanging endpoint got attempt %d: it was given up before the others had everything", a.attempt)
		}
	}
	// More than a worker has places for.
	if len(held) < 300 {
		t.Errorf("%d webhooks were held, want more", len(held))
	}
	close(release)
	d.awaitDeliveredTo(t, hanging, held[0].id)
}

// awaitDeliveredTo returns when the delivery of an event that a sink has seen is on record as delivered.
func (d *dev) awaitDeliveredTo(t *testing.T, s *sink, eventID string) {
	t.Helper()
	var id string
	for _, a := range s.all() {
		if a.id == eventID {
			id = a.delivery
		}
	}
	await(t, "delivery "+id, func() bool {
		return must[delivery](t, d.api, "GET", "/v1/deliveries/"+id, nil, 200).Status == "delivered"
	})
}
