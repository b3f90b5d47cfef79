package intake

import (
	"encoding/json"
	"fmt"
	"time"

	"busbar"
	"busbar/internal/store"
	"busbar/rules"
)

// A rule that gives cause so often in so short a time is paused.
const (
	strikesOut   = 3
	strikeWindow = 10 * time.Minute
)

// strike counts firings that were cut because they followed from too many others, and evaluations that ran into a limit. Too many
// of them pause the rule until somebody sets its mode.
func (g *group) strike(u *unit, r *ruleInForce, run *rules.Run) error {
	var kind store.StrikeKind
	var reason string
	switch ref := (ruleRef{u.env, r.id}); {
	case g.paused[ref] || r.paused:
		return nil
	case run.Cut:
		kind = store.StrikeCut
		reason = fmt.Sprintf("it was cut %d times within %s at the limit of %d firings that follow from each other: it triggers itself", strikesOut, strikeWindow, rules.MaxDepth)
	case run.Limit != "":
		kind = store.StrikeLimit
		reason = fmt.Sprintf("it ran %d times within %s into the limit of %s", strikesOut, strikeWindow, run.Limit)
	default:
		return nil
	}
	n, err := g.tx.Strike(u.env, r.id, kind, g.now, strikeWindow)
	if err != nil || n < strikesOut {
		return err
	}
	if err := g.tx.PauseRule(u.env, r.id, reason, g.now); err != nil {
		return err
	}
	if g.paused == nil {
		g.paused = make(map[ruleRef]bool)
	}
	g.paused[ruleRef{u.env, r.id}] = true
	e, err := ruleEvent(busbar.TypeRulePaused, r.id, r.version, busbar.RunID(run.ID), reason, g.now)
	if err != nil {
		return err
	}
	g.emit(u, e)
	return nil
}

// ruleEvent is the event that tells of what went wrong with a rule.
func ruleEvent(kind string, id busbar.RuleID, version int, run busbar.RunID, reason string, at time.Time) (busbar.Event, error) {
	data, err := json.Marshal(struct {
		RuleID  busbar.RuleID `json:"ruleId"`
		Version int           `json:"version"`
		RunID   busbar.RunID  `json:"runId,omitempty"`
		Reason  string        `json:"reason"`
	}{id, version, run, reason})
	if err != nil {
		return busbar.Event{}, fmt.Errorf("write event of rule %s: %w", id, err)
	}
	return busbar.Event{
		ID: busbar.DerivedEventID("rule", kind, string(id), string(run)), Type: kind, Timestamp: at, Data: data,
	}, nil
}
