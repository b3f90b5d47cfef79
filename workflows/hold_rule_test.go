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

func (a *automation) holds(d time.Duration) workflows.HoldRuleInput {
	return workflows.HoldRuleInput{
		Environment: busbar.Sandbox, RuleID: "rule_1", Key: "device:dev_battery", HoldID: "hold_1", Due: a.start.Add(d),
	}
}

func TestAHoldEndsWhenItIsDue(t *testing.T) {
	t.Parallel()
	for name, due := range map[string]struct {
		after time.Duration
		log   string
	}{
		"later": {10 * time.Minute, "10m0s: end"}, "a day": {24 * time.Hour, "24h0m0s: end"}, "over": {-time.Hour, "0s: end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAutomation(t)
			a.hold = func() (intake.HoldState, error) { return intake.HoldState{Decision: "fired"}, nil }
			var result workflows.HoldRuleResult
			a.run(workflows.HoldRuleName, a.holds(due.after), &result, due.log)
			if result.Decision != "fired" {
				t.Errorf("decision %q", result.Decision)
			}
		})
	}
}

func TestAHoldWaitsForWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	a := newAutomation(t)
	answer := times(intake.HoldState{Decision: "holding", Wait: 5 * time.Minute}, intake.HoldState{Decision: "unknown"})
	a.hold = func() (intake.HoldState, error) { return answer(), nil }
	a.run(workflows.HoldRuleName, a.holds(10*time.Minute), nil, "10m0s: end", "15m0s: end")
}

func TestAHoldSurvivesADatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	a := newAutomation(t)
	a.hold = func() (intake.HoldState, error) {
		if a.since() < time.Hour {
			return intake.HoldState{}, errAway
		}
		return intake.HoldState{}, nil
	}
	a.env.ExecuteWorkflow(workflows.HoldRuleName, a.holds(59*time.Minute))
	must(t, a.env.GetWorkflowError())
	if took := a.since(); took < time.Hour || took > time.Hour+2*time.Minute {
		t.Errorf("it ended after %s", took)
	}
}

func TestAHoldGoesOnWithAFreshHistory(t *testing.T) {
	t.Parallel()
	a := newAutomation(t)
	a.env.SetContinueAsNewSuggested(true)
	a.hold = func() (intake.HoldState, error) { return intake.HoldState{Decision: "holding", Wait: time.Minute}, nil }
	a.env.ExecuteWorkflow(workflows.HoldRuleName, a.holds(0))
	if _, ok := errors.AsType[*workflow.ContinueAsNewError](a.env.GetWorkflowError()); !ok {
		t.Errorf("it ended with %v", a.env.GetWorkflowError())
	}
}
