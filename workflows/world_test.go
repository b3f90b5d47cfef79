package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"busbar"
	"busbar/activities"
	"busbar/internal/intake"
	"busbar/internal/keyring"
	"busbar/internal/store"
	"busbar/internal/storetest"
	"busbar/internal/webhook"
	"busbar/workflows"
)

// world is a real store and real activities under a clock that skips. Only the endpoints are made up.
type world struct {
	t     *testing.T
	env   *testsuite.TestWorkflowEnvironment
	store *store.Store
	// health is what the activities know of endpoints.
	health *webhook.Health
	// answer says how an endpoint answers an attempt.
	answer func(r webhook.Request) webhook.Result
	// away is until when the deliveries of an event cannot be read.
	away time.Time

	mu   sync.Mutex
	sent []webhook.Request
	at   []time.Time
	// woken, drained and released are what the director was asked for.
	woken    []busbar.DeliveryID
	drained  []busbar.EndpointID
	released []busbar.Delivery
	// inTurn, if set, is done in the middle of a replay's turns.
	inTurn func()
}

// StartDrain notes that an endpoint is to be drained.
func (w *world) StartDrain(_ context.Context, _ busbar.Environment, id busbar.EndpointID) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drained = append(w.drained, id)
	return nil
}

// Wake notes whose wait is to end.
func (w *world) Wake(_ context.Context, d busbar.Delivery) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.woken = append(w.woken, d.ID)
	return nil
}

// Release gives a delivery back without a workflow that goes on with it.
func (w *world) Release(ctx context.Context, d busbar.Delivery) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.released = append(w.released, d)
	_, err := w.store.Release(ctx, d)
	return err
}

// Send makes the world the sender of the activities.
func (w *world) Send(_ context.Context, r webhook.Request) webhook.Result {
	w.mu.Lock()
	w.sent = append(w.sent, r)
	w.at = append(w.at, w.env.Now())
	w.mu.Unlock()
	res := w.answer(r)
	res.At = w.env.Now()
	return res
}

// rows are the deliveries in the store, as long as it is not away.
type rows struct {
	*store.Store
	world *world
}

// PendingDeliveries fails while the store is away.
func (r rows) PendingDeliveries(
	ctx context.Context, ref store.EventRef, after busbar.DeliveryID, limit int,
) ([]store.DeliveryRef, error) {
	if r.world.env.Now().Before(r.world.away) {
		return nil, errors.New("the database cannot be reached")
	}
	return r.Store.PendingDeliveries(ctx, ref, after, limit)
}

// jobs are those in the store.
type jobs struct {
	*store.Store
	world *world
}

// Unmatched lets a test do something after a turn has begun.
func (j jobs) Unmatched(ctx context.Context, job *busbar.Job, e *busbar.Endpoint, workflowID string, limit int) ([]busbar.Delivery, error) {
	if do := j.world.inTurn; do != nil {
		do()
	}
	return j.Store.Unmatched(ctx, job, e, workflowID, limit)
}

// Take says that no delivery was prepared by this process.
func (w *world) Take(busbar.DeliveryID) (intake.Shipment, bool) { return intake.Shipment{}, false }

// Do records an attempt.
func (w *world) Do(ctx context.Context, f *store.Finished) error {
	return w.store.Finish(ctx, []*store.Finished{f})
}

// DoAll records attempts together.
func (w *world) DoAll(ctx context.Context, finished []*store.Finished) []error {
	errs := make([]error, len(finished))
	err := w.store.Finish(ctx, finished)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// Attempt, FirstAttempt and Delivery are not counted here.
func (*world) Attempt(busbar.Environment, string, time.Duration)  {}
func (*world) FirstAttempt(time.Duration)                         {}
func (*world) Delivery(busbar.Environment, busbar.DeliveryStatus) {}

func failing(code int) func(webhook.Request) webhook.Result {
	return func(webhook.Request) webhook.Result {
		return webhook.Result{StatusCode: code, Class: webhook.ClassStatus, Err: "HTTP 500"}
	}
}

func healthy(webhook.Request) webhook.Result { return webhook.Result{StatusCode: 200} }

// newEnvironment skips time. On a busy machine a workflow may be kept waiting for longer than a worker would believe.
func newEnvironment() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(log.NewStructuredLogger(slog.New(slog.DiscardHandler)))
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute})
	return env
}

func newWorld(t *testing.T, schedule string) *world {
	t.Helper()
	w := &world{t: t, answer: healthy}
	w.env = newEnvironment()
	key, err := keyring.Generate()
	must(t, err)
	ring, err := keyring.Parse(key)
	must(t, err)
	w.store, err = store.Open(t.Context(), store.Config{
		Path: storetest.SQLite(t), Keyring: ring, Now: w.env.Now, Relaxed: true,
	})
	must(t, err)
	t.Cleanup(func() { must(t, w.store.Close()) })
	s, err := webhook.ParseSchedule(schedule)
	must(t, err)
	flights := activities.NewFlights()
	t.Cleanup(flights.Close)
	gate, err := webhook.NewGate(webhook.GateConfig{})
	must(t, err)
	w.health, err = webhook.NewHealth(webhook.HealthConfig{})
	must(t, err)
	acts, err := activities.New(activities.Config{
		Deliveries: rows{w.store, w}, Sources: w.store, Recorder: w, Sender: w, Prepared: w, Observer: w, Purger: w.store, Circuits: w.store, Jobs: jobs{w.store, w}, Director: w,
		Flights: flights, Gate: gate, Health: w.health, SlowSlots: 2, Schedule: s, Random: func() float64 { return 0.5 }, Jitter: 0.2,
		Timeout: 15 * time.Second, Patience: time.Minute, Now: w.env.Now, Logger: slog.New(slog.DiscardHandler),
	})
	must(t, err)
	workflows.Register(w.env, acts)
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// endpoint makes an endpoint.
func (w *world) endpoint(mutate func(*busbar.Endpoint)) busbar.EndpointID {
	w.t.Helper()
	now := w.env.Now()
	e := busbar.Endpoint{
		ID: busbar.NewEndpointID(), Environment: busbar.Sandbox, URL: "https://example.com/hook",
		PayloadFormat: busbar.Enveloped, MaxInFlight: 4, Signing: busbar.SigningHMAC, Enabled: true, CreatedAt: now, UpdatedAt: now,
	}
	if mutate != nil {
		mutate(&e)
	}
	secret, err := webhook.GenerateHMAC()
	must(w.t, err)
	key := busbar.SigningKey{ID: "sk_" + string(e.ID), EndpointID: e.ID, Kind: busbar.KeyHMAC, Secret: secret, CreatedAt: now}
	_, err = w.store.Once(w.t.Context(), nil, func(tx *store.Tx) (store.Answer, error) {
		return store.Answer{}, tx.CreateEndpoint(&e, []busbar.SigningKey{key})
	})
	must(w.t, err)
	return e.ID
}

// event accepts an event with a delivery to each endpoint, and returns what its workflow gets.
func (w *world) event(endpoints ...busbar.EndpointID) workflows.ProcessEventInput {
	w.t.Helper()
	now := w.env.Now().UTC()
	e := busbar.Event{
		ID: busbar.NewEventID(), Environment: busbar.Sandbox, Type: "device.updated", Timestamp: now, ReceivedAt: now,
		Data: json.RawMessage(`{"state":{"level":100}}`),
	}
	a := store.Accepted{Event: e}
	in := workflows.ProcessEventInput{Environment: e.Environment, EventID: e.ID, Together: true, Grouped: true}
	for _, id := range endpoints {
		d := busbar.Delivery{
			ID: busbar.NewDeliveryID(), Environment: e.Environment, EventID: e.ID, EventType: e.Type, EndpointID: id,
			Status: busbar.DeliveryPending, NextAttemptAt: now, WorkflowID: e.WorkflowID(), CreatedAt: now,
		}
		a.Deliveries = append(a.Deliveries, d)
		in.Deliveries = append(in.Deliveries, workflows.Delivery{ID: d.ID, EndpointID: id, Host: "example.com", Quick: true})
	}
	must(w.t, w.store.Decide(w.t.Context(), []busbar.Environment{e.Environment}, func(tx *store.DecisionTx) error {
		return storetest.Insert(tx, a)
	}))
	return in
}

// countActivities counts the executions of regular activities from now on, by their types.
func (w *world) countActivities() map[string]int {
	counts := make(map[string]int)
	w.env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		w.mu.Lock()
		defer w.mu.Unlock()
		counts[info.ActivityType.Name]++
	})
	return counts
}

func (w *world) run(in workflows.ProcessEventInput) workflows.ProcessEventResult {
	w.t.Helper()
	w.env.ExecuteWorkflow(workflows.ProcessEventName, in)
	if !w.env.IsWorkflowCompleted() {
		w.t.Fatal("the workflow did not end")
	}
	must(w.t, w.env.GetWorkflowError())
	var result workflows.ProcessEventResult
	must(w.t, w.env.GetWorkflowResult(&result))
	return result
}

func (w *world) delivery(id busbar.DeliveryID) busbar.Delivery {
	w.t.Helper()
	d, err := w.store.Delivery(w.t.Context(), busbar.Sandbox, id)
	must(w.t, err)
	return d
}

func (w *world) attempts(id busbar.DeliveryID) []busbar.Attempt {
	w.t.Helper()
	list, err := w.store.Attempts(w.t.Context(), id)
	must(w.t, err)
	return list
}
