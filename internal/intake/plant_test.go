package intake_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/metrics"
	"busbar/internal/store"
)

// plant is a home whose devices take commands, with a clock that a test turns.
type plant struct {
	*intake.Intake
	t     *testing.T
	store *store.Store
	clock atomic.Int64
	// launched gets what workflows are to be started or woken; Temporal is away while refuse is set.
	launched chan intake.Launch
	refuse   atomic.Bool
	// told gets the runs and holds whose workflows are to be started or told.
	told chan intake.RuleLaunch
	// counted are the metrics.
	counted *prometheus.Registry
}

func newPlant(t *testing.T, s *store.Store, devices ...busbar.Device) *plant {
	t.Helper()
	p := openPlant(t, s)
	home(t, s, devices...)
	return p
}

// openPlant starts a process on a store.
func openPlant(t *testing.T, s *store.Store) *plant {
	t.Helper()
	p := &plant{t: t, store: s, launched: make(chan intake.Launch, 1000), told: make(chan intake.RuleLaunch, 1000), counted: prometheus.NewRegistry()}
	p.clock.Store(time.Now().UnixMicro())
	logger := slog.New(slog.DiscardHandler)
	starter := intake.NewStarter(intake.StarterConfig{Store: s, Start: newCluster().start, Workers: 1, Now: time.Now, Logger: logger})
	launcher := intake.NewLauncher(intake.LauncherConfig[intake.Launch]{
		Noted: intake.ActionLaunches(s), Workers: 1, Now: time.Now, Logger: logger, Launch: p.launch,
	})
	automation := intake.NewLauncher(intake.LauncherConfig[intake.RuleLaunch]{
		Noted: intake.RuleLaunches(s), Workers: 1, Now: time.Now, Logger: logger,
		Launch: func(_ context.Context, l intake.RuleLaunch) error { p.told <- l; return nil },
	})
	observer, err := metrics.New(p.counted, p)
	must(t, err)
	p.Intake, err = intake.New(intake.Config{
		Store: s, Starter: starter, Launcher: launcher, Rules: automation, Quick: func(busbar.EndpointID) bool { return true },
		AttemptTime: 20 * time.Second, Lanes: 2, Now: p.now, Logger: logger, Observer: observer,
	})
	must(t, err)
	t.Cleanup(func() {
		starter.Close()
		launcher.Close()
		automation.Close()
		p.Close()
	})
	return p
}

// metrics is what the process tells of itself.
func (p *plant) metrics() string {
	rec := httptest.NewRecorder()
	promhttp.HandlerFor(p.counted, promhttp.HandlerOpts{}).ServeHTTP(rec, httptest.NewRequestWithContext(p.t.Context(), http.MethodGet, "/", nil))
	return rec.Body.String()
}

// Unstarted is not asked about here.
func (p *plant) Unstarted() (int, time.Duration) { return 0, 0 }

func (p *plant) launch(_ context.Context, l intake.Launch) error {
	if p.refuse.Load() {
		return errors.New("no connection")
	}
	p.launched <- l
	return nil
}

func (p *plant) now() time.Time          { return time.UnixMicro(p.clock.Load()).UTC() }
func (p *plant) advance(d time.Duration) { p.clock.Add(d.Microseconds()) }

// charge is a push that the charger takes.
func charge(change func(*intake.PushRequest)) intake.PushRequest {
	r := intake.PushRequest{DeviceID: "dev_charger", Family: busbar.EVCharger, Push: busbar.Push{
		Command: "charge", Parameters: map[string]busbar.Quantity{"current": {Value: 16, Unit: busbar.Amps}},
	}}
	if change != nil {
		change(&r)
	}
	return r
}

func charger() busbar.Device { return busbar.Device{ID: "dev_charger", Family: busbar.EVCharger} }

func (p *plant) push(change func(*intake.PushRequest)) busbar.Action {
	p.t.Helper()
	a, err := p.Push(p.t.Context(), busbar.Sandbox, charge(change), nil)
	must(p.t, err)
	return a
}

func (p *plant) action(id busbar.ActionID) busbar.Action {
	p.t.Helper()
	a, err := p.store.Action(p.t.Context(), busbar.Sandbox, id)
	must(p.t, err)
	return a
}

func (p *plant) is(id busbar.ActionID, state busbar.ActionState, phase busbar.Phase) busbar.Action {
	p.t.Helper()
	a := p.action(id)
	if a.State != state || a.Phase != phase {
		p.t.Errorf("action is %s in %s, want %s in %s: %+v", a.State, a.Phase, state, phase, a)
	}
	return a
}

// try has the driver of an action asked once.
func (p *plant) try(id busbar.ActionID, end intake.TryEnd) intake.TryEnded {
	p.t.Helper()
	begun, err := p.BeginTry(p.t.Context(), busbar.Sandbox, id)
	must(p.t, err)
	if begun.Number == 0 {
		p.t.Fatalf("there is nothing to try: %+v", begun.Action)
	}
	end.Number = begun.Number
	ended, err := p.EndTry(p.t.Context(), busbar.Sandbox, id, end)
	must(p.t, err)
	return ended
}

func (p *plant) next(id busbar.ActionID, want busbar.Need) time.Duration {
	p.t.Helper()
	_, need, wait, err := p.Advance(p.t.Context(), busbar.Sandbox, id)
	must(p.t, err)
	if need != want {
		p.t.Fatalf("needs %s, want %s", need, want)
	}
	return wait
}

func (p *plant) report(id busbar.ActionID, r intake.ResultReport) error {
	p.t.Helper()
	_, err := p.ReportResult(p.t.Context(), busbar.Sandbox, id, r)
	return err
}

// told is the event that tells of an action's end.
func (p *plant) toldBy(id busbar.ActionID, kind string) (busbar.Event, map[string]any) {
	p.t.Helper()
	e, err := p.store.Event(p.t.Context(), busbar.Sandbox, busbar.DerivedEventID("action", "sandbox", string(id), kind))
	must(p.t, err)
	var data map[string]any
	must(p.t, json.Unmarshal(e.Data, &data))
	return e, data
}

// wakes waits until these workflows were started or woken.
func (p *plant) wakes(ids ...busbar.ActionID) {
	p.t.Helper()
	missing := make(map[busbar.ActionID]bool)
	for _, id := range ids {
		missing[id] = true
	}
	for len(missing) > 0 {
		select {
		case l := <-p.launched:
			delete(missing, l.ActionID)
		case <-time.After(20 * time.Second):
			p.t.Fatalf("never started or woken: %v", missing)
		}
	}
}

func refused(t *testing.T, err error, want busbar.Code) {
	t.Helper()
	if busbar.CodeOf(err) != want {
		t.Fatalf("error %v, want %s", err, want)
	}
}

// conflict gives the details of a CONFLICT.
func conflict(t *testing.T, err error) map[string]any {
	t.Helper()
	var e *busbar.Error
	if !errors.As(err, &e) || e.Code != busbar.CodeConflict {
		t.Fatalf("error %v, want %s", err, busbar.CodeConflict)
	}
	return e.Details
}

func (p *plant) outcomes(id busbar.ActionID) []string {
	p.t.Helper()
	tries, err := p.store.Tries(p.t.Context(), id)
	must(p.t, err)
	list := make([]string, len(tries))
	for i, try := range tries {
		if try.Number != i+1 {
			p.t.Errorf("try %d has the number %d", i+1, try.Number)
		}
		list[i] = string(try.Phase) + " " + string(try.Outcome)
	}
	return list
}
