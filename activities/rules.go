package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/activity"

	"busbar"
	"busbar/internal/intake"
)

// Automation moves what rules have decided on. Each call that moves something is a transaction, and finds what an earlier one
// has done.
type Automation interface {
	TakeStep(ctx context.Context, env busbar.Environment, id busbar.RunID, at busbar.StepPlace) (intake.StepState, error)
	EndHold(ctx context.Context, hold intake.HoldRef) (intake.HoldState, error)
	NextOpening(ctx context.Context, env busbar.Environment, id busbar.RuleID, after time.Time) (intake.WindowNext, error)
	// OpenWindow opens the window at the next site of a page; ok is false when there is none.
	OpenWindow(ctx context.Context, page intake.WindowPage) (site busbar.SiteID, ok bool, err error)
}

// RulesConfig says what the activities of rules work with. All of it is needed.
type RulesConfig struct {
	Automation Automation
	Logger     *slog.Logger
}

// Rules are the activities of rules. They are safe for concurrent use.
type Rules struct{ cfg RulesConfig }

// NewRules checks the configuration.
func NewRules(cfg RulesConfig) (*Rules, error) {
	if cfg.Automation == nil || cfg.Logger == nil {
		return nil, errors.New("new activities of rules: something is missing")
	}
	return &Rules{cfg}, nil
}

// StepTarget names a try of a step for an activity.
type StepTarget struct {
	Environment busbar.Environment `json:"environment"`
	RunID       busbar.RunID       `json:"runId"`
	At          busbar.StepPlace   `json:"at"`
}

// StepKind is what a workflow does next about a run.
type StepKind string

// The kinds.
const (
	// StepWaits: wait for the ends of the actions, and look again.
	StepWaits StepKind = "waits"
	// StepFollows: take the next step, after a wait.
	StepFollows StepKind = "follows"
	// StepEnded: the run has ended.
	StepEnded StepKind = "ended"
)

// StepNext is what a workflow is to do next.
type StepNext struct {
	Kind StepKind         `json:"kind"`
	Next busbar.StepPlace `json:"next,omitzero"`
	Wait time.Duration    `json:"wait,omitempty"`
	// Summary is for people who read the workflow.
	Summary string           `json:"summary,omitempty"`
	Status  busbar.RunStatus `json:"status,omitempty"`
}

// TakeStep begins a step unless that was done before, looks how it stands, and says what follows.
func (r *Rules) TakeStep(ctx context.Context, t StepTarget) (StepNext, error) {
	state, err := r.cfg.Automation.TakeStep(ctx, t.Environment, t.RunID, t.At)
	if busbar.CodeOf(err) == busbar.CodeNotFound {
		// Its retention is over.
		return StepNext{Kind: StepEnded}, nil
	}
	if err != nil {
		return StepNext{}, fmt.Errorf("take step: %w", err)
	}
	next := StepNext{Next: state.Next, Wait: state.Wait, Summary: state.Summary, Status: state.Status}
	switch state.Kind {
	case intake.StepWaits:
		next.Kind = StepWaits
	case intake.StepFollows:
		next.Kind = StepFollows
	case intake.RunEnded:
		next.Kind = StepEnded
		r.cfg.Logger.InfoContext(ctx, "run ended", "run_id", t.RunID, "status", state.Status)
	}
	return next, nil
}

// HoldTarget names a hold for an activity.
type HoldTarget struct {
	Environment busbar.Environment `json:"environment"`
	RuleID      busbar.RuleID      `json:"ruleId"`
	Key         string             `json:"key"`
	Shadow      bool               `json:"shadow,omitempty"`
	HoldID      string             `json:"holdId"`
}

// HoldEnd is what became of a hold.
type HoldEnd struct {
	// Decision is what the rule decided; empty when the hold had ended before.
	Decision string `json:"decision,omitempty"`
	// Wait is how long until it is due again; zero when it has ended.
	Wait time.Duration `json:"wait,omitempty"`
}

// EndHold has a rule decide at the end of a hold.
func (r *Rules) EndHold(ctx context.Context, t HoldTarget) (HoldEnd, error) {
	state, err := r.cfg.Automation.EndHold(ctx, intake.HoldRef(t))
	if err != nil {
		return HoldEnd{}, fmt.Errorf("end hold: %w", err)
	}
	if state.Wait == 0 {
		r.cfg.Logger.InfoContext(ctx, "hold ended", "hold_id", t.HoldID, "rule_id", t.RuleID, "decision", state.Decision)
	}
	return HoldEnd(state), nil
}

// WindowTarget names a rule with a window for an activity.
type WindowTarget struct {
	Environment busbar.Environment `json:"environment"`
	RuleID      busbar.RuleID      `json:"ruleId"`
	// After is the last opening; zero when there was none.
	After time.Time `json:"after,omitzero"`
}

// Opening is when a window opens next.
type Opening struct {
	// Over: it does not open any more.
	Over bool      `json:"over,omitempty"`
	At   time.Time `json:"at,omitzero"`
	// Wait is how long until then; zero when it is to be opened now.
	Wait time.Duration `json:"wait,omitempty"`
}

// NextOpening says when a rule's window opens next.
func (r *Rules) NextOpening(ctx context.Context, t WindowTarget) (Opening, error) {
	next, err := r.cfg.Automation.NextOpening(ctx, t.Environment, t.RuleID, t.After)
	if err != nil {
		return Opening{}, fmt.Errorf("find next opening: %w", err)
	}
	return Opening(next), nil
}

// OpeningPage names a part of the sites at which a window opens.
type OpeningPage struct {
	Environment busbar.Environment `json:"environment"`
	RuleID      busbar.RuleID      `json:"ruleId"`
	At          time.Time          `json:"at"`
	// After is the last site of the part before.
	After busbar.SiteID `json:"after,omitempty"`
}

// Opened is how far an opening has come.
type Opened struct {
	// More: there are sites after After.
	More  bool          `json:"more,omitempty"`
	After busbar.SiteID `json:"after,omitempty"`
}

// OpeningTime bounds an execution of OpenWindow, and openingSites the sites that it opens a window at. OpeningHeartbeat is longer than
// one of its transactions takes: a window that was being opened by a process which died is gone on with after so long.
const (
	OpeningTime      = time.Minute
	OpeningHeartbeat = 10 * time.Second
	openingSites     = 100
)

// OpenWindow has a rule decide at sites where its window opens, one transaction each.
func (r *Rules) OpenWindow(ctx context.Context, p OpeningPage) (Opened, error) {
	for range openingSites {
		site, ok, err := r.cfg.Automation.OpenWindow(ctx, intake.WindowPage(p))
		if err != nil {
			return Opened{}, fmt.Errorf("open window: %w", err)
		}
		if !ok {
			return Opened{}, nil
		}
		p.After = site
		activity.RecordHeartbeat(ctx)
	}
	return Opened{More: true, After: p.After}, nil
}
