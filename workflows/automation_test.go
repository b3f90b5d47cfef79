package workflows_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/testsuite"

	"busbar"
	"busbar/activities"
	"busbar/internal/intake"
	"busbar/workflows"
)

// automation plays the decisions about rules under a clock that skips. What it was asked, and when since the start, is in its
// log.
type automation struct {
	t     *testing.T
	env   *testsuite.TestWorkflowEnvironment
	start time.Time
	// step answers TakeStep, hold EndHold, opening NextOpening; sites are those at which a window opens.
	step    func(at busbar.StepPlace) (intake.StepState, error)
	hold    func() (intake.HoldState, error)
	opening func(after time.Time) (intake.WindowNext, error)
	sites   int

	mu     sync.Mutex
	log    []string
	opened map[time.Time]int
}

func newAutomation(t *testing.T) *automation {
	t.Helper()
	a := &automation{t: t, opened: make(map[time.Time]int)}
	logger := slog.New(slog.DiscardHandler)
	a.env = newEnvironment()
	// A whole second, so that no difference is rounded.
	a.env.SetStartTime(a.env.Now().Truncate(time.Second))
	a.start = a.env.Now()
	rules, err := activities.NewRules(activities.RulesConfig{Automation: a, Logger: logger})
	must(t, err)
	workflows.RegisterRules(a.env, rules)
	return a
}

func (a *automation) since() time.Duration { return a.env.Now().Sub(a.start).Round(time.Second) }

func (a *automation) note(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.log = append(a.log, fmt.Sprintf("%s: ", a.since())+fmt.Sprintf(format, args...))
}

// TakeStep plays a step.
func (a *automation) TakeStep(_ context.Context, _ busbar.Environment, _ busbar.RunID, at busbar.StepPlace) (intake.StepState, error) {
	a.note("take %s", at)
	return a.step(at)
}

// EndHold plays the end of a hold.
func (a *automation) EndHold(context.Context, intake.HoldRef) (intake.HoldState, error) {
	a.note("end")
	return a.hold()
}

// NextOpening plays a window.
func (a *automation) NextOpening(_ context.Context, _ busbar.Environment, _ busbar.RuleID, after time.Time) (intake.WindowNext, error) {
	a.note("ask")
	return a.opening(after)
}

// OpenWindow opens at one site after the other.
func (a *automation) OpenWindow(_ context.Context, p intake.WindowPage) (busbar.SiteID, bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var last int
	if p.After != "" {
		if _, err := fmt.Sscanf(string(p.After), "site_%d", &last); err != nil {
			return "", false, err
		}
	}
	if last >= a.sites {
		return "", false, nil
	}
	a.opened[p.At]++
	return busbar.SiteID(fmt.Sprintf("site_%d", last+1)), true, nil
}

// after has a signal come when time has passed.
func (a *automation) after(d time.Duration, signal string, do func()) {
	a.env.RegisterDelayedCallback(func() {
		if do != nil {
			do()
		}
		a.env.SignalWorkflow(signal, nil)
	}, d)
}

// run runs a workflow to its end, and checks what it asked for on the way.
func (a *automation) run(name string, in, result any, want ...string) {
	a.t.Helper()
	a.env.ExecuteWorkflow(name, in)
	if !a.env.IsWorkflowCompleted() {
		a.t.Fatal("the workflow did not end")
	}
	must(a.t, a.env.GetWorkflowError())
	if result != nil {
		must(a.t, a.env.GetWorkflowResult(result))
	}
	if diff := cmp.Diff(want, a.log); diff != "" {
		a.t.Errorf("asked (-want +got):\n%s", diff)
	}
}

var errAway = errors.New("the database cannot be reached")

// times answers in turn, and with the last answer from then on.
func times[T any](answers ...T) func() T {
	return func() T {
		next := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		return next
	}
}
