package intake

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"busbar"
	"busbar/internal/store"
	"busbar/rules"
)

// beginStep works a step out, makes its actions or its event, and puts it on record with the run. It is nil when the guard is not
// known: then it is to be begun after the wait.
func (g *group) beginStep(u *unit, c *course, at busbar.StepPlace) (*busbar.RunStep, time.Duration, error) {
	step := busbar.RunStep{Branch: at.Branch, Index: at.Index, Try: at.Try, At: g.now, EndedAt: g.now}
	due := c.due(at)
	switch within := c.startWithin(at); {
	case c.off != "":
		step.Status, step.Message = busbar.StepDisabled, c.off
	case g.now.Sub(due) > within:
		expire(&step, within)
	default:
		plan, err := g.plan(c, at)
		if err != nil {
			return nil, 0, err
		}
		if plan.Status == rules.StepNotNow {
			return nil, notNow(g.now.Sub(due), within), nil
		}
		if err := g.carryOut(u, c, &step, plan); err != nil {
			return nil, 0, err
		}
	}
	c.run.Steps = append(c.run.Steps, step)
	return &c.run.Steps[len(c.run.Steps)-1], 0, nil
}

func expire(s *busbar.RunStep, within time.Duration) {
	s.Status, s.Code = busbar.StepExpired, busbar.ActionExpired
	s.Message = fmt.Sprintf("it could not start within %s", within)
}

// due is when a try of a step was to be begun: when what came before it ended.
func (c *course) due(at busbar.StepPlace) time.Time {
	due := c.run.DecidedAt
	for i := range c.run.Steps {
		if s := &c.run.Steps[i]; s.EndedAt.After(due) {
			due = s.EndedAt
		}
	}
	if at.Try > 0 {
		due = due.Add(busbar.Backoff(at.Try))
	}
	return due
}

// startWithin is how long a step may wait to be begun.
func (c *course) startWithin(at busbar.StepPlace) time.Duration {
	s := c.step(at)
	if s == nil {
		return 0
	}
	within := c.rule.Rule.ActWithin
	if s.Push == nil {
		return within
	}
	if s.Push.ExpiresIn > 0 {
		return min(within, s.Push.ExpiresIn)
	}
	return min(within, busbar.DefaultExpiresIn)
}

// notNow is how long to wait before a guard that is not known is asked again: as long as it was waited for already, so that the
// waits double, and never beyond the time in which the step may start.
func notNow(waited, within time.Duration) time.Duration {
	const least, most = time.Second, time.Minute
	return min(max(waited, least), most, within-waited+time.Millisecond)
}

// plan works a step out now. The first one was worked out when the rule fired, and only a guard that was not known is asked again.
func (g *group) plan(c *course, at busbar.StepPlace) (*rules.StepPlan, error) {
	if first := c.firing.First; at == busbar.FirstStep() && first.Status != "" && first.Status != rules.StepNotNow {
		return &first, nil
	}
	snap, err := g.snapshotOf(c)
	if err != nil {
		return nil, err
	}
	plan, err := c.standing().Resolve(snap, c.place(at), g.now)
	if err != nil {
		return nil, err
	}
	if at.Try > 0 {
		if err := g.onlyFailed(c, at, plan); err != nil {
			return nil, err
		}
	}
	return plan, g.withoutSuperseded(c, plan)
}

// standing is the rule without an edge, which steps do not look at.
func (c *course) standing() *rules.Standing {
	// What a step comes to does not depend on the edge.
	standing := c.rule.standing(&rules.EdgeState{})
	return &standing
}

// snapshotOf is the home of a run as it is now.
func (g *group) snapshotOf(c *course) (*rules.Snapshot, error) {
	snap := &rules.Snapshot{Environment: c.run.Environment}
	if c.site == nil {
		return snap, nil
	}
	r, err := g.room(c.site)
	if err != nil {
		return nil, err
	}
	snap.Site, snap.Devices = c.site, r.devices
	snap.Open, err = g.openAt(r)
	return snap, err
}

// onlyFailed keeps another try to the devices on which the one before has failed.
func (g *group) onlyFailed(c *course, at busbar.StepPlace, plan *rules.StepPlan) error {
	before := c.run.Step(busbar.StepPlace{Branch: at.Branch, Index: at.Index, Try: at.Try - 1})
	if before == nil {
		return fmt.Errorf("run %s was not at %s before", c.run.ID, at)
	}
	failed := make(map[busbar.DeviceID]bool, len(before.ActionIDs))
	for _, id := range before.ActionIDs {
		a, err := g.tx.Action(c.run.Environment, id)
		if err != nil {
			return err
		}
		failed[a.DeviceID] = a.State == busbar.ActionFailed
	}
	plan.Commands = slices.DeleteFunc(plan.Commands, func(command rules.Command) bool { return !failed[command.DeviceID] })
	plan.Targets = slices.DeleteFunc(plan.Targets, func(t rules.Target) bool { return !failed[t.DeviceID] })
	if plan.Status == rules.StepReady && len(plan.Targets) == 0 {
		plan.Status = rules.StepNoTarget
	}
	return nil
}

// reasonSuperseded is why a device is not taken about which a newer firing has decided.
const reasonSuperseded = "superseded"

// withoutSuperseded takes the devices out of a plan about which a firing that came later has decided.
func (g *group) withoutSuperseded(c *course, plan *rules.StepPlan) error {
	if c.run.Seq == 0 {
		return nil
	}
	for i := range plan.Targets {
		t := &plan.Targets[i]
		if !t.Taken {
			continue
		}
		newer, err := g.tx.NewerFiring(store.DeviceRef{Environment: c.run.Environment, ID: t.DeviceID}, c.run.Seq)
		if err != nil {
			return err
		}
		if newer {
			t.Taken, t.Reason = false, reasonSuperseded
			plan.Commands = slices.DeleteFunc(plan.Commands, func(command rules.Command) bool { return command.DeviceID == t.DeviceID })
		}
	}
	return nil
}

// carryOut does what a plan says, and notes in the step what came of it.
func (g *group) carryOut(u *unit, c *course, step *busbar.RunStep, plan *rules.StepPlan) error {
	switch plan.Status {
	case rules.StepReady:
		if plan.Emission != nil {
			return g.carryEmission(u, c, step, plan.Emission)
		}
		step.Status, step.EndedAt = busbar.StepOpen, time.Time{}
		if err := g.act(u, c.rule, c.run, step, plan, c.firing.Causation); err != nil {
			return err
		}
		if len(step.ActionIDs) == 0 {
			step.Status, step.EndedAt = untaken(plan.Targets), g.now
		}
		return nil
	case rules.StepNoTarget:
		step.Status, step.Message = busbar.StepNoTarget, "there is no device"
	case rules.StepUnknown:
		step.Status, step.Message = busbar.StepUnknown, "not known: "+unknowns(plan.Unknown)
	case rules.StepHeld:
		step.Status = busbar.StepHeld
	case rules.StepNoLongerWanted:
		step.Status, step.Message = busbar.StepNoLongerWanted, "the guard is false"
	case rules.StepError:
		step.Status, step.Code, step.Message = busbar.StepFailed, string(busbar.CodeInvalidExpression), plan.Error
	case rules.StepNotNow:
	}
	if len(plan.Targets) == 0 {
		return nil
	}
	var err error
	if step.Targets, err = json.Marshal(plan.Targets); err != nil {
		return fmt.Errorf("write targets of run %s: %w", c.run.ID, err)
	}
	return nil
}

// untaken is how a step ends that could take none of its devices.
func untaken(targets []rules.Target) string {
	if slices.ContainsFunc(targets, func(t rules.Target) bool { return t.Reason == reasonSuperseded }) {
		return busbar.StepSuperseded
	}
	return busbar.StepHeld
}

func unknowns(list []rules.Unknown) string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].String()
	}
	return strings.Join(names, ", ")
}

// carryEmission makes an event, under an id that comes from the step.
func (g *group) carryEmission(u *unit, c *course, step *busbar.RunStep, emission *rules.Emission) error {
	data, err := json.Marshal(emission.Data)
	if err != nil {
		return fmt.Errorf("write event of run %s: %w", c.run.ID, err)
	}
	if len(data) > busbar.MaxEventDataBytes {
		step.Status, step.Code = busbar.StepFailed, string(busbar.CodeEventTooLarge)
		step.Message = fmt.Sprintf("the data of the event has %d bytes; the limit is %d", len(data), busbar.MaxEventDataBytes)
		return nil
	}
	step.Status = busbar.StepDone
	step.EventID = g.emit(u, busbar.Event{
		ID:   busbar.DerivedEventID("run", string(u.env), string(c.run.ID), step.Place().String()),
		Type: emission.Type, SiteID: c.run.SiteID, Timestamp: g.now, Data: data, Causation: c.firing.Causation,
	})
	return nil
}
