package dispatch_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"busbar"
	"busbar/internal/dispatch"
	"busbar/internal/keyring"
	"busbar/internal/store"
	"busbar/internal/storetest"
	"busbar/workflows"
)

// cluster stands for Temporal: it knows workflows by their state and notes what it is asked to do.
type cluster struct {
	client.Client

	// known are the workflows it has; waiting those of them whose activity waits for its next try.
	known   map[string]enums.WorkflowExecutionStatus
	waiting map[string]bool
	// broken are workflows that it fails to describe.
	broken map[string]bool
	// away: it cannot be reached.
	away bool

	woken, started []string
}

var errAway = serviceerror.NewUnavailable("no connection")

func (c *cluster) WorkflowService() workflowservice.WorkflowServiceClient { return service{cluster: c} }

// service is the part of a cluster's interface that the client does not wrap.
type service struct {
	workflowservice.WorkflowServiceClient
	cluster *cluster
}

func (s service) ResetActivity(
	_ context.Context, r *workflowservice.ResetActivityRequest, _ ...grpc.CallOption,
) (*workflowservice.ResetActivityResponse, error) {
	c, id := s.cluster, r.GetExecution().GetWorkflowId()
	switch {
	case c.away:
		return nil, errAway
	case !c.waiting[id]:
		return nil, serviceerror.NewNotFound("no such activity")
	}
	c.woken = append(c.woken, id)
	return &workflowservice.ResetActivityResponse{}, nil
}

func (c *cluster) DescribeWorkflowExecution(
	_ context.Context, id, _ string,
) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	status, ok := c.known[id]
	switch {
	case c.away:
		return nil, errAway
	case c.broken[id]:
		return nil, errors.New("its history cannot be read")
	case !ok:
		return nil, serviceerror.NewNotFound("no such workflow")
	}
	return &workflowservice.DescribeWorkflowExecutionResponse{
		WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: status},
	}, nil
}

func (c *cluster) ExecuteWorkflow(
	_ context.Context, o client.StartWorkflowOptions, _ any, _ ...any,
) (client.WorkflowRun, error) {
	if c.away {
		return nil, errAway
	}
	c.started = append(c.started, o.ID)
	return nil, nil
}

func (c *cluster) SignalWorkflow(_ context.Context, id, _, _ string, _ any) error {
	switch {
	case c.away:
		return errAway
	case c.known[id] != running:
		return serviceerror.NewNotFound("no such workflow")
	}
	c.woken = append(c.woken, id)
	return nil
}

const (
	running    = enums.WORKFLOW_EXECUTION_STATUS_RUNNING
	terminated = enums.WORKFLOW_EXECUTION_STATUS_TERMINATED
)

// world is a dispatcher between a store and a cluster.
type world struct {
	*dispatch.Dispatcher
	store   *store.Store
	cluster *cluster
	now     time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{now: time.Date(2026, 6, 1, 10, 30, 0, 0, time.UTC), cluster: &cluster{
		known: map[string]enums.WorkflowExecutionStatus{}, waiting: map[string]bool{}, broken: map[string]bool{},
	}}
	key, err := keyring.Generate()
	must(t, err)
	ring, err := keyring.Parse(key)
	must(t, err)
	w.store, err = store.Open(t.Context(), store.Config{
		Path: storetest.SQLite(t), Keyring: ring, Relaxed: true, Now: func() time.Time { return w.now },
	})
	must(t, err)
	t.Cleanup(func() { must(t, w.store.Close()) })
	w.Dispatcher = dispatch.New(w.cluster, "default", w.store, false)
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pending stores a delivery whose next attempt comes after a while.
func (w *world) pending(t *testing.T, in time.Duration) busbar.Delivery {
	t.Helper()
	e := busbar.Event{
		ID: busbar.NewEventID(), Environment: busbar.Sandbox, Type: "device.updated", Timestamp: w.now, ReceivedAt: w.now,
		Data: json.RawMessage(`{}`),
	}
	endpoint := busbar.Endpoint{
		ID: busbar.NewEndpointID(), Environment: busbar.Sandbox, URL: "https://example.com/hook", PayloadFormat: busbar.Enveloped,
		MaxInFlight: 4, Signing: busbar.SigningHMAC, Enabled: true, CreatedAt: w.now, UpdatedAt: w.now,
	}
	_, err := w.store.Once(t.Context(), nil, func(tx *store.Tx) (store.Answer, error) {
		return store.Answer{}, tx.CreateEndpoint(&endpoint, nil)
	})
	must(t, err)
	d := busbar.Delivery{
		ID: busbar.NewDeliveryID(), Environment: e.Environment, EventID: e.ID, EventType: e.Type, EndpointID: endpoint.ID,
		Status: busbar.DeliveryPending, NextAttemptAt: w.now.Add(in), WorkflowID: e.WorkflowID(), CreatedAt: w.now,
	}
	must(t, w.store.Decide(t.Context(), []busbar.Environment{e.Environment}, func(tx *store.DecisionTx) error {
		return storetest.Insert(tx, store.Accepted{Event: e, Deliveries: []busbar.Delivery{d}})
	}))
	return d
}

func (w *world) round(t *testing.T) error {
	t.Helper()
	r := dispatch.NewReconciler(w.Dispatcher, func() time.Time { return w.now }, slog.New(slog.DiscardHandler))
	return r.Round(t.Context())
}

// check compares what the cluster was asked to do since the last check.
func (w *world) check(t *testing.T, woken, started []string) {
	t.Helper()
	if diff := cmp.Diff([][]string{woken, started}, [][]string{w.cluster.woken, w.cluster.started}); diff != "" {
		t.Errorf("woken and started (-want +got):\n%s", diff)
	}
	w.cluster.woken, w.cluster.started = nil, nil
}

func redeliver(d busbar.Delivery) string { return workflows.RedeliverID(d.Environment, d.ID) }

func TestRetryNowWakesTheActivityThatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.pending(t, time.Hour)
	w.cluster.known[d.WorkflowID], w.cluster.waiting[d.WorkflowID] = running, true
	_, err := w.RetryNow(t.Context(), d.Environment, d.ID)
	must(t, err)
	w.check(t, []string{d.WorkflowID}, nil)
}

// Resetting an activity that is sending would cut the attempt and send it again.
func TestRetryNowLeavesAnAttemptUnderWayAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.pending(t, 0)
	w.cluster.known[d.WorkflowID], w.cluster.waiting[d.WorkflowID] = running, true
	_, err := w.store.Claim(t.Context(), store.ClaimRequest{DeliveryID: d.ID, Owner: "w", For: time.Minute})
	must(t, err)
	_, err = w.RetryNow(t.Context(), d.Environment, d.ID)
	must(t, err)
	w.check(t, nil, nil)
}

// A workflow that a person has terminated would otherwise be missed only when the delivery is due, hours later.
func TestRetryNowReplacesAWorkflowThatIsGone(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world, id string){
		"terminated": func(w *world, id string) { w.cluster.known[id] = terminated },
		"lost":       func(*world, string) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			d := w.pending(t, time.Hour)
			change(w, d.WorkflowID)
			_, err := w.RetryNow(t.Context(), d.Environment, d.ID)
			must(t, err)
			w.check(t, nil, []string{redeliver(d)})
			moved, err := w.store.Delivery(t.Context(), d.Environment, d.ID)
			must(t, err)
			if moved.WorkflowID != redeliver(d) || !moved.RetryNow {
				t.Errorf("delivery = %+v", moved)
			}
		})
	}
}

func TestRetryNowStartsNothingBesideARunningWorkflow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.pending(t, time.Hour)
	w.cluster.known[d.WorkflowID] = running
	_, err := w.RetryNow(t.Context(), d.Environment, d.ID)
	must(t, err)
	w.check(t, nil, nil)
}

// The answer says that the retry follows; the wait of the schedule may be a day.
func TestARetryAskedForWhileTemporalWasAwayFollows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.pending(t, 24*time.Hour)
	w.cluster.known[d.WorkflowID], w.cluster.waiting[d.WorkflowID] = running, true
	w.cluster.away = true
	if _, err := w.RetryNow(t.Context(), d.Environment, d.ID); busbar.CodeOf(err) != busbar.CodeUnavailable {
		t.Errorf("RetryNow = %v, want UNAVAILABLE", err)
	}
	if err := w.round(t); err == nil {
		t.Error("a round without Temporal succeeded")
	}
	w.cluster.away = false
	must(t, w.round(t))
	w.check(t, []string{d.WorkflowID}, nil)
}

func TestOverdueDeliveriesWithoutWorkflowGetOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lost, ended, alive := w.pending(t, 0), w.pending(t, time.Second), w.pending(t, 0)
	w.cluster.known[ended.WorkflowID], w.cluster.known[alive.WorkflowID] = terminated, running
	must(t, w.round(t)) // not overdue yet
	w.check(t, nil, nil)
	w.now = w.now.Add(2 * time.Minute)
	must(t, w.round(t))
	w.check(t, nil, []string{lost.WorkflowID, redeliver(ended)})
}

func TestOneBadWorkflowDoesNotKeepOthersFromBeingReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad, lost := w.pending(t, 0), w.pending(t, time.Second)
	w.cluster.broken[bad.WorkflowID] = true
	w.now = w.now.Add(2 * time.Minute)
	if err := w.round(t); err == nil {
		t.Error("the bad one was not told of")
	}
	w.check(t, nil, []string{lost.WorkflowID})
}

// What an attempt under way parked after its endpoint was deleted is nobody's business but the reconciler's.
func TestARoundCancelsWhatHasNoEndpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.pending(t, 0)
	_, err := w.store.Claim(t.Context(), store.ClaimRequest{DeliveryID: d.ID, Owner: "w", For: time.Minute})
	must(t, err)
	must(t, w.store.DeleteEndpoint(t.Context(), d.Environment, d.EndpointID))
	again := func(busbar.Delivery) string { return "again" }
	_, _, err = w.store.RequestRetry(t.Context(), d.Environment, d.ID, again)
	must(t, err)
	must(t, w.store.Finish(t.Context(), []*store.Finished{{
		Status: busbar.DeliveryParked, Attempt: busbar.Attempt{DeliveryID: d.ID, Number: 1, At: w.now, StatusCode: 410},
	}}))
	must(t, w.round(t))
	got, err := w.store.Delivery(t.Context(), d.Environment, d.ID)
	must(t, err)
	if got.Status != busbar.DeliveryCancelled {
		t.Errorf("status = %s, want cancelled", got.Status)
	}
}
