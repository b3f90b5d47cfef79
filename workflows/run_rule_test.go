package workflows_test

import (
	"errors"
	"testing"
	"time"

	"go.temporal.io/sdk/workflow"

	"busbar"
	"busbar/internal/intake"
	"busbar/workflows"
)

func place(branch string, index, try int) busbar.StepPlace {
	return busbar.StepPlace{Branch: branch, Index: index, Try: try}
}

func follows(branch string, index, try int, wait time.Duration) intake.StepState {
	return intake.StepState{Kind: intake.StepFollows, Next: place(branch, index, try), Wait: wait, Summary: "until it is tried again"}
}

var (
	waits = intake.StepState{Kind: intake.StepWaits, Summary: "for charge → dev_car"}
	done  = intake.StepState{Kind: intake.RunEnded, Status: busbar.RunDone}
)

// runs takes the steps of a run, each as its answers say.
func (a *automation) runs(want busbar.RunStatus, answers map[busbar.StepPlace][]intake.StepState, log ...string) {
	a.t.Helper()
	next := make(map[busbar.StepPlace]func() intake.StepState)
	for at, list := range answers {
		next[at] = times(list...)
	}
	a.step = func(at busbar.StepPlace) (intake.StepState, error) {
		answer, ok := next[at]
		if !ok {
			return intake.StepState{}, errors.New("nobody expected " + at.String())
		}
		return answer(), nil
	}
	var result workflows.RunRuleResult
	a.run(workflows.RunRuleName, workflows.RunRuleInput{Environment: busbar.Sandbox, RunID: "run_1"}, &result, log...)
	if result.Status != want {
		a.t.Errorf("the run is %q, want %q", result.Status, want)
	}
}

func TestStepsAreTakenInOrder(t *testing.T) {
	t.Parallel()
	a := newAutomation(t)
	a.after(3*time.Second, workflows.ActionEndedSignal, nil)
	a.runs(busbar.RunDone, map[busbar.StepPlace][]intake.StepState{
		place("then", 0, 0): {waits, follows("then", 1, 0, 0)},
		place("then", 1, 0): {follows("then", 2, 0, 0)},
		place("then", 2, 0): {done},
	}, "0s: take then/0/0", "3s: take then/0/0", "3s: take then/1/0", "3s: take then/2/0")
}

func TestAStepWaitsForAllOfItsActions(t *testing.T) {
	t.Parallel()
	a := newAutomation(t)
	a.after(time.Second, workflows.ActionEndedSignal, nil)
	a.after(5*time.Minute, workflows.ActionEndedSignal, nil)
	a.runs(busbar.RunDone, map[busbar.StepPlace][]intake.StepState{place("then", 0, 0): {waits, waits, done}},
		"0s: take then/0/0", "1s: take then/0/0", "5m0s: take then/0/0")
}

// The signal of an action's end may be lost with the process that was to send it.
func TestActionsAreLookedAtWithoutASignal(t *testing.T) {
	t.Parallel()
	newAutomation(t).runs(busbar.RunDone, map[busbar.StepPlace][]intake.StepState{place("then", 0, 0): {waits, waits, done}},
		"0s: take then/0/0", "10m0s: take then/0/0", "20m0s: take then/0/0")
}

func TestAFailedStepIsTriedAgainAndThenElseFailedIsTaken(t *testing.T) {
	t.Parallel()
	a := newAutomation(t)
	a.after(2*time.Second, workflows.ActionEndedSignal, nil)
	a.after(10*time.Second, workflows.ActionEndedSignal, nil)
	failed := intake.StepState{Kind: intake.RunEnded, Status: busbar.RunFailed}
	a.runs(busbar.RunFailed, map[busbar.StepPlace][]intake.StepState{
		place("then", 0, 0):        {waits, follows("then", 0, 1, time.Second)},
		place("then", 0, 1):        {waits, follows("else_failed", 0, 0, 0)},
		place("else_failed", 0, 0): {failed},
	}, "0s: take then/0/0", "2s: take then/0/0", "3s: take then/0/1", "10s: take then/0/1", "10s: take else_failed/0/0")
}

func TestAStepWhoseGuardIsNotKnownIsTakenLater(t *testing.T) {
	t.Parallel()
	newAutomation(t).runs(busbar.RunDone, map[busbar.StepPlace][]intake.StepState{
		place("then", 0, 0): {follows("then", 0, 0, time.Second), follows("then", 0, 0, 2*time.Second), done},
	}, "0s: take then/0/0", "1s: take then/0/0", "3s: take then/0/0")
}

// What ended while the step was being looked at counts: nothing of it is waited for.
func TestASignalBeforeTheWaitIsNotLost(t *testing.T) {
	t.Parallel()
	a := newAutomation(t)
	looked := times(waits, done)
	a.step = func(busbar.StepPlace) (intake.StepState, error) {
		a.env.SignalWorkflow(workflows.ActionEndedSignal, nil)
		return looked(), nil
	}
	a.run(workflows.RunRuleName, workflows.RunRuleInput{Environment: busbar.Sandbox, RunID: "run_1"}, nil,
		"0s: take then/0/0", "0s: take then/0/0")
}

func TestARunSurvivesADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	a := newAutomation(t)
	a.step = func(busbar.StepPlace) (intake.StepState, error) {
		if a.since() < 5*time.Minute {
			return intake.StepState{}, errAway
		}
		return done, nil
	}
	a.env.ExecuteWorkflow(workflows.RunRuleName, workflows.RunRuleInput{Environment: busbar.Sandbox, RunID: "run_1"})
	must(t, a.env.GetWorkflowError())
	if took := a.since(); took < 5*time.Minute || took > 7*time.Minute {
		t.Errorf("it went on after %s", took)
	}
}

func TestARunThatIsGoneEndsItsWorkflow(t *testing.T) {
	t.Parallel()
	a := newAutomation(t)
	a.step = func(busbar.StepPlace) (intake.StepState, error) {
		return intake.StepState{}, busbar.NotFound("run", "run_1")
	}
	a.run(workflows.RunRuleName, workflows.RunRuleInput{Environment: busbar.Sandbox, RunID: "run_1"}, nil, "0s: take then/0/0")
}

// A long history is left behind; the fresh one goes on with the step that was being taken.
func TestARunGoesOnWithAFreshHistory(t *testing.T) {
	t.Parallel()
	a := newAutomation(t)
	a.env.SetContinueAsNewSuggested(true)
	a.step = func(busbar.StepPlace) (intake.StepState, error) { return follows("then", 3, 0, 0), nil }
	a.env.ExecuteWorkflow(workflows.RunRuleName, workflows.RunRuleInput{Environment: busbar.Sandbox, RunID: "run_1"})
	on, ok := errors.AsType[*workflow.ContinueAsNewError](a.env.GetWorkflowError())
	if !ok || on.WorkflowType.Name != workflows.RunRuleName {
		t.Fatalf("it ended with %v", a.env.GetWorkflowError())
	}
	b := newAutomation(t)
	b.step = func(busbar.StepPlace) (intake.StepState, error) { return done, nil }
	b.run(workflows.RunRuleName, workflows.RunRuleInput{Environment: busbar.Sandbox, RunID: "run_1", At: place("then", 3, 0)}, nil, "0s: take then/3/0")
}
