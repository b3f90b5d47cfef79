package web_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/keyring"
	"busbar/internal/listener"
	"busbar/internal/store"
	"busbar/internal/storetest"
	"busbar/internal/webhook"
	"busbar/rules"
	"busbar/web"
)

// Keys that exist in every app of these tests.
const (
	sandboxKey = "sk_test_0123456789abcdefghijklmnopqrstuv"
	liveKey    = "sk_live_0123456789abcdefghijklmnopqrstuv"
)

// app is the real handler over a real store and a real intake. Only Temporal is not there: what it would be asked is
// noted.
type app struct {
	t         testing.TB
	store     *store.Store
	server    *web.Server
	handler   http.Handler
	cluster   *cluster
	listeners *listener.Exchange
	intake    *intake.Intake
	logs      *lockedBuffer
	ready     atomic.Pointer[web.Readiness]
	offset    atomic.Int64
}

// options change what an app is made of.
type options struct {
	rateLimit float64
	guard     web.URLChecker
	intake    func(web.Intake) web.Intake
	timeout   time.Duration
	retention time.Duration
	gallery   bool
	patience  time.Duration
}

func newApp(t testing.TB, opt options) *app {
	t.Helper()
	a := &app{t: t, logs: &lockedBuffer{}}
	a.ready.Store(&web.Readiness{Accepting: true, WorkersPolling: true})
	logger := slog.New(slog.NewTextHandler(a.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	a.store, err = store.Open(t.Context(), store.Config{
		Path: storetest.SQLite(t), Relaxed: true, Keyring: newKeyring(t), Now: a.now, Logger: logger,
	})
	must(t, err)
	must(t, a.store.EnsureBootstrapKey(t.Context(), busbar.Sandbox, sandboxKey))
	must(t, a.store.EnsureBootstrapKey(t.Context(), busbar.Live, liveKey))
	a.cluster = &cluster{store: a.store, now: a.now}
	starter := intake.NewStarter(intake.StarterConfig{Store: a.store, Start: a.cluster.start, Workers: 2, Now: a.now, Logger: logger})
	in, err := intake.New(intake.Config{
		Store: a.store, Starter: starter, Quick: func(busbar.EndpointID) bool { return true },
		AttemptTime: 20 * time.Second, Lanes: 1, Now: a.now, Logger: logger, Observer: nobody{},
	})
	must(t, err)
	a.intake = in
	t.Cleanup(func() {
		if a.server != nil {
			a.server.EndFeeds()
		}
		in.Close()
		starter.Close()
		must(t, a.store.Close())
	})
	a.listeners, err = listener.New(listener.Config{Store: a.store, Retrier: a.cluster, Now: a.now, Logger: logger})
	must(t, err)
	cfg := web.Config{
		Store: a.store, Intake: in, Devices: in, Commands: in, Holds: in, Redeliverer: a.cluster, Listeners: a.listeners, Guard: opt.guard, Logger: logger,
		Ready:           func(context.Context) web.Readiness { return *a.ready.Load() },
		DeliveryTimeout: opt.timeout, Registry: prometheus.NewRegistry(), Now: a.now, PublicURL: "http://busbar.example/",
		TemporalUIURL: "http://temporal.example",
		WorkflowURL:   func(workflowID, _ string) string { return "http://temporal.example/" + workflowID },
		Settings: []web.Settings{{Title: "What is kept", List: []web.Setting{
			{Name: "Events, deliveries and runs", Value: web.Span(720 * time.Hour), Variable: "BUSBAR_RETENTION", Doc: "Ids of events are recognised for as long."},
			{Name: "Audit log", Value: web.Span(busbar.AuditTime)},
		}}},
		WorkflowRetention: opt.retention, Version: "1.2.3", RateLimit: opt.rateLimit, Gallery: opt.gallery,
		CountPatience: cmp.Or(opt.patience, pageTime),
	}
	if cfg.Guard == nil {
		cfg.Guard, err = webhook.NewGuard(webhook.GuardConfig{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
		must(t, err)
	}
	if opt.intake != nil {
		cfg.Intake = opt.intake(in)
	}
	if cfg.DeliveryTimeout == 0 {
		cfg.DeliveryTimeout = 15 * time.Second
	}
	a.server, err = web.New(cfg)
	must(t, err)
	a.handler = a.server.Handler()
	return a
}

func (a *app) now() time.Time          { return time.Now().Add(time.Duration(a.offset.Load())) }
func (a *app) advance(d time.Duration) { a.offset.Add(int64(d)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newKeyring(t testing.TB) *keyring.Keyring {
	t.Helper()
	key, err := keyring.Generate()
	must(t, err)
	ring, err := keyring.Parse(key)
	must(t, err)
	return ring
}

type nobody struct{}

func (nobody) Event(busbar.Environment, busbar.IngestStatus) {}
func (nobody) Refused(busbar.Environment)                    {}
func (nobody) Reading(busbar.Environment, string)            {}
func (nobody) Decision(busbar.Environment, rules.Decision)   {}
func (nobody) Action(busbar.Environment, busbar.ActionState) {}

// cluster stands for Temporal and the workers: it notes what it is asked, and makes attempts when told to.
type cluster struct {
	store *store.Store
	now   func() time.Time

	mu      sync.Mutex
	asked   []string
	deliver bool
}

// start is intake's StartFunc.
func (c *cluster) start(ctx context.Context, s intake.Start) error {
	c.mu.Lock()
	deliver := c.deliver
	c.mu.Unlock()
	if !deliver {
		return nil
	}
	var done []*store.Finished
	for _, ref := range s.Refs {
		done = append(done, &store.Finished{Status: busbar.DeliveryDelivered, Attempt: busbar.Attempt{
			DeliveryID: ref.DeliveryID, Number: 1, At: c.now(), Duration: 12 * time.Millisecond, StatusCode: 200,
			Timing:         busbar.Timing{Connect: time.Millisecond, Total: 12 * time.Millisecond},
			RequestHeaders: map[string][]string{"X-Token": {webhook.Masked}}, ResponseHeaders: map[string][]string{"Server": {"test"}},
			ResponseBody: "thanks",
		}})
	}
	if len(done) == 0 {
		return nil
	}
	return c.store.Finish(ctx, done)
}

// ProbeNow notes that an endpoint is to be tried.
func (c *cluster) ProbeNow(_ context.Context, _ busbar.Environment, id busbar.EndpointID) error {
	c.note("probe %s", id)
	return nil
}

// WakeJob notes that a job is to be carried out.
func (c *cluster) WakeJob(_ context.Context, j busbar.Job) error {
	c.note("%s %s %s", j.Kind, j.ID, j.Status)
	return nil
}

func (c *cluster) note(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, fmt.Sprintf(format, args...))
}

func (c *cluster) deliverAtOnce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deliver = true
}

func (c *cluster) RetryNow(ctx context.Context, env busbar.Environment, id busbar.DeliveryID) (busbar.Delivery, error) {
	c.note("retry %s", id)
	d, _, err := c.store.RequestRetry(ctx, env, id, func(busbar.Delivery) string { return "redeliver-1" })
	return d, err
}

func (c *cluster) Cancel(ctx context.Context, env busbar.Environment, id busbar.DeliveryID) (busbar.Delivery, error) {
	c.note("cancel %s", id)
	if _, err := c.store.CloseDelivery(ctx, id, busbar.DeliveryCancelled, "cancelled"); err != nil {
		return busbar.Delivery{}, err
	}
	return c.store.Delivery(ctx, env, id)
}

// lockedBuffer collects logs.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// answer is an HTTP answer, taken apart.
type answer struct {
	Status  int             `json:"-"`
	Header  http.Header     `json:"-"`
	Body    string          `json:"-"`
	Success bool            `json:"success"`
	Data    json.RawMessage `json:"data"`
	Error   struct {
		Code    busbar.Code `json:"code"`
		Message string      `json:"message"`
		Details struct {
			Fields []busbar.FieldError `json:"fields"`
			Line   int                 `json:"line"`
		} `json:"details"`
	} `json:"error"`
	Meta struct {
		RequestID   string  `json:"requestId"`
		Environment *string `json:"environment"`
		Timestamp   string  `json:"timestamp"`
		LatencyMs   float64 `json:"latencyMs"`
	} `json:"meta"`
}

// send makes a request. Headers are "name: value"; without an x-api-key among them the sandbox key is sent.
func (a *app) send(method, path, body string, headers ...string) answer {
	a.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("X-Api-Key", sandboxKey)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if value == "" {
			r.Header.Del(name)
			continue
		}
		r.Header.Set(name, value)
	}
	return a.do(r)
}

func (a *app) do(r *http.Request) answer {
	a.t.Helper()
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	res := w.Result()
	body, err := io.ReadAll(res.Body)
	must(a.t, err)
	got := answer{Status: res.StatusCode, Header: res.Header, Body: string(body)}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") && r.Method != http.MethodHead {
		if err := json.Unmarshal(body, &got); err != nil {
			a.t.Fatalf("%s %s answered what is not JSON: %s", r.Method, r.URL, body)
		}
	}
	return got
}

// want makes a request that must succeed, and reads its data.
func want[T any](a *app, status int, method, path, body string, headers ...string) T {
	a.t.Helper()
	got := a.send(method, path, body, headers...)
	if got.Status != status || !got.Success {
		a.t.Fatalf("%s %s: got %d %s, want %d", method, path, got.Status, got.Body, status)
	}
	var data T
	if err := json.Unmarshal(got.Data, &data); err != nil {
		a.t.Fatalf("%s %s: data %s: %v", method, path, got.Data, err)
	}
	return data
}

// object is data without a type of its own.
type object = map[string]any

// items reads a list.
func (a *app) items(path string, headers ...string) []object {
	a.t.Helper()
	return want[struct{ Items []object }](a, http.StatusOK, http.MethodGet, path, "", headers...).Items
}

// state counts everything that a request could have changed.
func (a *app) state() string {
	a.t.Helper()
	var b strings.Builder
	for _, path := range []string{"/v1/events", "/v1/endpoints", "/v1/event-types", "/v1/api-keys", "/v1/deliveries", "/v1/sites", "/v1/devices", "/v1/actions", "/v1/simulator/faults", "/v1/rules"} {
		for _, key := range []string{sandboxKey, liveKey} {
			items := a.items(path+"?limit=200", "x-api-key: "+key)
			for _, item := range items {
				delete(item, "lastUsedAt")
			}
			text, err := json.Marshal(items)
			must(a.t, err)
			fmt.Fprintf(&b, "%s %s\n", path, text)
		}
	}
	a.cluster.mu.Lock()
	defer a.cluster.mu.Unlock()
	fmt.Fprintln(&b, "asked", a.cluster.asked)
	return b.String()
}

// createKey makes a key with scopes.
func (a *app) createKey(scopes ...busbar.Scope) (id, text string) {
	a.t.Helper()
	body, err := json.Marshal(object{"name": "test", "scopes": scopes})
	must(a.t, err)
	key := want[object](a, http.StatusCreated, http.MethodPost, "/v1/api-keys", string(body))
	return key["id"].(string), key["key"].(string)
}

// createEndpoint makes an endpoint and returns its id and its secret.
func (a *app) createEndpoint(body string, headers ...string) (id, secret string) {
	a.t.Helper()
	e := want[object](a, http.StatusCreated, http.MethodPost, "/v1/endpoints", body, headers...)
	secret, _ = e["secret"].(string)
	return e["id"].(string), secret
}

const plainEndpoint = `{"url":"http://127.0.0.1:9/hook"}`

// createDelivery posts an event that an endpoint wants, and returns the ids of its delivery and the endpoint.
func (a *app) createDelivery() (delivery, endpoint string) {
	a.t.Helper()
	endpoint, _ = a.createEndpoint(plainEndpoint)
	event := want[object](a, http.StatusAccepted, http.MethodPost, "/v1/events", `{"type":"device.updated","data":{"state":{}}}`)
	list := a.items(fmt.Sprintf("/v1/deliveries?eventId=%s&endpointId=%s", event["eventId"], endpoint))
	if len(list) != 1 {
		a.t.Fatalf("%d deliveries of one event", len(list))
	}
	return list[0]["id"].(string), endpoint
}
