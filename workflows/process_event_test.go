package workflows_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/webhook"
	"busbar/workflows"
)

func TestAHealthyEndpointGetsItAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "5s,5m")
	in := w.event(w.endpoint(nil), w.endpoint(func(e *busbar.Endpoint) { e.PayloadFormat = busbar.Flat }))
	if diff := cmp.Diff(workflows.ProcessEventResult{Delivered: 2}, w.run(in)); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	bodies := map[string]bool{}
	for _, r := range w.sent {
		bodies[string(r.Body)] = true
		if r.MessageID != string(in.EventID) || r.Attempt != 1 || len(r.Keys) != 1 {
			t.Errorf("request = %+v", r)
		}
	}
	if !bodies[`{"state":{"level":100}}`] || len(bodies) != 2 {
		t.Errorf("bodies = %v", bodies)
	}
	for _, d := range in.Deliveries {
		if got := w.delivery(d.ID); got.Status != busbar.DeliveryDelivered || got.Attempts != 1 {
			t.Errorf("delivery = %+v", got)
		}
	}
}

// The whole default schedule: ten attempts over more than three days, each at its time.
func TestTheScheduleIsKeptToItsEnd(t *testing.T) {
	t.Parallel()
	const schedule = "5s,5m,30m,2h,5h,10h,14h,20h,24h"
	w := newWorld(t, schedule)
	w.answer = failing(500)
	in := w.event(w.endpoint(nil))
	if diff := cmp.Diff(workflows.ProcessEventResult{Failed: 1}, w.run(in)); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	want := []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour,
		14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
	var got []time.Duration
	for i := 1; i < len(w.at); i++ {
		// The activity's way there and back takes moments of the skipping clock, and times are kept in microseconds.
		got = append(got, w.at[i].Sub(w.at[i-1]).Round(time.Second))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
	d := w.delivery(in.Deliveries[0].ID)
	if d.Status != busbar.DeliveryFailed || d.Attempts != 10 || d.Step != 9 || d.CompletedAt.IsZero() {
		t.Errorf("delivery = %+v", d)
	}
	attempts := w.attempts(d.ID)
	for i, a := range attempts {
		if last := i == len(attempts)-1; a.Number != i+1 || a.NextAttemptAt.IsZero() != last {
			t.Errorf("attempt %d: %+v", i+1, a)
		}
	}
}

func TestEveryAttemptTellsItsNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "5s,5m,30m")
	w.answer = func(r webhook.Request) webhook.Result {
		if r.Attempt < 3 {
			return failing(503)(r)
		}
		return healthy(r)
	}
	in := w.event(w.endpoint(nil))
	if got := w.run(in); got.Delivered != 1 {
		t.Errorf("result = %+v", got)
	}
	for i, r := range w.sent {
		if r.Attempt != i+1 {
			t.Errorf("send %d says attempt %d", i+1, r.Attempt)
		}
	}
}

func TestRetryAfterIsHonouredButNeverEarlier(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ asked, want time.Duration }{
		"later":   {10 * time.Minute, 10 * time.Minute},
		"earlier": {time.Second, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "5s")
			w.answer = func(r webhook.Request) webhook.Result {
				if r.Attempt == 1 {
					return webhook.Result{StatusCode: 429, Class: webhook.ClassStatus, Err: "HTTP 429", RetryAfter: c.asked}
				}
				return healthy(r)
			}
			w.run(w.event(w.endpoint(nil)))
			if got := w.at[1].Sub(w.at[0]).Round(time.Second); got != c.want {
				t.Errorf("waited %s, want %s", got, c.want)
			}
		})
	}
}

func TestOneFailingEndpointDoesNotDelayAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "5s,5m")
	bad, good := w.endpoint(nil), w.endpoint(func(e *busbar.Endpoint) { e.URL = "https://example.org/good" })
	w.answer = func(r webhook.Request) webhook.Result {
		if r.URL == "https://example.com/hook" {
			return failing(500)(r)
		}
		return healthy(r)
	}
	start := w.env.Now()
	in := w.event(bad, good)
	if diff := cmp.Diff(workflows.ProcessEventResult{Delivered: 1, Failed: 1}, w.run(in)); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	for i, r := range w.sent {
		if late := w.at[i].Sub(start); r.URL == "https://example.org/good" && late > time.Second {
			t.Errorf("the healthy endpoint waited %s", late)
		}
	}
}

func TestWhatTheEndpointAsksForIsDone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer  webhook.Result
		want    workflows.ProcessEventResult
		enabled bool
	}{
		"410 disables and parks": {
			webhook.Result{StatusCode: 410, Class: webhook.ClassStatus, Err: "HTTP 410", Disable: true},
			workflows.ProcessEventResult{Parked: 1},
			false,
		},
		"disable with a success delivers and disables": {
			webhook.Result{StatusCode: 200, Disable: true}, workflows.ProcessEventResult{Delivered: 1}, false,
		},
		"abort-message ends this delivery only": {
			webhook.Result{StatusCode: 500, Class: webhook.ClassStatus, Err: "HTTP 500", Abort: true},
			workflows.ProcessEventResult{Failed: 1},
			true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "5s")
			w.answer = func(webhook.Request) webhook.Result { return c.answer }
			id := w.endpoint(nil)
			if diff := cmp.Diff(c.want, w.run(w.event(id))); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if len(w.sent) != 1 {
				t.Errorf("sent %d times, want once", len(w.sent))
			}
			e, err := w.store.Endpoint(t.Context(), busbar.Sandbox, id)
			must(t, err)
			if e.Enabled != c.enabled {
				t.Errorf("enabled = %v, want %v", e.Enabled, c.enabled)
			}
		})
	}
}

func TestAnEndpointThatIsGoneOrDisabledGetsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(w *world, id busbar.EndpointID) error
		want   workflows.ProcessEventResult
	}{
		"deleted": {func(w *world, id busbar.EndpointID) error {
			return w.store.DeleteEndpoint(w.t.Context(), busbar.Sandbox, id)
		}, workflows.ProcessEventResult{Cancelled: 1}},
		"disabled": {func(w *world, id busbar.EndpointID) error {
			return w.store.DisableEndpoint(w.t.Context(), busbar.Sandbox, id, "by hand", false)
		}, workflows.ProcessEventResult{Parked: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "5s")
			id := w.endpoint(nil)
			in := w.event(id)
			must(t, c.change(w, id))
			if diff := cmp.Diff(c.want, w.run(in)); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if len(w.sent) != 0 {
				t.Errorf("sent %d times, want never", len(w.sent))
			}
		})
	}
}

func TestCancellingEndsTheRetries(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "1h,1h")
	w.answer = failing(500)
	in := w.event(w.endpoint(nil))
	w.env.RegisterDelayedCallback(func() {
		open, err := w.store.CloseDelivery(t.Context(), in.Deliveries[0].ID, busbar.DeliveryCancelled, "by request")
		if err != nil || !open {
			t.Errorf("CloseDelivery = %v, %v", open, err)
		}
	}, 30*time.Minute)
	if diff := cmp.Diff(workflows.ProcessEventResult{Cancelled: 1}, w.run(in)); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if len(w.sent) != 1 {
		t.Errorf("sent %d times, want once", len(w.sent))
	}
}

func TestTooManyDeliveriesToTravelAreReadInPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "5s")
	// Each endpoint takes all of its own at once, so that none has to wait for its turn.
	endpoints := make([]busbar.EndpointID, 250)
	for i := range endpoints {
		if i%10 == 0 {
			endpoints[i] = w.endpoint(func(e *busbar.Endpoint) { e.MaxInFlight = 10 })
			continue
		}
		endpoints[i] = endpoints[i-1]
	}
	in := w.event(endpoints...)
	in.Deliveries, in.More = nil, true
	if diff := cmp.Diff(workflows.ProcessEventResult{Delivered: 250}, w.run(in)); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

func TestADatabaseThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "5s")
	in := w.event(w.endpoint(nil))
	in.Deliveries, in.More = nil, true
	// The test environment ends retries at the tenth: 1, 2, 4, … 256 s.
	w.away = w.env.Now().Add(2 * time.Minute)
	if diff := cmp.Diff(workflows.ProcessEventResult{Delivered: 1}, w.run(in)); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

// In a moment in which this machine is slow, an activity for each of thirty deliveries would cost it most when it can do least.
func TestManyThatAreSlowAreOneActivity(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "5s,5m")
	var endpoints []busbar.EndpointID
	for range 30 {
		endpoints = append(endpoints, w.endpoint(nil))
	}
	paced := w.endpoint(func(e *busbar.Endpoint) { e.RateLimit = 10 })
	bad := w.endpoint(func(e *busbar.Endpoint) { e.URL = "https://example.org/bad" })
	w.answer = func(r webhook.Request) webhook.Result {
		if r.URL == "https://example.org/bad" {
			return failing(500)(r)
		}
		return healthy(r)
	}
	in := w.event(append(endpoints, paced, bad)...)
	for i := range in.Deliveries {
		d := &in.Deliveries[i]
		d.Quick, d.Paced = false, d.EndpointID == paced
	}
	activities := w.countActivities()
	if diff := cmp.Diff(workflows.ProcessEventResult{Delivered: 31, Failed: 1}, w.run(in)); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	// One for all, one for that with a rate limit, and one for the retries, which comes again.
	if diff := cmp.Diff(map[string]int{"SlowFirsts": 1, "Deliver": 4}, activities); diff != "" {
		t.Errorf("activities (-want +got):\n%s", diff)
	}
}

// The quick way does not wait for it; what it leaves is one activity, not one each.
func TestWhatTheQuickWayLeavesIsOneActivity(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "5s")
	endpoints := make([]busbar.EndpointID, 5)
	for i := range endpoints {
		endpoints[i] = w.endpoint(nil)
		for range 3 {
			// Three bad attempts of fifty make an endpoint slow.
			w.health.Record(string(endpoints[i]), false, 0)
		}
	}
	activities := w.countActivities()
	if diff := cmp.Diff(workflows.ProcessEventResult{Delivered: 5}, w.run(w.event(endpoints...))); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"SlowFirsts": 1}, activities); diff != "" {
		t.Errorf("activities (-want +got):\n%s", diff)
	}
}
