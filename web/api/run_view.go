package api

import (
	"encoding/json"
	"fmt"

	"busbar"
	"busbar/rules"
)

// Run is what a rule decided, and why.
type Run struct {
	ID          busbar.RunID      `json:"id" example:"run_5d41402abc4b2a76b9719d911017c592"`
	RuleID      busbar.RuleID     `json:"ruleId"`
	RuleVersion int               `json:"ruleVersion"`
	Shadow      bool              `json:"shadow,omitempty" doc:"The rule was in shadow."`
	Key         string            `json:"key" doc:"What the edge, the hold and the cooldown belong to: device:ID, site:ID or rule."`
	Trigger     rules.Trigger     `json:"trigger" enum:"event,hold,window" doc:"What it was asked at; hold: the end of one that goes on, or begins anew."`
	EventID     busbar.EventID    `json:"eventId,omitempty" doc:"Of a hold, the event that began it; absent for a window."`
	RootEventID busbar.EventID    `json:"rootEventId,omitempty" doc:"The first event of the chain."`
	SiteID      busbar.SiteID     `json:"siteId,omitempty"`
	Decision    rules.Decision    `json:"decision" example:"fired" doc:"Final, except holding, which becomes what came of the hold."`
	DecidedAt   Time              `json:"decidedAt"`
	LatenessMs  float64           `json:"latenessMs" doc:"How long after the event it was decided."`
	Clauses     []rules.Clause    `json:"clauses" doc:"The parts of the condition, each evaluated on its own, also those that the others made needless."`
	Unknown     []rules.Unknown   `json:"unknown,omitempty" doc:"What was not known of the condition, or of the first step."`
	LeftOut     []rules.Unknown   `json:"leftOut,omitempty" doc:"The elements of lists that were left out because something about them was not known."`
	Error       string            `json:"error,omitempty" doc:"What could not be evaluated."`
	Targets     []rules.Target    `json:"targets" doc:"The devices that the first step thought of, and why each was taken or not."`
	Plan        *RunPlan          `json:"plan,omitempty" doc:"What the first step was to do; in shadow, what it would have done."`
	ActionIDs   []busbar.ActionID `json:"actionIds" doc:"The commands that came of it, of all steps."`
	HoldID      string            `json:"holdId,omitempty"`
	Status      busbar.RunStatus  `json:"status,omitempty" enum:"open,done,failed" doc:"How its steps stand; absent when there are none to take."`
	Steps       []RunStep         `json:"steps" doc:"The steps that were begun, each try of its own."`
	EndedAt     Time              `json:"endedAt,omitzero"`
	Links       RunLinks          `json:"links"`
}

// RunLinks lead to where a run can be looked at.
type RunLinks struct {
	Self     string  `json:"self"`
	Workflow *string `json:"workflow" doc:"What takes its steps, in the Temporal UI; null when there are none to take, or the retention is over."`
}

func (a *API) runLinks(r *busbar.Run) RunLinks {
	l := RunLinks{Self: a.PublicURL + "/v1/runs/" + string(r.ID)}
	if r.Status == "" {
		return l
	}
	over := a.WorkflowRetention > 0 && !r.EndedAt.IsZero() && a.Now().Sub(r.EndedAt) > a.WorkflowRetention
	if url := a.WorkflowURL(r.WorkflowID(), ""); url != "" && !over {
		l.Workflow = &url
	}
	return l
}

// RunPlan is what a step comes to.
type RunPlan struct {
	Status   rules.StepStatus `json:"status"`
	Commands []RunCommand     `json:"commands,omitempty"`
	Emission *rules.Emission  `json:"emission,omitempty"`
}

// RunCommand is a command that a step was to give.
type RunCommand struct {
	DeviceID   busbar.DeviceID         `json:"deviceId"`
	DeviceType busbar.Family           `json:"deviceType"`
	Command    string                  `json:"command"`
	Parameters Parameters              `json:"parameters,omitempty"`
	OnConflict busbar.ConflictStrategy `json:"onConflict,omitempty" enum:"cancel_and_replace,queue_after"`
	Start      Time                    `json:"start,omitzero"`
	End        Time                    `json:"end,omitzero"`
}

func viewPlan(p *rules.StepPlan) *RunPlan {
	v := &RunPlan{Status: p.Status, Emission: p.Emission}
	for i := range p.Commands {
		c := &p.Commands[i]
		v.Commands = append(v.Commands, RunCommand{
			c.DeviceID, c.Family, c.Command, viewParameters(c.Parameters), c.OnConflict, Time(c.Start), Time(c.End),
		})
	}
	return v
}

// RunStep is a try of a step.
type RunStep struct {
	Branch    string            `json:"branch" enum:"then,else_failed"`
	Index     int               `json:"index" doc:"Which step of the branch, from 0."`
	Try       int               `json:"try" doc:"From 0."`
	Status    string            `json:"status" enum:"open,done,failed,no_longer_wanted,no_target,held,unknown,expired,superseded,disabled"`
	Targets   []rules.Target    `json:"targets,omitempty"`
	ActionIDs []busbar.ActionID `json:"actionIds,omitempty"`
	EventID   busbar.EventID    `json:"eventId,omitempty" doc:"The event that it emitted."`
	Code      string            `json:"code,omitempty"`
	Message   string            `json:"message,omitempty" doc:"Why it failed."`
	At        Time              `json:"at"`
	EndedAt   Time              `json:"endedAt,omitzero"`
}

func (a *API) viewRun(r *busbar.Run) (Run, error) {
	v := Run{
		ID: r.ID, RuleID: r.RuleID, RuleVersion: r.RuleVersion, Shadow: r.Shadow, Key: r.Key, Trigger: rules.Trigger(r.Trigger), EventID: r.EventID,
		RootEventID: r.RootID, SiteID: r.SiteID, Decision: rules.Decision(r.Decision), DecidedAt: Time(r.DecidedAt), LatenessMs: milliseconds(r.Lateness),
		HoldID: r.HoldID, Status: r.Status, EndedAt: Time(r.EndedAt), Links: a.runLinks(r),
		Clauses: []rules.Clause{}, Targets: []rules.Target{}, ActionIDs: []busbar.ActionID{}, Steps: make([]RunStep, len(r.Steps)),
	}
	if len(r.Detail) > 0 {
		var d rules.Detail
		if err := json.Unmarshal(r.Detail, &d); err != nil {
			return v, fmt.Errorf("read detail of run %s: %w", r.ID, err)
		}
		v.Clauses, v.Targets = append(v.Clauses, d.Clauses...), append(v.Targets, d.Targets...)
		v.Unknown, v.LeftOut, v.Error = d.Unknown, d.LeftOut, d.Error
		if d.Firing != nil {
			v.Plan = viewPlan(&d.Firing.First)
		}
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		v.Steps[i] = RunStep{
			Branch: s.Branch, Index: s.Index, Try: s.Try, Status: s.Status, ActionIDs: s.ActionIDs, EventID: s.EventID, Code: s.Code, Message: s.Message,
			At: Time(s.At), EndedAt: Time(s.EndedAt),
		}
		if len(s.Targets) > 0 {
			if err := json.Unmarshal(s.Targets, &v.Steps[i].Targets); err != nil {
				return v, fmt.Errorf("read targets of run %s: %w", r.ID, err)
			}
		}
		v.ActionIDs = append(v.ActionIDs, s.ActionIDs...)
	}
	return v, nil
}

func (a *API) viewRuns(runs []busbar.Run) ([]Run, error) {
	views := make([]Run, len(runs))
	for i := range runs {
		var err error
		if views[i], err = a.viewRun(&runs[i]); err != nil {
			return nil, err
		}
	}
	return views, nil
}
