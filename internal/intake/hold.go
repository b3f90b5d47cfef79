package intake

import (
	"context"
	"time"

	"busbar"
	"busbar/internal/store"
	"busbar/rules"
)

// EndHold has a rule decide at the end of a hold. A hold that was broken, or whose end was decided on before, changes nothing.
func (in *Intake) EndHold(ctx context.Context, hold HoldRef) (HoldState, error) {
	t := &holdTask{hold: hold}
	err := in.do(ctx, hold.Environment, t)
	return t.state, err
}

// RestartHolds has the holds of a rule that was saved begin anew under its newest version. Those that a crash leaves do so when they
// were due under the older one.
func (in *Intake) RestartHolds(ctx context.Context, env busbar.Environment, id busbar.RuleID) error {
	after := ""
	for {
		held, err := in.cfg.Store.OlderHolds(ctx, env, id, after, restartPage)
		if err != nil {
			return err
		}
		for i := range held {
			k := &held[i]
			hold := HoldRef{Environment: env, RuleID: id, Key: k.Key, Shadow: k.Shadow, HoldID: k.Edge.Hold.ID}
			if _, err := in.EndHold(ctx, hold); err != nil {
				return err
			}
			after = k.Key
		}
		if len(held) < restartPage {
			return nil
		}
	}
}

// restartPage bounds how many holds are read at a time.
const restartPage = 100

type holdTask struct {
	hold  HoldRef
	event busbar.Event
	state HoldState
}

func (h *HoldRef) key() store.RuleKeyRef {
	return store.RuleKeyRef{Environment: h.Environment, Key: h.Key, RuleID: h.RuleID, Shadow: h.Shadow}
}

// concerns finds the event that began the hold, and with it the site.
func (t *holdTask) concerns(tx *store.DecisionTx) ([]busbar.DeviceID, bool, error) {
	t.event = busbar.Event{}
	hold, err := tx.HoldOf(t.hold.key(), t.hold.HoldID)
	if err != nil || hold == nil {
		return nil, false, err
	}
	t.event, err = tx.Event(t.hold.Environment, hold.EventID)
	if busbar.CodeOf(err) == busbar.CodeNotFound { // gone with its retention
		return nil, false, nil
	}
	return nil, true, err
}

func (t *holdTask) site() busbar.SiteID { return t.event.SiteID }

func (t *holdTask) size() int { return 2 }

func (t *holdTask) decide(g *group, u *unit) error {
	t.state = HoldState{}
	book, err := g.book(u.env)
	if err != nil {
		return err
	}
	if err := g.readEdges(book, u.env, []string{t.hold.Key}, 1); err != nil {
		return err
	}
	edge := g.edges[t.hold.key()]
	// One that was asked before, and waits for an event at which it can fire, has no due time any more.
	if edge.Hold == nil || edge.Hold.ID != t.hold.HoldID || edge.Hold.Due.IsZero() {
		return nil
	}
	r := book.byID[t.hold.RuleID]
	if r == nil || r.shadow != t.hold.Shadow || t.event.ID == "" {
		return t.drop(g, u, edge)
	}
	snap := &rules.Snapshot{Environment: u.env, Stopped: book.set.Stopped(t.event.SiteID), Explain: true}
	site, known := g.home(&t.event)
	if known {
		if err := g.furnish(snap, site, []*ruleInForce{r}); err != nil {
			return err
		}
	}
	standing := r.standing(&edge)
	standing.Paused = standing.Paused || g.paused[ruleRef{u.env, r.id}]
	run, err := rules.EndHold(snap, &standing, t.hold.Key, t.hold.HoldID, &t.event, g.now)
	if err != nil {
		return err
	}
	if run.Decision == rules.DecisionHolding && run.Ended == nil {
		// The runs that hold go on doing so.
		g.edges[t.hold.key()] = run.After
		g.moved.add(t.hold.key())
		t.state = HoldState{Decision: string(run.Decision), Wait: max(run.After.Hold.Due.Sub(g.now), time.Millisecond)}
		return nil
	}
	if run.After.Hold != nil && run.Ended == nil {
		// There is nothing that it could do now; the next event tries again.
		asked := *run.After.Hold
		asked.Due = time.Time{}
		run.After.Hold = &asked
	}
	t.state.Decision = string(run.Decision)
	return errorOf(g.keepRun(u, r, &run, &t.event, site), g.strike(u, r, &run))
}

// drop ends the hold of a rule that is gone, disabled, or in another mode, and one whose event is gone.
func (t *holdTask) drop(g *group, u *unit, edge rules.EdgeState) error {
	edge.Hold = nil
	g.edges[t.hold.key()] = edge
	g.moved.add(t.hold.key())
	g.ended = append(g.ended, holdEnd{u.env, t.hold.HoldID, rules.DecisionSuperseded})
	t.state.Decision = string(rules.DecisionSuperseded)
	return nil
}
