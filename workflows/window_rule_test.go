package workflows_test

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.temporal.io/sdk/workflow"

	"busbar"
	"busbar/internal/intake"
	"busbar/workflows"
)

var windowed = workflows.WindowRuleInput{Environment: busbar.Sandbox, RuleID: "rule_1"}

// at plays a window that opens at these times since the start, and then no more.
func (a *automation) at(times ...time.Duration) {
	a.opening = func(after time.Time) (intake.WindowNext, error) {
		for _, d := range times {
			if opens := a.start.Add(d).Truncate(time.Second); opens.After(after) {
				return intake.WindowNext{At: opens, Wait: max(0, opens.Sub(a.env.Now()))}, nil
			}
		}
		return intake.WindowNext{Over: true}, nil
	}
}

// openings are when since the start it was opened, and at how many sites.
func (a *automation) openings() map[time.Duration]int {
	got := make(map[time.Duration]int)
	for at, n := range a.opened {
		got[at.Sub(a.start).Round(time.Second)] = n
	}
	return got
}

func TestAWindowIsOpenedEachTime(t *testing.T) {
	t.Parallel()
	a := newAutomation(t)
	a.sites = 3
	a.at(time.Hour, 25*time.Hour)
	a.env.ExecuteWorkflow(workflows.WindowRuleName, windowed)
	must(t, a.env.GetWorkflowError())
	if diff := cmp.Diff(map[time.Duration]int{time.Hour: 3, 25 * time.Hour: 3}, a.openings()); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
}

func TestAWindowIsOpenedAtManySites(t *testing.T) {
	t.Parallel()
	a := newAutomation(t)
	a.sites = 250
	a.at(time.Hour)
	a.env.ExecuteWorkflow(workflows.WindowRuleName, windowed)
	must(t, a.env.GetWorkflowError())
	if diff := cmp.Diff(map[time.Duration]int{time.Hour: 250}, a.openings()); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
}

// A long sleep is asked about in between: sites may have come.
func TestAWindowIsAskedAboutWhileItSleeps(t *testing.T) {
	t.Parallel()
	a := newAutomation(t)
	a.at(14 * time.Hour)
	a.run(workflows.WindowRuleName, windowed, nil, "0s: ask", "6h0m0s: ask", "12h0m0s: ask", "14h0m0s: ask", "14h0m0s: ask")
}

func TestAWindowIsLookedAtWhenItsRuleWasSaved(t *testing.T) {
	t.Parallel()
	a := newAutomation(t)
	a.sites = 1
	a.at(5 * time.Hour)
	a.after(time.Hour, workflows.ChangedSignal, func() { a.at(2 * time.Hour) })
	a.run(workflows.WindowRuleName, windowed, nil, "0s: ask", "1h0m0s: ask", "2h0m0s: ask", "2h0m0s: ask")
	if diff := cmp.Diff([]time.Duration{2 * time.Hour}, slices.Collect(maps.Keys(a.openings()))); diff != "" {
		t.Errorf("opened (-want +got):\n%s", diff)
	}
}

// A rule that is saved in the moment in which its workflow is about to end keeps it.
func TestASaveAtTheEndIsNotLost(t *testing.T) {
	t.Parallel()
	a := newAutomation(t)
	over := times(true, false, true)
	a.opening = func(after time.Time) (intake.WindowNext, error) {
		if over() {
			if after.IsZero() {
				a.env.SignalWorkflow(workflows.ChangedSignal, nil)
			}
			return intake.WindowNext{Over: true}, nil
		}
		return intake.WindowNext{At: a.start.Add(time.Second)}, nil
	}
	a.run(workflows.WindowRuleName, windowed, nil, "0s: ask", "0s: ask", "0s: ask")
	if len(a.opened) != 0 {
		t.Errorf("opened %v at no site", a.opened)
	}
}

func TestAWindowGoesOnWithAFreshHistory(t *testing.T) {
	t.Parallel()
	a := newAutomation(t)
	a.opening = func(after time.Time) (intake.WindowNext, error) {
		if after.IsZero() {
			after = a.start
		}
		at := after.Add(24 * time.Hour)
		return intake.WindowNext{At: at, Wait: max(0, at.Sub(a.env.Now()))}, nil
	}
	a.env.ExecuteWorkflow(workflows.WindowRuleName, windowed)
	if _, ok := errors.AsType[*workflow.ContinueAsNewError](a.env.GetWorkflowError()); !ok {
		t.Fatalf("it ended with %v", a.env.GetWorkflowError())
	}
	if got := a.since(); got != 30*24*time.Hour {
		t.Errorf("it went on after %s", got)
	}
}
