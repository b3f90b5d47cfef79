package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"testing"
	"time"
)

// api speaks to one process with one key.
type api struct {
	base, key string
	client    *http.Client
}

// callTimeout is longer than anything the server takes to answer, even when its database is gone.
const callTimeout = 30 * time.Second

func newAPI(t *testing.T, addr, key string) *api {
	t.Helper()
	a := &api{base: "http://" + addr, key: key, client: &http.Client{
		Timeout:   callTimeout,
		Transport: &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute},
	}}
	t.Cleanup(a.client.CloseIdleConnections)
	return a
}

// answer is the envelope of an answer.
type answer[T any] struct {
	Status  int         `json:"-"`
	Header  http.Header `json:"-"`
	Text    string      `json:"-"`
	Success bool        `json:"success"`
	Data    T           `json:"data"`
	Error   struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// The resources, as far as the tests look at them.
type (
	endpoint struct {
		ID        string            `json:"id"`
		Secret    string            `json:"secret"`
		PublicKey string            `json:"publicKey"`
		Headers   map[string]string `json:"headers"`
		Enabled   bool              `json:"enabled"`
	}
	accepted struct {
		EventID    string `json:"eventId"`
		Status     string `json:"status"`
		WorkflowID string `json:"workflowId"`
	}
	delivery struct {
		ID            string    `json:"id"`
		EventID       string    `json:"eventId"`
		EndpointID    string    `json:"endpointId"`
		Status        string    `json:"status"`
		AttemptCount  int       `json:"attemptCount"`
		NextAttemptAt time.Time `json:"nextAttemptAt"`
		WorkflowID    string    `json:"workflowId"`
		Attempts      []attempt `json:"attempts"`
	}
	attempt struct {
		Number     int       `json:"number"`
		At         time.Time `json:"at"`
		StatusCode int       `json:"statusCode"`
		ErrorClass string    `json:"errorClass"`
		Error      string    `json:"error"`
		DurationMs float64   `json:"durationMs"`
		Timing     struct {
			ConnectMs   float64 `json:"connectMs"`
			FirstByteMs float64 `json:"firstByteMs"`
			TotalMs     float64 `json:"totalMs"`
		} `json:"timing"`
		RequestHeaders map[string][]string `json:"requestHeaders"`
		ResponseBody   string              `json:"responseBody"`
		NextAttemptAt  time.Time           `json:"nextAttemptAt"`
	}
	eventDetail struct {
		ID         string     `json:"id"`
		Type       string     `json:"type"`
		Deliveries []delivery `json:"deliveries"`
		Temporal   struct {
			WorkflowID string `json:"workflowId"`
		} `json:"temporal"`
	}
	readiness struct {
		Accepting      bool `json:"accepting"`
		WorkersPolling bool `json:"workersPolling"`
		Backlog        int  `json:"backlog"`
	}
)

// call makes one request. An error means that there was no whole answer; a refusal is an answer.
func call[T any](ctx context.Context, a *api, method, path string, body any) (answer[T], error) {
	var ans answer[T]
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return ans, fmt.Errorf("write request: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(text))
	if err != nil {
		return ans, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("content-type", "application/json")
	if a.key != "" {
		req.Header.Set("x-api-key", a.key)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return ans, fmt.Errorf("send request: %w", err)
	}
	defer resp.Body.Close()
	text, err = io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return ans, fmt.Errorf("read answer: %w", err)
	}
	if err := json.Unmarshal(text, &ans); err != nil {
		return ans, fmt.Errorf("read answer %q of status %d: %w", text, resp.StatusCode, err)
	}
	ans.Status, ans.Header, ans.Text = resp.StatusCode, resp.Header, string(text)
	return ans, nil
}

// must makes a request that has to be answered with status.
func must[T any](t *testing.T, a *api, method, path string, body any, status int) T {
	t.Helper()
	ans, err := call[T](t.Context(), a, method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if ans.Status != status || ans.Success != (status < 300) {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, ans.Status, status, ans.Text)
	}
	return ans.Data
}

// subscribe makes an endpoint of a sink and has the sink verify by its secret.
func (a *api) subscribe(t *testing.T, s *sink, more map[string]any) endpoint {
	t.Helper()
	body := map[string]any{"url": s.url()}
	maps.Copy(body, more)
	ep := must[endpoint](t, a, http.MethodPost, "/v1/endpoints", body, http.StatusCreated)
	s.trust(ep.Secret)
	return ep
}

// event is a request to take an event in.
type event struct {
	EventID  string         `json:"eventId,omitempty"`
	Type     string         `json:"type"`
	DeviceID string         `json:"deviceId,omitempty"`
	Data     map[string]any `json:"data"`
}

func newEvent(id string) event {
	return event{EventID: id, Type: "device.updated", Data: map[string]any{"state": map[string]any{"level": 99.5}}}
}

// post has one event accepted.
func (a *api) post(t *testing.T, id string) accepted {
	t.Helper()
	return must[accepted](t, a, http.MethodPost, "/v1/events", newEvent(id), http.StatusAccepted)
}

// deliveriesOf returns an event's deliveries.
func (a *api) deliveriesOf(t *testing.T, eventID string) []delivery {
	t.Helper()
	return must[eventDetail](t, a, http.MethodGet, "/v1/events/"+eventID, nil, http.StatusOK).Deliveries
}

// onlyDelivery returns the one delivery of an event, with its attempts.
func (a *api) onlyDelivery(t *testing.T, eventID string) delivery {
	t.Helper()
	all := a.deliveriesOf(t, eventID)
	if len(all) != 1 {
		t.Fatalf("event %s has %d deliveries, want 1", eventID, len(all))
	}
	return must[delivery](t, a, http.MethodGet, "/v1/deliveries/"+all[0].ID, nil, http.StatusOK)
}

// awaitDelivery returns the one delivery of an event once done says so.
func (a *api) awaitDelivery(t *testing.T, eventID, what string, done func(delivery) bool) delivery {
	t.Helper()
	var d delivery
	await(t, "the delivery of "+eventID+" to be "+what, func() bool {
		d = a.onlyDelivery(t, eventID)
		return done(d)
	})
	return d
}

func (a *api) awaitDelivered(t *testing.T, eventID string) delivery {
	t.Helper()
	return a.awaitDelivery(t, eventID, "delivered", func(d delivery) bool { return d.Status == "delivered" })
}
