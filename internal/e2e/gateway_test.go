package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"busbar/internal/webhook"
)

// gateway stands before devices: it takes commands, and carries each out once, by its idempotency key. What it does with a
// request is up to the test; it knows what it carried out, however the request ended.
type gateway struct {
	t      *testing.T
	server *httptest.Server
	mu     sync.Mutex
	// changed is closed and made anew with each request.
	changed  chan struct{}
	verifier webhook.Verifier
	answer   func(order) verdict
	orders   []order
	effects  map[string]int
}

// order is one request of a gateway.
type order struct {
	ActionID   string         `json:"actionId"`
	DeviceID   string         `json:"deviceId"`
	DeviceType string         `json:"deviceType"`
	Command    string         `json:"command"`
	Parameters map[string]any `json:"parameters"`
	key        string
	// time counts the requests with this key, from 1.
	time int
}

// verdict is what a gateway makes of a request. The zero verdict carries the command out and says so.
type verdict struct {
	status int
	body   string
	// idle: it does nothing about it.
	idle bool
	// hang: it never answers.
	hang bool
}

const gatewaySecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{t: t, changed: make(chan struct{}), effects: map[string]int{}, answer: func(order) verdict { return verdict{} }}
	var err error
	if g.verifier, err = webhook.ParseVerifier(gatewaySecret); err != nil {
		t.Fatal(err)
	}
	g.server = httptest.NewServer(http.HandlerFunc(g.serve))
	t.Cleanup(func() {
		g.server.CloseClientConnections()
		g.server.Close()
	})
	return g
}

// behave changes what it makes of requests from now on.
func (g *gateway) behave(answer func(order) verdict) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answer = answer
}

func (g *gateway) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	if err != nil {
		return // the sender was killed
	}
	v := g.take(r, body)
	if v.hang {
		<-r.Context().Done()
		return
	}
	if v.status != 0 {
		w.WriteHeader(v.status)
	}
	if v.body == "" {
		v.body = `{"success":true,"message":"done"}`
	}
	_, _ = io.WriteString(w, v.body) // a sender that is gone has nothing to read
}

func (g *gateway) take(r *http.Request, body []byte) verdict {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := webhook.Verify([]webhook.Verifier{g.verifier}, r.Header, body, time.Now()); err != nil {
		g.t.Errorf("command: %v", err)
	}
	o := order{key: r.Header.Get("idempotency-key")}
	if err := json.Unmarshal(body, &o); err != nil {
		g.t.Errorf("command %s: %v", body, err)
	}
	o.time = 1
	for _, before := range g.orders {
		if before.key == o.key {
			o.time++
		}
	}
	v := g.answer(o)
	if !v.idle && g.effects[o.key] == 0 {
		g.effects[o.key] = 1
	}
	g.orders = append(g.orders, o)
	close(g.changed)
	g.changed = make(chan struct{})
	return v
}

// await returns when done says so of the requests so far.
func (g *gateway) await(what string, done func([]order) bool) []order {
	g.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		g.mu.Lock()
		orders, changed := slices.Clone(g.orders), g.changed
		g.mu.Unlock()
		if done(orders) {
			return orders
		}
		select {
		case <-changed:
		case <-deadline.C:
			g.t.Fatalf("timed out waiting for %s; %d requests", what, len(orders))
		}
	}
}

// asked returns when a device was asked for a command, n times in all.
func (g *gateway) asked(device, command string, n int) {
	g.t.Helper()
	g.await(fmt.Sprintf("%s of %s, %d times", command, device, n), func(orders []order) bool {
		count := 0
		for _, o := range orders {
			if o.DeviceID == device && o.Command == command {
				count++
			}
		}
		return count >= n
	})
}

// site makes the site of the devices.
func (d *dev) site(t *testing.T) {
	t.Helper()
	must[any](t, d.api, http.MethodPost, "/v1/sites", map[string]any{"id": "site_home", "name": "Home", "timezone": "Europe/Berlin"}, http.StatusCreated)
}

// charger registers a charger behind a gateway.
func (d *dev) charger(t *testing.T, g *gateway, id string) {
	t.Helper()
	must[any](t, d.api, http.MethodPost, "/v1/devices", map[string]any{
		"id": id, "type": "ev_charger", "siteId": "site_home",
		"driver": map[string]any{"kind": "http", "url": g.server.URL + "/commands", "secret": gatewaySecret},
	}, http.StatusCreated)
}

// action is an action as clients see it.
type action struct {
	ID           string `json:"id"`
	State        string `json:"state"`
	Queued       bool   `json:"queued"`
	ErrorCode    string `json:"errorCode"`
	ErrorMessage string `json:"errorMessage"`
	CancelReason string `json:"cancelReason"`
	Result       struct {
		Message string `json:"message"`
	} `json:"result"`
	Tries []struct {
		Number  int    `json:"number"`
		Phase   string `json:"phase"`
		Outcome string `json:"outcome"`
	} `json:"tries"`
}

// pushing is the body of a push; more is added to it.
func pushing(command string, more map[string]any) map[string]any {
	act := map[string]any{"command": command}
	body := map[string]any{"action": act}
	for k, v := range more {
		if k == "start" || k == "end" || k == "parameters" {
			act[k] = v
			continue
		}
		body[k] = v
	}
	return body
}

func (d *dev) push(t *testing.T, device, command string, more map[string]any) action {
	t.Helper()
	return must[action](t, d.api, http.MethodPost, "/v1/ev-charger/"+device, pushing(command, more), http.StatusAccepted)
}

func (d *dev) action(t *testing.T, id string) action {
	t.Helper()
	return must[action](t, d.api, http.MethodGet, "/v1/actions/"+id, nil, http.StatusOK)
}

// report says how an action has ended at its device.
func (d *dev) report(t *testing.T, id string) {
	t.Helper()
	must[any](t, d.api, http.MethodPost, "/v1/actions/"+id+"/result", map[string]any{"success": true, "message": "done"}, http.StatusOK)
}

func (d *dev) awaitAction(t *testing.T, id, what string, done func(action) bool) action {
	t.Helper()
	var a action
	await(t, "action "+id+" to be "+what, func() bool {
		a = d.action(t, id)
		return done(a)
	})
	return a
}

func (d *dev) awaitState(t *testing.T, id, state string) action {
	t.Helper()
	return d.awaitAction(t, id, state, func(a action) bool { return a.State == state })
}

// outcomes are those of an action's tries.
func (a *action) outcomes() []string {
	list := make([]string, len(a.Tries))
	for i, try := range a.Tries {
		list[i] = try.Phase + " " + try.Outcome
	}
	return list
}
