package listener_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/listener"
	"busbar/internal/store"
	"busbar/internal/storetest"
	"busbar/internal/webhook"
)

func TestAnAttemptIsWhatItsListenerAnswers(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 20<<10)
	eachWorld(t, func(t *testing.T, w *world) {
		for n, c := range []struct {
			answer listener.Answer
			want   webhook.Result
		}{
			{
				listener.Answer{StatusCode: 201, Header: http.Header{"X-Mine": {"1"}}, Body: []byte("thanks")},
				webhook.Result{StatusCode: 201, ResponseHeader: http.Header{"X-Mine": {"1"}}, ResponseBody: "thanks"},
			},
			{
				listener.Answer{StatusCode: 500, Body: []byte(long)},
				webhook.Result{
					StatusCode: 500, ResponseHeader: http.Header{}, ResponseBody: long[:16<<10], Truncated: true,
					Class: webhook.ClassStatus, Err: "answered 500",
				},
			},
			{
				listener.Answer{StatusCode: 410},
				webhook.Result{StatusCode: 410, ResponseHeader: http.Header{}, Class: webhook.ClassStatus, Err: "answered 410", Disable: true},
			},
			{
				listener.Answer{StatusCode: 307, Header: http.Header{"Location": {"/"}}},
				webhook.Result{
					StatusCode: 307, ResponseHeader: http.Header{"Location": {"/"}},
					Class: webhook.ClassRedirect, Err: "answered 307: redirects are not followed",
				},
			},
			{
				listener.Answer{StatusCode: 503, Header: http.Header{"Retry-After": {"90"}}},
				webhook.Result{
					StatusCode: 503, ResponseHeader: http.Header{"Retry-After": {"90"}}, Class: webhook.ClassStatus, Err: "answered 503",
					RetryAfter: 90 * time.Second,
				},
			},
			{
				listener.Answer{Class: webhook.ClassConnect, Reason: "connection refused"},
				webhook.Result{Class: webhook.ClassConnect, Err: "connection refused"},
			},
		} {
			attempt := n + 1
			done := w.send(t.Context(), w.request(t, attempt))
			r := w.fetch(t)
			if err := webhook.Verify([]webhook.Verifier{w.verifier}, r.Header, r.Body, time.Now()); err != nil {
				t.Errorf("signature: %v", err)
			}
			if r.DeliveryID != "dlv_1" || r.EventID != "evt_1" || r.EventType != "device.updated" || r.Attempt != attempt {
				t.Errorf("request %+v", r)
			}
			c.answer.RequestID = r.ID
			must(t, w.serve.Answer(t.Context(), w.endpoint, c.answer))
			got := <-done
			if got.RequestHeader.Get("Webhook-Id") != "evt_1" || got.At.IsZero() || got.Duration <= 0 || got.Timing.Total != got.Duration {
				t.Errorf("result %+v", got)
			}
			c.want.At, c.want.Duration, c.want.Timing, c.want.RequestHeader = got.At, got.Duration, got.Timing, got.RequestHeader
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("result of %+v (-want +got):\n%s", c.answer, diff)
			}
		}
	})
}

// What a program does not say that it holds is given again: the answer that carried it may have been lost.
func TestRequestsAreGivenAgainUntilHeld(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		done := w.send(t.Context(), w.request(t, 1))
		first := w.fetch(t)
		if again := w.fetch(t); again.ID != first.ID {
			t.Errorf("got %s, then %s", first.ID, again.ID)
		}
		found, err := w.serve.Fetch(t.Context(), w.endpoint, listener.FetchRequest{Holding: []string{first.ID}, Limit: 10})
		if err != nil || len(found) != 0 {
			t.Errorf("a request that is held is given again: %v, %v", found, err)
		}
		must(t, w.serve.Answer(t.Context(), w.endpoint, listener.Answer{RequestID: first.ID, StatusCode: 200}))
		if got := <-done; !got.OK() {
			t.Errorf("result %+v", got)
		}
	})
}

func TestWithoutAListenerTheAttemptFails(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		r := w.request(t, 1)
		r.Timeout = 300 * time.Millisecond
		got := w.sender.Send(t.Context(), r)
		if got.Class != webhook.ClassListener || !strings.Contains(got.Err, "no answer within 300ms") {
			t.Errorf("result %s %q", got.Class, got.Err)
		}
		if _, err := w.RequestAnswer(t.Context(), "dlv_1-1"); busbar.CodeOf(err) != busbar.CodeNotFound {
			t.Errorf("the request is still there: %v", err)
		}
		err := w.serve.Answer(t.Context(), w.endpoint, listener.Answer{RequestID: "dlv_1-1", StatusCode: 200})
		if busbar.CodeOf(err) != busbar.CodeNotFound {
			t.Errorf("an answer that comes too late: %v", err)
		}
		// Its endpoint goes in the middle of an attempt.
		done := w.send(t.Context(), w.request(t, 2))
		w.fetch(t)
		must(t, w.DeleteEndpoint(t.Context(), busbar.Sandbox, w.endpoint.EndpointID))
		if got := <-done; got.Class != webhook.ClassListener || got.Err != "the listener is gone" {
			t.Errorf("result %s %q", got.Class, got.Err)
		}
	})
}

func TestCutAttemptsSayNothingAboutTheListener(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		done := w.send(ctx, w.request(t, 1))
		w.fetch(t)
		cancel()
		if got := <-done; got.Class != webhook.ClassCanceled {
			t.Errorf("class %s", got.Class)
		}
	})
}

func TestOtherEndpointsAreDialled(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusTeapot) }))
		defer server.Close()
		r := w.request(t, 1)
		r.URL = server.URL
		if got := w.sender.Send(t.Context(), r); got.StatusCode != http.StatusTeapot {
			t.Errorf("result %+v", got)
		}
		r = w.request(t, 1)
		r.Keys = nil
		if got := w.sender.Send(t.Context(), r); got.Class != webhook.ClassRequest {
			t.Errorf("without a key: %+v", got)
		}
	})
}

func TestCloseEndsTheWait(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		done := make(chan error, 1)
		go func() {
			found, err := w.serve.Fetch(t.Context(), w.endpoint, listener.FetchRequest{Wait: time.Hour, Limit: 1})
			if len(found) > 0 {
				t.Errorf("found %v", found)
			}
			done <- err
		}()
		w.serve.Close()
		w.serve.Close()
		if err := <-done; err != nil {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestListenersThatAreAwayForLongAreDeleted(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		there := func() bool {
			t.Helper()
			_, err := w.Endpoint(t.Context(), busbar.Sandbox, w.endpoint.EndpointID)
			if err != nil && busbar.CodeOf(err) != busbar.CodeNotFound {
				t.Fatal(err)
			}
			return err == nil
		}
		later := func(d time.Duration) {
			t.Helper()
			w.offset.Add(int64(d))
			must(t, w.worker.Sweep(t.Context()))
		}
		later(busbar.ListenerTimeout - time.Minute)
		if !there() {
			t.Fatal("it is deleted too early")
		}
		// Asking for requests is a sign of life.
		_, err := w.serve.Fetch(t.Context(), w.endpoint, listener.FetchRequest{Limit: 1})
		must(t, err)
		later(busbar.ListenerTimeout - time.Minute)
		if !there() {
			t.Fatal("it is deleted although its program was there")
		}
		later(2 * time.Minute)
		if there() {
			t.Error("it is not deleted")
		}
		must(t, w.worker.Sweep(t.Context()))
	})
}

// After a break what failed because of it is tried at once, and what failed for another reason is not.
func TestResumeHurriesWhatTheBreakHasFailed(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		away := w.fail(t, webhook.ClassListener)
		w.fail(t, webhook.ClassStatus)
		must(t, w.serve.Resume(t.Context(), w.endpoint))
		must(t, w.serve.Resume(t.Context(), w.endpoint))
		if diff := cmp.Diff([]busbar.DeliveryID{away}, w.hurried()); diff != "" {
			t.Errorf("hurried (-want +got):\n%s", diff)
		}
		if n := w.probed(); n != 0 {
			t.Errorf("an endpoint whose circuit is closed is probed %d times", n)
		}
	})
}

// A break that was long enough to open the circuit is no reason to wait for its probe.
func TestResumeProbesAnOpenCircuit(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		for range 30 {
			w.fail(t, webhook.ClassListener)
		}
		e, err := w.Endpoint(t.Context(), busbar.Sandbox, w.endpoint.EndpointID)
		must(t, err)
		if e.Circuit.State != busbar.CircuitOpen {
			t.Fatalf("the circuit is %q after 30 failures", e.Circuit.State)
		}
		must(t, w.serve.Resume(t.Context(), w.endpoint))
		if n := w.probed(); n != 1 {
			t.Errorf("probed %d times, want once", n)
		}
	})
}

// fail puts a delivery on record whose first attempt has failed.
func (w *world) fail(t *testing.T, class webhook.ErrorClass) busbar.DeliveryID {
	t.Helper()
	e := busbar.Event{
		ID: busbar.NewEventID(), Environment: busbar.Sandbox, Type: "device.updated", Timestamp: w.now(), ReceivedAt: w.now(),
		Data: json.RawMessage(`{}`),
	}
	d := busbar.Delivery{
		ID: busbar.NewDeliveryID(), Environment: e.Environment, EventID: e.ID, EventType: e.Type, EndpointID: w.endpoint.EndpointID,
		Status: busbar.DeliveryPending, NextAttemptAt: w.now(), WorkflowID: e.WorkflowID(), CreatedAt: w.now(),
	}
	must(t, w.Decide(t.Context(), []busbar.Environment{e.Environment}, func(tx *store.DecisionTx) error {
		return storetest.Insert(tx, store.Accepted{Event: e, Deliveries: []busbar.Delivery{d}})
	}))
	must(t, w.Finish(t.Context(), []*store.Finished{{
		Status: busbar.DeliveryPending, NextAttemptAt: w.now().Add(time.Hour),
		Attempt: busbar.Attempt{DeliveryID: d.ID, Number: 1, At: w.now(), ErrorClass: string(class)},
	}}))
	return d.ID
}
