package listener_test

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"busbar"
	"busbar/internal/keyring"
	"busbar/internal/listener"
	"busbar/internal/pgtest"
	"busbar/internal/store"
	"busbar/internal/storetest"
	"busbar/internal/webhook"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// world is two processes on one database: attempts are made in one, and the program is connected to the other. On
// SQLite both are the same.
type world struct {
	*store.Store
	worker, serve *listener.Exchange
	sender        *listener.Sender
	client        *webhook.Client
	endpoint      busbar.Listener
	verifier      webhook.Verifier
	secret        string
	offset        atomic.Int64

	mu      sync.Mutex
	retried []busbar.DeliveryID
	probes  int
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.offset.Load())) }

// RetryNow makes the world a retrier.
func (w *world) RetryNow(ctx context.Context, env busbar.Environment, id busbar.DeliveryID) (busbar.Delivery, error) {
	w.mu.Lock()
	w.retried = append(w.retried, id)
	w.mu.Unlock()
	d, _, err := w.RequestRetry(ctx, env, id, func(busbar.Delivery) string { return "redeliver" })
	return d, err
}

// ProbeNow makes the world a retrier.
func (w *world) ProbeNow(_ context.Context, _ busbar.Environment, id busbar.EndpointID) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id == w.endpoint.EndpointID {
		w.probes++
	}
	return nil
}

func (w *world) probed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.probes
}

func (w *world) hurried() []busbar.DeliveryID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.retried)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eachWorld runs a test in one process on SQLite and across two on PostgreSQL.
func eachWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for name, processes := range map[string]int{"sqlite": 1, "postgres": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := store.Config{Path: storetest.SQLite(t), Relaxed: true}
			if processes > 1 {
				cfg = store.Config{URL: storetest.Postgres(t)}
			}
			test(t, newWorld(t, cfg, processes))
		})
	}
}

func newWorld(t *testing.T, cfg store.Config, processes int) *world {
	t.Helper()
	w := &world{}
	key, err := keyring.Generate()
	must(t, err)
	cfg.Keyring, err = keyring.Parse(key)
	must(t, err)
	cfg.Now = w.now
	exchanges := make([]*listener.Exchange, processes)
	for i := range exchanges {
		s, err := store.Open(t.Context(), cfg)
		must(t, err)
		t.Cleanup(func() { must(t, s.Close()) })
		w.Store = s
		exchanges[i], err = listener.New(listener.Config{Store: s, Retrier: w, Now: w.now, Logger: slog.New(slog.DiscardHandler)})
		must(t, err)
	}
	w.worker, w.serve = exchanges[0], exchanges[processes-1]
	guard, err := webhook.NewGuard(webhook.GuardConfig{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	must(t, err)
	w.client, err = webhook.NewClient(webhook.ClientConfig{Guard: guard, Version: "test", Now: w.now})
	must(t, err)
	t.Cleanup(w.client.Close)
	w.sender = w.worker.Sender(w.client)
	w.secret, err = webhook.GenerateHMAC()
	must(t, err)
	w.verifier, err = webhook.ParseVerifier(w.secret)
	must(t, err)
	w.create(t)
	return w
}

// create makes the listener.
func (w *world) create(t *testing.T) {
	t.Helper()
	id := busbar.NewEndpointID()
	e := busbar.Endpoint{
		ID: id, Environment: busbar.Sandbox, URL: busbar.ListenerURL(id), PayloadFormat: busbar.Enveloped, MaxInFlight: 16,
		Signing: busbar.SigningHMAC, Enabled: true, CreatedAt: w.now(), UpdatedAt: w.now(),
	}
	w.endpoint = busbar.Listener{EndpointID: id, Environment: busbar.Sandbox, APIKeyID: "key_1", CreatedAt: w.now(), SeenAt: w.now()}
	_, err := w.Once(t.Context(), nil, func(tx *store.Tx) (store.Answer, error) {
		if err := tx.CreateEndpoint(&e, nil); err != nil {
			return store.Answer{}, err
		}
		return store.Answer{}, tx.CreateListener(w.endpoint)
	})
	must(t, err)
}

// request is an attempt at the listener.
func (w *world) request(t *testing.T, attempt int) webhook.Request {
	t.Helper()
	key, err := webhook.ParseKey(w.secret)
	must(t, err)
	return webhook.Request{
		URL: busbar.ListenerURL(w.endpoint.EndpointID), MessageID: "evt_1", Keys: []webhook.Key{key}, Body: []byte(`{"level":100}`),
		Timeout: 20 * time.Second, EventType: "device.updated", DeliveryID: "dlv_1", Environment: "sandbox", Attempt: attempt,
	}
}

// send begins an attempt.
func (w *world) send(ctx context.Context, r webhook.Request) <-chan webhook.Result {
	done := make(chan webhook.Result, 1)
	go func() { done <- w.sender.Send(ctx, r) }()
	return done
}

// fetch waits for one request.
func (w *world) fetch(t *testing.T) listener.Request {
	t.Helper()
	found, err := w.serve.Fetch(t.Context(), w.endpoint, listener.FetchRequest{Wait: 20 * time.Second, Limit: 10})
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("%d requests, want 1", len(found))
	}
	return found[0]
}
