package activities_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"busbar"
	"busbar/activities"
	"busbar/internal/intake"
	"busbar/internal/keyring"
	"busbar/internal/store"
	"busbar/internal/storetest"
	"busbar/internal/webhook"
)

// world is a real store under activities whose endpoint and other surroundings are made up.
type world struct {
	*store.Store
	env  *testsuite.TestActivityEnvironment
	acts *activities.Activities
	now  time.Time
	// answer, if set, is how the endpoint answers.
	answer func(r webhook.Request) webhook.Result
	// hold, if set, is what the endpoint waits for before it answers; each attempt is told of by arrived.
	hold, arrived chan struct{}

	mu   sync.Mutex
	sent []int

	// prepared is what the intake has handed over.
	prepared map[busbar.DeliveryID]intake.Shipment
	// unreadable and unrecorded are how often reading an event and recording an attempt still fail.
	unreadable, unrecorded int
	// together are the sizes of the records that were made of several attempts.
	together []int
}

func (w *world) Send(_ context.Context, r webhook.Request) webhook.Result {
	w.mu.Lock()
	w.sent = append(w.sent, r.Attempt)
	w.mu.Unlock()
	if w.answer != nil {
		result := w.answer(r)
		result.At = w.now
		return result
	}
	if w.hold != nil {
		w.arrived <- struct{}{}
		<-w.hold
	}
	return webhook.Result{At: w.now, StatusCode: 200}
}

func (w *world) Take(id busbar.DeliveryID) (intake.Shipment, bool) {
	s, ok := w.prepared[id]
	return s, ok
}

// Event makes the world a source.
func (w *world) Event(ctx context.Context, env busbar.Environment, id busbar.EventID) (busbar.Event, error) {
	if w.unreadable > 0 {
		w.unreadable--
		return busbar.Event{}, errAway
	}
	return w.Store.Event(ctx, env, id)
}

// Do makes the world a recorder.
func (w *world) Do(ctx context.Context, f *store.Finished) error {
	return w.DoAll(ctx, []*store.Finished{f})[0]
}

// DoAll records attempts together.
func (w *world) DoAll(ctx context.Context, finished []*store.Finished) []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	errs := make([]error, len(finished))
	if w.unrecorded > 0 {
		w.unrecorded--
		for i := range errs {
			errs[i] = errAway
		}
		return errs
	}
	w.together = append(w.together, len(finished))
	err := w.Finish(ctx, finished)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

var errAway = busbar.Unavailable(time.Second, errors.New("no connection"), "the database cannot be reached")

type uncounted struct{}

func (uncounted) Attempt(busbar.Environment, string, time.Duration)  {}
func (uncounted) FirstAttempt(time.Duration)                         {}
func (uncounted) Delivery(busbar.Environment, busbar.DeliveryStatus) {}

// director directs nothing.
type director struct{}

func (director) StartDrain(context.Context, busbar.Environment, busbar.EndpointID) error { return nil }

func (director) Wake(context.Context, busbar.Delivery) error { return nil }

func (director) Release(context.Context, busbar.Delivery) error { return nil }

func newWorld(t *testing.T) *world { return newWorldOf(t, time.Minute) }

// newWorldOf waits for first attempts as long as is said.
func newWorldOf(t *testing.T, patience time.Duration) *world {
	t.Helper()
	return newWorldWith(t, func(c *activities.Config) { c.Patience = patience })
}

// newWorldWith changes how the activities work.
func newWorldWith(t *testing.T, change func(*activities.Config)) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 6, 1, 10, 30, 0, 0, time.UTC), prepared: map[busbar.DeliveryID]intake.Shipment{}}
	now := func() time.Time { return w.now }
	var suite testsuite.WorkflowTestSuite
	logger := slog.New(slog.DiscardHandler)
	suite.SetLogger(log.NewStructuredLogger(logger))
	w.env = suite.NewTestActivityEnvironment()
	key, err := keyring.Generate()
	must(t, err)
	ring, err := keyring.Parse(key)
	must(t, err)
	w.Store, err = store.Open(t.Context(), store.Config{
		Path: storetest.SQLite(t), Keyring: ring, Now: now, Relaxed: true,
	})
	must(t, err)
	t.Cleanup(func() { must(t, w.Close()) })
	flights := activities.NewFlights()
	t.Cleanup(flights.Close)
	gate, err := webhook.NewGate(webhook.GateConfig{})
	must(t, err)
	health, err := webhook.NewHealth(webhook.HealthConfig{Now: now})
	must(t, err)
	cfg := activities.Config{
		Deliveries: w.Store, Sources: w, Recorder: w, Sender: w, Prepared: w, Observer: uncounted{}, Purger: w.Store,
		Circuits: w.Store, Jobs: w.Store, Director: director{},
		Flights: flights, Gate: gate, Health: health, SlowSlots: 2, Schedule: webhook.DefaultSchedule(),
		Random: func() float64 { return 0.5 }, Timeout: 15 * time.Second, Patience: time.Minute, Now: now, Logger: logger,
	}
	change(&cfg)
	w.acts, err = activities.New(cfg)
	must(t, err)
	w.env.RegisterActivity(w.acts)
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// accept stores an event with a delivery to a new endpoint that is claimed for its first attempt, and hands it over.
func (w *world) accept(t *testing.T) activities.Target {
	t.Helper()
	return w.acceptAt(t, w.endpoint(t, 4))
}

// endpoint makes an endpoint that gets so many at once.
func (w *world) endpoint(t *testing.T, maxInFlight int) *store.Subscriber {
	t.Helper()
	secret, err := webhook.GenerateHMAC()
	must(t, err)
	endpoint := busbar.Endpoint{
		ID: busbar.NewEndpointID(), Environment: busbar.Sandbox, URL: "https://example.com/hook", PayloadFormat: busbar.Enveloped,
		MaxInFlight: maxInFlight, Signing: busbar.SigningHMAC, Enabled: true, CreatedAt: w.now, UpdatedAt: w.now,
	}
	key := busbar.SigningKey{ID: "sk_" + string(endpoint.ID), EndpointID: endpoint.ID, Kind: busbar.KeyHMAC, Secret: secret, CreatedAt: w.now}
	_, err = w.Once(t.Context(), nil, func(tx *store.Tx) (store.Answer, error) {
		return store.Answer{}, tx.CreateEndpoint(&endpoint, []busbar.SigningKey{key})
	})
	must(t, err)
	return &store.Subscriber{Endpoint: endpoint, Keys: []busbar.SigningKey{key}}
}

func (w *world) acceptAt(t *testing.T, endpoint *store.Subscriber) activities.Target {
	t.Helper()
	e := busbar.Event{
		ID: busbar.NewEventID(), Environment: busbar.Sandbox, Type: "device.updated", Timestamp: w.now, ReceivedAt: w.now,
		Data: json.RawMessage(`{"state":{"level":100}}`),
	}
	d := busbar.Delivery{
		ID: busbar.NewDeliveryID(), Environment: e.Environment, EventID: e.ID, EventType: e.Type, EndpointID: endpoint.ID,
		Status: busbar.DeliveryPending, NextAttemptAt: w.now, WorkflowID: e.WorkflowID(), CreatedAt: w.now,
	}
	must(t, w.Decide(t.Context(), []busbar.Environment{e.Environment}, func(tx *store.DecisionTx) error {
		return storetest.Insert(tx, store.Accepted{Event: e, Deliveries: []busbar.Delivery{d}, Claimed: map[busbar.DeliveryID]store.Claim{
			d.ID: {Owner: intake.FirstOwner, Until: w.now.Add(20 * time.Second), Attempt: 1},
		}})
	}))
	w.prepared[d.ID] = intake.Shipment{
		Delivery: d, Event: e, Until: w.now.Add(store.StartClaim), Subscriber: endpoint,
	}
	return activities.Target{Environment: e.Environment, DeliveryID: d.ID, EndpointID: endpoint.ID}
}

func (w *world) first(t *testing.T, target activities.Target) activities.Outcome {
	t.Helper()
	value, err := w.env.ExecuteLocalActivity(w.acts.First, target)
	must(t, err)
	var outcome activities.Outcome
	must(t, value.Get(&outcome))
	return outcome
}

func (w *world) deliver(target activities.Target) (activities.Outcome, error) {
	value, err := w.env.ExecuteActivity(w.acts.Deliver, target)
	if err != nil {
		return "", err
	}
	var outcome activities.Outcome
	err = value.Get(&outcome)
	return outcome, err
}

// check compares what the endpoint got, by attempt, and what is on record.
func (w *world) check(t *testing.T, target activities.Target, status busbar.DeliveryStatus, sent []int, classes ...string) {
	t.Helper()
	if diff := cmp.Diff(sent, w.sent); diff != "" {
		t.Errorf("sent attempts (-want +got):\n%s", diff)
	}
	d, err := w.Delivery(t.Context(), target.Environment, target.DeliveryID)
	must(t, err)
	attempts, err := w.Attempts(t.Context(), target.DeliveryID)
	must(t, err)
	var got []string
	for _, a := range attempts {
		got = append(got, a.ErrorClass)
	}
	if d.Status != status || d.Attempts != len(classes) {
		t.Errorf("delivery is %s after %d attempts, want %s after %d", d.Status, d.Attempts, status, len(classes))
	}
	if diff := cmp.Diff(classes, got); diff != "" {
		t.Errorf("attempts on record (-want +got):\n%s", diff)
	}
}
