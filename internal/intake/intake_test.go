package intake_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/keyring"
	"busbar/internal/pgtest"
	"busbar/internal/store"
	"busbar/internal/storetest"
	"busbar/rules"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// temporal stands for the cluster: it notes what it was asked to start, and may be away.
type temporal struct {
	away    atomic.Bool
	mu      sync.Mutex
	started map[busbar.EventID]int
	changed chan struct{}
}

func (c *temporal) start(_ context.Context, s intake.Start) error {
	if c.away.Load() {
		return errors.New("no connection")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started[s.Event.ID]++
	select {
	case c.changed <- struct{}{}:
	default:
	}
	return nil
}

// await returns when these events were started.
func (c *temporal) await(t *testing.T, ids ...busbar.EventID) {
	t.Helper()
	for {
		c.mu.Lock()
		missing := 0
		for _, id := range ids {
			if c.started[id] == 0 {
				missing++
			}
		}
		c.mu.Unlock()
		if missing == 0 {
			return
		}
		select {
		case <-c.changed:
		case <-time.After(20 * time.Second):
			t.Fatalf("%d of %d events were never started", missing, len(ids))
		}
	}
}

type nobody struct{}

func (nobody) Event(busbar.Environment, busbar.IngestStatus) {}
func (nobody) Refused(busbar.Environment)                    {}
func (nobody) Reading(busbar.Environment, string)            {}
func (nobody) Decision(busbar.Environment, rules.Decision)   {}
func (nobody) Action(busbar.Environment, busbar.ActionState) {}

// process is one process of the product: an intake and its starter over a store.
type process struct {
	*intake.Intake
	starter *intake.Starter
}

func start(t testing.TB, s *store.Store, c *temporal, handoff *intake.Handoff) *process {
	t.Helper()
	logger := slog.New(slog.DiscardHandler)
	p := &process{starter: intake.NewStarter(intake.StarterConfig{Store: s, Start: c.start, Workers: 4, Now: time.Now, Logger: logger})}
	var err error
	p.Intake, err = intake.New(intake.Config{
		Store: s, Starter: p.starter, Handoff: handoff, Quick: func(busbar.EndpointID) bool { return true },
		AttemptTime: 20 * time.Second, Lanes: 2, Now: time.Now, Logger: logger, Observer: nobody{},
	})
	must(t, err)
	return p
}

func (p *process) close() {
	p.Close()
	p.starter.Close()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newCluster() *temporal {
	return &temporal{started: map[busbar.EventID]int{}, changed: make(chan struct{}, 1)}
}

// opener opens one database again and again.
func opener(t testing.TB, url string) func() *store.Store {
	t.Helper()
	key, err := keyring.Generate()
	must(t, err)
	ring, err := keyring.Parse(key)
	must(t, err)
	path := ""
	if url == "" {
		path = storetest.SQLite(t)
	}
	return func() *store.Store {
		s, err := store.Open(t.Context(), store.Config{URL: url, Path: path, Keyring: ring})
		must(t, err)
		return s
	}
}

func sqlite(t *testing.T) *store.Store {
	t.Helper()
	s := opener(t, "")()
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func candidate(id, data string) intake.Candidate {
	return intake.Candidate{Event: busbar.Event{ID: busbar.EventID(id), Type: "device.updated", Data: json.RawMessage(data)}}
}

func accept(t *testing.T, p *process, key *intake.Idempotency, candidates ...intake.Candidate) []intake.Outcome {
	t.Helper()
	out, err := p.Accept(t.Context(), busbar.Sandbox, candidates, key)
	must(t, err)
	return out
}

func createEndpoint(t *testing.T, s *store.Store, enabled bool, types ...string) busbar.EndpointID {
	t.Helper()
	e := busbar.Endpoint{
		ID: busbar.NewEndpointID(), Environment: busbar.Sandbox, URL: "https://example.com", EventTypes: types,
		PayloadFormat: busbar.Enveloped, MaxInFlight: 1, Signing: busbar.SigningHMAC, Enabled: enabled,
		CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}
	_, err := s.Once(t.Context(), nil, func(tx *store.Tx) (store.Answer, error) {
		return store.Answer{}, tx.CreateEndpoint(&e, []busbar.SigningKey{{ID: string(e.ID), EndpointID: e.ID, Kind: busbar.KeyHMAC, Secret: "s"}})
	})
	must(t, err)
	return e.ID
}

func TestTheSameEventIsAcceptedOnce(t *testing.T) {
	t.Parallel()
	c := newCluster()
	p := start(t, sqlite(t), c, nil)
	defer p.close()
	out := accept(t, p, nil,
		candidate("e1", `{"state":{"a":1,"b":2}}`), candidate("e1", `{"state": {"b":2, "a":1}}`),
		candidate("e1", `{"state":{"a":2}}`), intake.Candidate{Err: busbar.Errorf(busbar.CodeEventTooLarge, "too large")})
	again := accept(t, p, nil, candidate("e1", `{"state":{"a":1,"b":2}}`), candidate("e1", `{}`))
	wf := "event-sandbox-e1"
	want := []intake.Outcome{
		{EventID: "e1", Status: busbar.StatusAccepted, WorkflowID: wf},
		{EventID: "e1", Status: busbar.StatusDuplicate, WorkflowID: wf},
		{Err: &busbar.Error{Code: busbar.CodeEventIDReused}},
		{Err: &busbar.Error{Code: busbar.CodeEventTooLarge}},
		{EventID: "e1", Status: busbar.StatusDuplicate, WorkflowID: wf},
		{Err: &busbar.Error{Code: busbar.CodeEventIDReused}},
	}
	if diff := cmp.Diff(want, append(out, again...), cmpopts.IgnoreFields(busbar.Error{}, "Message")); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	c.await(t, "e1")
}

// Sixteen clients post the same event to two processes on one database: one is told that it was accepted.
func TestTheSameEventFromManyClientsToTwoProcesses(t *testing.T) {
	t.Parallel()
	open := opener(t, storetest.Postgres(t))
	c := newCluster()
	var processes []*process
	for range 2 {
		s := open()
		t.Cleanup(func() { must(t, s.Close()) })
		p := start(t, s, c, nil)
		t.Cleanup(p.close)
		processes = append(processes, p)
	}
	for round := range 10 {
		id := string(busbar.NewEventID())
		var accepted atomic.Int32
		var wg sync.WaitGroup
		for client := range 16 {
			wg.Go(func() {
				out, err := processes[client%2].Accept(t.Context(), busbar.Sandbox, []intake.Candidate{candidate(id, `{"state":{}}`)}, nil)
				if err != nil || out[0].Err != nil {
					t.Errorf("round %d client %d: %v %v", round, client, err, out)
					return
				}
				if out[0].Status == busbar.StatusAccepted {
					accepted.Add(1)
				}
			})
		}
		wg.Wait()
		if n := accepted.Load(); n != 1 {
			t.Errorf("round %d: accepted %d times, want once", round, n)
		}
		c.await(t, busbar.EventID(id))
	}
}

func TestTheEventReachesThoseWhoWantIt(t *testing.T) {
	t.Parallel()
	s := sqlite(t)
	c := newCluster()
	all, push := createEndpoint(t, s, true), createEndpoint(t, s, true, "push.*")
	disabled := createEndpoint(t, s, false, "device.updated")
	p := start(t, s, c, nil)
	defer p.close()
	accept(t, p, nil, candidate("e1", `{"state":{}}`))
	deliveries, err := s.DeliveriesOfEvent(t.Context(), busbar.Sandbox, "e1")
	must(t, err)
	got := map[busbar.EndpointID]busbar.DeliveryStatus{}
	for _, d := range deliveries {
		got[d.EndpointID] = d.Status
	}
	want := map[busbar.EndpointID]busbar.DeliveryStatus{all: busbar.DeliveryPending, disabled: busbar.DeliveryParked}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("deliveries (-want +got), %s wants only push.*:\n%s", push, diff)
	}
}

// What was saved before an event was accepted applies to it, in every process.
func TestASavedEndpointAppliesToTheNextEventInEveryProcess(t *testing.T) {
	t.Parallel()
	open := opener(t, storetest.Postgres(t))
	one, two := open(), open()
	t.Cleanup(func() { must(t, errors.Join(one.Close(), two.Close())) })
	p := start(t, one, newCluster(), nil)
	defer p.close()
	accept(t, p, nil, candidate("before", `{}`))
	createEndpoint(t, two, true)
	accept(t, p, nil, candidate("after", `{}`))
	for id, want := range map[busbar.EventID]int{"before": 0, "after": 1} {
		deliveries, err := one.DeliveriesOfEvent(t.Context(), busbar.Sandbox, id)
		must(t, err)
		if len(deliveries) != want {
			t.Errorf("%s has %d deliveries, want %d", id, len(deliveries), want)
		}
	}
}

func TestATestGoesToItsEndpointOnlyEvenWhenDisabled(t *testing.T) {
	t.Parallel()
	s := sqlite(t)
	createEndpoint(t, s, true, "*")
	disabled := createEndpoint(t, s, false, "push.*")
	p := start(t, s, newCluster(), nil)
	defer p.close()
	e := busbar.Event{Type: busbar.TypeTest, Data: json.RawMessage(`{}`)}
	_, id, err := p.SendTest(t.Context(), busbar.Sandbox, disabled, e, nil)
	must(t, err)
	deliveries, err := s.DeliveriesOfEvent(t.Context(), busbar.Sandbox, id)
	must(t, err)
	if len(deliveries) != 1 || deliveries[0].EndpointID != disabled || !deliveries[0].Single || deliveries[0].Status != busbar.DeliveryPending {
		t.Errorf("deliveries = %+v", deliveries)
	}
	if _, _, err := p.SendTest(t.Context(), busbar.Sandbox, "ep_none", e, nil); busbar.CodeOf(err) != busbar.CodeNotFound {
		t.Errorf("a test to an unknown endpoint = %v, want NOT_FOUND", err)
	}
}

func TestATimeTooFarAheadIsClampedAndSaid(t *testing.T) {
	t.Parallel()
	s := sqlite(t)
	p := start(t, s, newCluster(), nil)
	defer p.close()
	now := time.Now()
	ahead, near := candidate("ahead", `{}`), candidate("near", `{}`)
	ahead.Event.Timestamp, near.Event.Timestamp = now.Add(time.Hour), now.Add(time.Minute).Truncate(time.Millisecond)
	near.Event.DeviceID = "dev_1"
	accept(t, p, nil, ahead, near)
	a, err := s.Event(t.Context(), busbar.Sandbox, "ahead")
	must(t, err)
	if !a.Timestamp.Equal(a.ReceivedAt) || !cmp.Equal(a.Flags, []busbar.EventFlag{busbar.FlagTimestampClamped}) {
		t.Errorf("event = %+v", a)
	}
	n, err := s.Event(t.Context(), busbar.Sandbox, "near")
	must(t, err)
	if !n.Timestamp.Equal(near.Event.Timestamp) || !cmp.Equal(n.Flags, []busbar.EventFlag{busbar.FlagUnknownDevice}) {
		t.Errorf("event = %+v", n)
	}
}

// The process dies after the commit and before the start: the next one starts what was left.
func TestWhatACrashLeftUnstartedIsStarted(t *testing.T) {
	t.Parallel()
	open := opener(t, "")
	s := open()
	away := newCluster()
	away.away.Store(true)
	p := start(t, s, away, intake.NewHandoff(10, 1<<20))
	ids := make([]busbar.EventID, 0, 50)
	for range 50 {
		ids = append(ids, accept(t, p, nil, candidate("", `{}`))[0].EventID)
	}
	p.close()
	must(t, s.Close())

	s = open()
	defer func() { must(t, s.Close()) }()
	must(t, s.ReleaseStarts(t.Context()))
	back := newCluster()
	p = start(t, s, back, nil)
	back.await(t, ids...)
	p.close()
	if b, err := s.Backlog(t.Context()); err != nil || b.Count != 0 {
		t.Errorf("backlog = %+v, %v; want none", b, err)
	}
}

// Temporal is away and comes back: everything is accepted meanwhile, and started afterwards by the same process.
func TestEventsAreAcceptedWhileTemporalIsAway(t *testing.T) {
	t.Parallel()
	c := newCluster()
	c.away.Store(true)
	s := sqlite(t)
	p := start(t, s, c, nil)
	defer p.close()
	ids := make([]busbar.EventID, 0, 20)
	for range 20 {
		ids = append(ids, accept(t, p, nil, candidate("", `{}`))[0].EventID)
	}
	c.away.Store(false)
	must(t, s.ReleaseStarts(t.Context())) // as if their claims were over
	c.await(t, ids...)
}

func TestAClosedIntakeTakesNothing(t *testing.T) {
	t.Parallel()
	p := start(t, sqlite(t), newCluster(), nil)
	p.Close()
	_, err := p.Accept(t.Context(), busbar.Sandbox, []intake.Candidate{candidate("", `{}`)}, nil)
	if busbar.CodeOf(err) != busbar.CodeUnavailable {
		t.Errorf("Accept after Close = %v, want UNAVAILABLE", err)
	}
	p.starter.Close()
}

func TestTheHandoffIsBounded(t *testing.T) {
	t.Parallel()
	s := sqlite(t)
	createEndpoint(t, s, true)
	c := newCluster()
	handoff := intake.NewHandoff(1, 1<<20)
	p := start(t, s, c, handoff)
	defer p.close()
	accept(t, p, nil, candidate("one", `{}`))
	accept(t, p, nil, candidate("two", `{}`))
	c.await(t, "one", "two")
	for id, want := range map[busbar.EventID]bool{"one": true, "two": false} {
		deliveries, err := s.DeliveriesOfEvent(t.Context(), busbar.Sandbox, id)
		must(t, err)
		if _, ok := handoff.Take(deliveries[0].ID); ok != want {
			t.Errorf("%s was handed over: %v, want %v", id, ok, want)
		}
	}
}
