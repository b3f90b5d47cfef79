package intake

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"busbar"
	"busbar/internal/store"
	"busbar/rules"
)

// fire does what a rule has decided: the actions of a first step are made here and now, so that commands keep the order of
// decisions. All else is the workflow's.
func (g *group) fire(u *unit, r *ruleInForce, run *rules.Run, record *busbar.Run, e *busbar.Event, site *busbar.Site) error {
	g.fired(u.env, r, run)
	record.Number = run.Firing.Number
	switch {
	case e != nil && run.Trigger == rules.TriggerEvent:
		record.Seq = e.Seq
	case site != nil:
		record.Seq = g.raise(site)
	}
	if run.Firing.Shadow {
		return nil
	}
	record.Status, record.EndedAt = busbar.RunOpen, time.Time{}
	g.begin(u, store.RuleStart{Environment: u.env, Kind: store.StartRun, ID: run.ID, RuleID: r.id, Key: run.Key, Shadow: r.shadow})
	plan := &run.Firing.First
	if plan.Status != rules.StepReady || len(plan.Commands) == 0 {
		return nil
	}
	step := busbar.RunStep{Branch: busbar.BranchThen, Status: busbar.StepOpen, At: g.now}
	err := g.act(u, r, record, &step, plan, run.Firing.Causation)
	run.Targets = plan.Targets
	record.Steps = []busbar.RunStep{step}
	return err
}

// act makes the actions of a step, and puts them on record with it. A device on which there is no room is not taken.
func (g *group) act(u *unit, r *ruleInForce, run *busbar.Run, step *busbar.RunStep, plan *rules.StepPlan, cause busbar.Causation) error {
	for i := range plan.Commands {
		c := &plan.Commands[i]
		d, site, ok := g.device(u.env, c.DeviceID)
		if !ok {
			return fmt.Errorf("device %s of run %s is not there", c.DeviceID, run.ID)
		}
		action := busbar.Action{
			Environment: u.env, DeviceID: d.ID, Family: d.Family, SiteID: d.SiteID, Command: c.Command, Parameters: c.Parameters,
			Start: c.Start, End: c.End, ExpiresIn: cmp.Or(c.ExpiresIn, busbar.DefaultExpiresIn), RuleID: string(r.id), RunID: string(run.ID),
			RunStep: step.Place().String(), Priority: r.Rule.Priority, FiringSeq: run.Seq, Causation: cause,
		}
		id := busbar.DerivedActionID("run", string(u.env), string(run.ID), action.RunStep, string(d.ID))
		made, err := g.occupy(u, d, site, &action, id, c.OnConflict)
		switch {
		case busbar.CodeOf(err) == busbar.CodeConflict:
			untake(plan, d.ID)
			continue
		case err != nil:
			return err
		}
		step.ActionIDs = append(step.ActionIDs, made.ID)
	}
	targets, err := json.Marshal(plan.Targets)
	if err != nil {
		return fmt.Errorf("write targets of run %s: %w", run.ID, err)
	}
	step.Targets = targets
	return nil
}

// untake notes that a device has no room after all.
func untake(plan *rules.StepPlan, id busbar.DeviceID) {
	for i := range plan.Targets {
		if t := &plan.Targets[i]; t.DeviceID == id && t.Taken {
			t.Taken, t.Reason, t.Message = false, "held", "the device has an open action, and another one is queued behind it"
		}
	}
}

// occupy gives a new action its place on its device, and writes it. A CONFLICT says that there is none.
func (g *group) occupy(
	u *unit, d *busbar.Device, site *busbar.Site, plan *busbar.Action, id busbar.ActionID, strategy busbar.ConflictStrategy,
) (busbar.Action, error) {
	open, err := g.tx.OpenActions(store.DeviceRef{Environment: u.env, ID: d.ID})
	if err != nil {
		return busbar.Action{}, err
	}
	slot, err := takeSlot(open, strategy)
	if err != nil {
		return busbar.Action{}, err
	}
	a := plan.Place(id, slot, g.now)
	if current := open[busbar.SlotCurrent]; current != nil && slot == busbar.SlotCurrent {
		if err := g.replace(u, current, &a); err != nil {
			return a, err
		}
	}
	if a, err = g.beginDue(&a, d); err != nil {
		return a, err
	}
	if err := g.tx.InsertAction(&a); err != nil {
		return a, err
	}
	g.raise(site)
	g.forgetOpen(u.env, site.ID)
	u.launches = append(u.launches, newLaunch(&a, true, g.now))
	return a, nil
}

// fired remembers when a rule fired last.
func (g *group) fired(env busbar.Environment, r *ruleInForce, run *rules.Run) {
	if g.firing == nil {
		g.firing = make(map[ruleRef]time.Time)
	}
	if ref := (ruleRef{env, r.id}); g.firing[ref].Before(run.DecidedAt) {
		g.firing[ref] = run.DecidedAt
	}
}

// noteFirings writes it, in one order for all transactions.
func (g *group) noteFirings() error {
	refs := slices.SortedFunc(maps.Keys(g.firing), func(a, b ruleRef) int {
		return cmp.Or(cmp.Compare(a.environment, b.environment), cmp.Compare(a.id, b.id))
	})
	for _, ref := range refs {
		if err := g.tx.NoteFiring(ref.environment, ref.id, g.firing[ref]); err != nil {
			return err
		}
	}
	return nil
}
