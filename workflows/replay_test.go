package workflows_test

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"busbar"
	"busbar/activities"
	"busbar/workflows"
)

// Workflows that began under earlier code go on under this one. The histories are of real runs, one for each state;
// `go test ./internal/e2e -run TestWriteHistories -write-histories` makes them, before a workflow is changed.
func TestKeptHistoriesReplay(t *testing.T) {
	t.Parallel()
	kept := keptHistories(t, "*")
	if len(kept) == 0 {
		t.Fatal("there are no histories")
	}
	for _, path := range kept {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			t.Parallel()
			if err := replay(t, path, all()); err != nil {
				t.Error(err)
			}
		})
	}
}

// The replay notices code that does something else.
func TestChangedWorkflowsDoNotReplay(t *testing.T) {
	t.Parallel()
	doNothing := func(workflow.Context, workflows.ProcessEventInput) (workflows.ProcessEventResult, error) {
		return workflows.ProcessEventResult{}, nil
	}
	redoNothing := func(workflow.Context, workflows.RedeliverInput) (activities.Outcome, error) {
		return activities.OutcomeDelivered, nil
	}
	runNothing := func(workflow.Context, workflows.RunActionInput) (workflows.RunActionResult, error) {
		return workflows.RunActionResult{State: busbar.ActionCompleted}, nil
	}
	idle := map[string]any{
		workflows.ProcessEventName: doNothing, workflows.RedeliverName: redoNothing, workflows.RunActionName: runNothing,
		workflows.DrainName:  func(workflow.Context, workflows.DrainEndpointInput) error { return nil },
		workflows.ResendName: func(workflow.Context, workflows.ResendInput) error { return nil },
		workflows.RunRuleName: func(workflow.Context, workflows.RunRuleInput) (workflows.RunRuleResult, error) {
			return workflows.RunRuleResult{Status: busbar.RunDone}, nil
		},
		workflows.HoldRuleName: func(workflow.Context, workflows.HoldRuleInput) (workflows.HoldRuleResult, error) {
			return workflows.HoldRuleResult{Decision: "fired"}, nil
		},
		workflows.WindowRuleName: func(workflow.Context, workflows.WindowRuleInput) error { return nil },
	}
	for _, pattern := range []string{
		"process_event_healthy", "process_event_waiting", "process_event_grouped", "redeliver_*", "run_action_*", "drain_endpoint_*", "resend_*", "run_rule_*",
		"hold_rule_*", "window_rule_*",
	} {
		for _, path := range keptHistories(t, pattern) {
			if err := replay(t, path, idle); err == nil {
				t.Errorf("%s replays with a workflow that does nothing", filepath.Base(path))
			}
		}
	}
}

func keptHistories(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "histories", pattern+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// all are the workflows of which histories are kept, by their names.
func all() map[string]any {
	return map[string]any{
		workflows.ProcessEventName: workflows.ProcessEvent, workflows.RedeliverName: workflows.Redeliver,
		workflows.RunActionName: workflows.RunAction, workflows.DrainName: workflows.DrainEndpoint, workflows.ResendName: workflows.Resend,
		workflows.RunRuleName: workflows.RunRule, workflows.HoldRuleName: workflows.HoldRule, workflows.WindowRuleName: workflows.WindowRule,
	}
}

func replay(t *testing.T, path string, known map[string]any) error {
	t.Helper()
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{DisableDeadlockDetection: true})
	must(t, err)
	for name, known := range known {
		replayer.RegisterWorkflowWithOptions(known, workflow.RegisterOptions{Name: name})
	}
	return replayer.ReplayWorkflowHistoryFromJSONFile(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), path)
}
