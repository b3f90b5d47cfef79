package workflows_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/testsuite"

	"busbar"
	"busbar/activities"
	"busbar/internal/driver"
	"busbar/internal/intake"
	"busbar/internal/keyring"
	"busbar/internal/store"
	"busbar/internal/storetest"
	"busbar/rules"
	"busbar/workflows"
)

// plant is a charger with a real store, intake and activities, under a clock that skips. Only its driver is made up.
type plant struct {
	*intake.Intake
	t     *testing.T
	env   *testsuite.TestWorkflowEnvironment
	store *store.Store
	start time.Time
	// answer is the driver's to a push, result its answer to a poll; without result it cannot be polled.
	answer func(r driver.Request) (driver.Outcome, error)
	result func(remote string) (driver.Outcome, error)

	mu sync.Mutex
	// log says what the driver was asked, and when since the start.
	log []string
}

// Push makes the plant a driver.
func (p *plant) Push(_ context.Context, r driver.Request) (driver.Outcome, error) {
	p.note("%s %s", r.Instruction.Command, r.IdempotencyKey[len(r.ActionID):])
	return p.answer(r)
}

// polled is a plant whose results have to be asked for.
type polled struct{ *plant }

// Poll asks for a result.
func (p polled) Poll(_ context.Context, _ driver.Request, remote string) (driver.Outcome, error) {
	p.note("poll %s", remote)
	return p.result(remote)
}

// Of makes the plant the driver of all kinds.
func (p *plant) Of(busbar.DriverKind) (driver.Driver, error) {
	if p.result != nil {
		return polled{p}, nil
	}
	return p, nil
}

func (p *plant) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.log = append(p.log, fmt.Sprintf("%s: ", p.env.Now().Sub(p.start).Round(time.Second))+fmt.Sprintf(format, args...))
}

// Nothing is counted here.
func (*plant) Event(busbar.Environment, busbar.IngestStatus) {}
func (*plant) Refused(busbar.Environment)                    {}
func (*plant) Reading(busbar.Environment, string)            {}
func (*plant) Decision(busbar.Environment, rules.Decision)   {}
func (*plant) Action(busbar.Environment, busbar.ActionState) {}

func accepted(driver.Request) (driver.Outcome, error) { return driver.Accepted(""), nil }
func pending(driver.Request) (driver.Outcome, error)  { return driver.Pending("there"), nil }
func unreachable(driver.Request) (driver.Outcome, error) {
	return driver.Outcome{}, &driver.Error{Code: driver.CodeDeviceOffline, Message: "offline"}
}

func newPlant(t *testing.T) *plant {
	t.Helper()
	p := &plant{t: t, answer: accepted}
	logger := slog.New(slog.DiscardHandler)
	p.env = newEnvironment()
	p.start = p.env.Now()
	key, err := keyring.Generate()
	must(t, err)
	ring, err := keyring.Parse(key)
	must(t, err)
	p.store, err = store.Open(t.Context(), store.Config{
		Path: storetest.SQLite(t), Keyring: ring, Now: p.env.Now, Relaxed: true,
	})
	must(t, err)
	starter := intake.NewStarter(intake.StarterConfig{
		Store: p.store, Workers: 1, Now: p.env.Now, Logger: logger, Start: func(context.Context, intake.Start) error { return nil },
	})
	p.Intake, err = intake.New(intake.Config{
		Store: p.store, Starter: starter, Quick: func(busbar.EndpointID) bool { return true }, AttemptTime: time.Second, Lanes: 1,
		Now: p.env.Now, Logger: logger, Observer: p,
	})
	must(t, err)
	t.Cleanup(func() {
		starter.Close()
		p.Close()
		must(t, p.store.Close())
	})
	_, err = p.store.Once(t.Context(), nil, func(tx *store.Tx) (store.Answer, error) {
		if err := tx.CreateSite(&busbar.Site{ID: "site_home", Environment: busbar.Sandbox, Name: "Home", Timezone: "Europe/Berlin"}); err != nil {
			return store.Answer{}, err
		}
		return store.Answer{}, tx.CreateDevice(&busbar.Device{
			ID: "dev_charger", Environment: busbar.Sandbox, Family: busbar.EVCharger, SiteID: "site_home", StaleAfter: time.Hour,
			Connection: busbar.Disconnected, Driver: busbar.Driver{Kind: busbar.DriverManual}, Commands: busbar.EVCharger.Spec().DefaultCommands(),
		})
	})
	must(t, err)
	commands, err := activities.NewCommands(activities.CommandsConfig{
		Actions: p.Intake, Sources: p.store, Drivers: p, Now: p.env.Now, Logger: logger,
	})
	must(t, err)
	workflows.RegisterCommands(p.env, commands)
	return p
}

// push offers a command.
func (p *plant) push(change func(*busbar.Push)) busbar.Action {
	p.t.Helper()
	r := intake.PushRequest{DeviceID: "dev_charger", Push: busbar.Push{Command: "charge"}}
	if change != nil {
		change(&r.Push)
	}
	a, err := p.Intake.Push(p.t.Context(), busbar.Sandbox, r, nil)
	must(p.t, err)
	return a
}

// after has something happen to actions when time has passed, and the workflow woken.
func (p *plant) after(d time.Duration, do func()) {
	p.env.RegisterDelayedCallback(func() {
		do()
		p.env.SignalWorkflow(workflows.WakeSignal, nil)
	}, d)
}

// run carries an action out and returns it.
func (p *plant) run(id busbar.ActionID) busbar.Action {
	p.t.Helper()
	p.env.ExecuteWorkflow(workflows.RunActionName, workflows.RunActionInput{Environment: busbar.Sandbox, ActionID: id})
	if !p.env.IsWorkflowCompleted() {
		p.t.Fatal("the workflow did not end")
	}
	must(p.t, p.env.GetWorkflowError())
	var result workflows.RunActionResult
	must(p.t, p.env.GetWorkflowResult(&result))
	a, err := p.store.Action(p.t.Context(), busbar.Sandbox, id)
	must(p.t, err)
	if result.State != a.State || result.ErrorCode != a.ErrorCode {
		p.t.Errorf("the workflow ends with %+v, its action is %s %s", result, a.State, a.ErrorCode)
	}
	return a
}
