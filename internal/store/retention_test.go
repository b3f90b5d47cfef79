package store_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
	"busbar/internal/storetest"
	"busbar/rules"
)

// past is one of everything that grows old, in one environment.
type past struct {
	event     busbar.Event
	delivered busbar.DeliveryID
	parked    busbar.DeliveryID
	endpoint  busbar.EndpointID
	job       busbar.JobID
	action    busbar.ActionID
	run       busbar.RunID
	since     time.Time
}

// leave puts it there. The environments use the same ids where they may.
func leave(t *testing.T, s *opened, env busbar.Environment) past {
	t.Helper()
	now := s.clock.now()
	endpoint := newEndpoint(s, env)
	mustCreate(t, s, endpoint, newKey(s, string(endpoint.ID), busbar.KeyHMAC))
	p := past{
		event: busbar.Event{
			ID: "evt_same", Environment: env, Type: "device.updated", Timestamp: now, ReceivedAt: now, Data: json.RawMessage(`{}`),
			Causation: busbar.Causation{RootEventID: "evt_same"},
		},
		delivered: busbar.NewDeliveryID(), parked: busbar.NewDeliveryID(), endpoint: endpoint.ID, job: busbar.NewJobID(),
		action: busbar.ActionID("act_" + env), run: "run_same", since: now.Truncate(time.Hour),
	}
	waiting := p.event
	waiting.ID = "evt_waiting"
	delivery := func(id busbar.DeliveryID, e *busbar.Event, status busbar.DeliveryStatus) busbar.Delivery {
		return busbar.Delivery{
			ID: id, Environment: env, EventID: e.ID, EventType: e.Type, EndpointID: p.endpoint, Status: status, WorkflowID: e.WorkflowID(), CreatedAt: now,
		}
	}
	action := newAction(s, p.action, "")
	action.Environment, action.State, action.CompletedAt = env, busbar.ActionCompleted, now
	try := busbar.Try{ActionID: p.action, Number: 1, Phase: busbar.PhasePush, At: now, Outcome: busbar.TryAccepted}
	err := s.Decide(t.Context(), []busbar.Environment{env}, func(tx *store.DecisionTx) error {
		return errors.Join(
			storetest.Insert(tx,
				store.Accepted{Event: p.event, Deliveries: []busbar.Delivery{delivery(p.delivered, &p.event, busbar.DeliveryPending)}},
				store.Accepted{Event: waiting, Deliveries: []busbar.Delivery{delivery(p.parked, &waiting, busbar.DeliveryParked)}}),
			tx.InsertRunPacks([]store.RunPack{{Event: &p.event, Runs: []store.PackedRun{
				{RuleID: "rule_idle", Version: 1, Key: "rule", Is: rules.DecisionFalse, Detail: rules.Detail{Clauses: []rules.Clause{{Source: "x"}}}},
			}}}),
			tx.InsertRuns([]busbar.Run{{
				ID: p.run, Environment: env, RuleID: "rule_a", Key: "rule", Trigger: "event", Decision: "fired", Status: busbar.RunDone, DecidedAt: now,
				Detail: json.RawMessage(`{}`),
			}}),
			tx.InsertAction(action), tx.SaveTry(&try),
			tx.AddReadings([]store.Reading{{Environment: env, DeviceID: "dev_same", ObservedAt: now, ReceivedAt: now, State: busbar.State{"level": 50.0}}}),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	claimAs(t, s, p.delivered, "w")
	attempt := finished(p.delivered, 1, busbar.DeliveryDelivered)
	attempt.Attempt.At = now
	job := busbar.Job{
		ID: p.job, Environment: env, EndpointID: p.endpoint, Kind: busbar.JobReplay, Status: busbar.JobRunning, Since: now, Until: now, CreatedAt: now,
	}
	err = errors.Join(s.Finish(t.Context(), []*store.Finished{attempt}),
		once(t.Context(), s.Store, func(tx *store.Tx) error { return tx.CreateJob(&job) }))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.MoveJob(t.Context(), env, p.job, busbar.JobCompleted, ""); err != nil {
		t.Fatal(err)
	}
	return p
}

// left says what of it can still be read.
func (p *past) left(t *testing.T, s *opened) map[string]bool {
	t.Helper()
	env, some := p.event.Environment, busbar.PageRequest{Limit: 10}
	left := make(map[string]bool)
	seen := func(what string, n int, err error) {
		t.Helper()
		if err != nil && busbar.CodeOf(err) != busbar.CodeNotFound {
			t.Fatalf("read %s of %s: %v", what, env, err)
		}
		left[what] = err == nil && n > 0
	}
	_, err := s.Event(t.Context(), env, p.event.ID)
	seen("event", 1, err)
	_, err = s.Delivery(t.Context(), env, p.delivered)
	seen("delivery", 1, err)
	attempts, err := s.Attempts(t.Context(), p.delivered)
	seen("attempts", len(attempts), err)
	waiting, err := s.Delivery(t.Context(), env, p.parked)
	if waiting.Status == busbar.DeliveryParked {
		seen("parked", 1, err)
	} else {
		seen("parked", 0, err)
	}
	packed, err := s.RunsOfEvent(t.Context(), &p.event)
	seen("pack", len(packed), err)
	_, err = s.Run(t.Context(), env, p.run)
	seen("run", 1, err)
	_, err = s.Action(t.Context(), env, p.action)
	seen("action", 1, err)
	tries, err := s.Tries(t.Context(), p.action)
	seen("tries", len(tries), err)
	_, err = s.Job(t.Context(), env, p.job)
	seen("job", 1, err)
	readings, err := s.History(t.Context(), env, "dev_same", "level", p.since, p.since.Add(time.Hour), some)
	seen("readings", len(readings.Items), err)
	hours, err := s.EndpointHours(t.Context(), env, p.endpoint, p.since, p.since.Add(time.Hour))
	seen("hours", len(hours), err)
	undo := errors.New("only looking")
	err = s.Decide(t.Context(), []busbar.Environment{env}, func(tx *store.DecisionTx) error {
		taken, err := tx.UseEventIDs(s.clock.now(), map[store.EventRef]store.ContentHash{{Environment: env, ID: p.event.ID}: {1}})
		seen("id", len(taken), err)
		return undo
	})
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	return left
}

func all(kept bool) map[string]bool {
	m := make(map[string]bool)
	for _, what := range []string{"event", "delivery", "attempts", "parked", "pack", "run", "action", "tries", "job", "readings", "hours", "id"} {
		m[what] = kept
	}
	return m
}

func mustKeep(t *testing.T, text string) busbar.Retention {
	t.Helper()
	keep, err := busbar.ParseRetention(text)
	if err != nil {
		t.Fatal(err)
	}
	return keep
}

func TestEachEnvironmentKeepsItsHistoryForItsOwnTime(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, shorter := range map[string]busbar.Environment{
		"sandbox=168h,live=2160h": busbar.Sandbox,
		"sandbox=2160h,live=168h": busbar.Live,
		"sandbox=168h":            busbar.Sandbox,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			keep := mustKeep(t, text)
			eachStore(t, func(t *testing.T, s *opened) {
				pasts := make(map[busbar.Environment]past)
				for _, env := range busbar.Environments() {
					pasts[env] = leave(t, s, env)
				}
				check := func(when string, kept func(busbar.Environment) bool) {
					t.Helper()
					for range 3 { // in batches of one, of which there are at most two a kind
						if _, err := s.Purge(t.Context(), keep, 1); err != nil {
							t.Fatal(err)
						}
					}
					for env, p := range pasts {
						if diff := cmp.Diff(all(kept(env)), p.left(t, s)); diff != "" {
							t.Errorf("%s: what is left of %s (-want +got):\n%s", when, env, diff)
						}
					}
				}
				s.clock.advance(7*day - time.Minute)
				check("before the shorter time", func(busbar.Environment) bool { return true })
				// An hour is over when its last minute is.
				s.clock.advance(time.Hour)
				check("after the shorter time", func(env busbar.Environment) bool { return env != shorter })
				s.clock.advance(keep.Longest())
				check("after the longer time", func(busbar.Environment) bool { return false })
			})
		})
	}
}

// An environment with more to delete than a purge can must not keep the other from its turn.
func TestAnEnvironmentIsPurgedHoweverMuchTheOtherHas(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		for range 3 {
			accept(t, s, func(a *store.Accepted) { a.Deliveries = nil })
		}
		p := leave(t, s, busbar.Live)
		s.clock.advance(busbar.DefaultRetention + time.Hour)
		for range 2 {
			if _, err := s.Purge(t.Context(), busbar.Retention{}, 1); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(all(false), p.left(t, s)); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	})
}

// What endpoints have of old hours goes a batch at a time, however it is spread.
func TestOldHoursOfEndpointsGoInBatches(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		began := s.clock.now().Truncate(time.Hour)
		endpoints := []busbar.EndpointID{subscribe(t, s), subscribe(t, s)}
		for range 3 {
			for _, id := range endpoints {
				d := accept(t, s, func(a *store.Accepted) { a.Deliveries[0].EndpointID = id }).Deliveries[0]
				claimAs(t, s, d.ID, "w")
				attempted(t, s, d, 1, busbar.DeliveryDelivered, 200)
			}
			s.clock.advance(time.Hour)
		}
		left := func() (n int) {
			t.Helper()
			for _, id := range endpoints {
				hours, err := s.EndpointHours(t.Context(), busbar.Sandbox, id, began, s.clock.now())
				if err != nil {
					t.Fatal(err)
				}
				n += len(hours)
			}
			return n
		}
		keep := mustKeep(t, "sandbox=3h,live=72h")
		// Two hours of each are old then.
		s.clock.advance(2 * time.Hour)
		for _, want := range []int{3, 2, 2} {
			p, err := s.Purge(t.Context(), keep, 3)
			if err != nil {
				t.Fatal(err)
			}
			if got := left(); got != want {
				t.Errorf("%d hours are left, want %d; purged %+v", got, want, p)
			}
		}
	})
}
