package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"busbar"
	"busbar/activities"
)

// HoldRuleInput names a hold, and says when it is due.
type HoldRuleInput struct {
	Environment busbar.Environment `json:"environment"`
	RuleID      busbar.RuleID      `json:"ruleId"`
	Key         string             `json:"key"`
	Shadow      bool               `json:"shadow,omitempty"`
	HoldID      string             `json:"holdId"`
	Due         time.Time          `json:"due"`
}

// HoldRuleResult says what became of a hold.
type HoldRuleResult struct {
	// Decision is empty when the hold had ended before it was due.
	Decision string `json:"decision,omitempty"`
}

// HoldRule sleeps until a hold is due and has the rule decide then. That the hold was broken meanwhile is told by its row, so
// that nothing has to reach this workflow. A condition that is not known for a moment gives the hold another due time.
func HoldRule(ctx workflow.Context, in HoldRuleInput) (HoldRuleResult, error) {
	var a *activities.Rules
	target := activities.HoldTarget{Environment: in.Environment, RuleID: in.RuleID, Key: in.Key, Shadow: in.Shadow, HoldID: in.HoldID}
	wait, summary := in.Due.Sub(workflow.Now(ctx)), "until the hold is due"
	for {
		if err := pause(ctx, wait, summary); err != nil {
			return HoldRuleResult{}, err
		}
		var end activities.HoldEnd
		if err := workflow.ExecuteLocalActivity(decisionOptions(ctx, "end of the hold"), a.EndHold, target).Get(ctx, &end); err != nil {
			return HoldRuleResult{}, fmt.Errorf("end hold %s: %w", in.HoldID, err)
		}
		if end.Wait <= 0 {
			return HoldRuleResult{Decision: end.Decision}, nil
		}
		wait, summary = end.Wait, "until the condition is known, or its grace is over"
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			in.Due = workflow.Now(ctx).Add(wait)
			return HoldRuleResult{}, workflow.NewContinueAsNewError(ctx, HoldRuleName, in)
		}
	}
}
