package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"busbar"
	"busbar/internal/store"
	"busbar/rules"
)

// TakeStep begins a try of a step unless that was done before, looks how it stands, and says what follows. The transaction in which
// a step is begun compares again whether the rule may act.
func (in *Intake) TakeStep(ctx context.Context, env busbar.Environment, id busbar.RunID, at busbar.StepPlace) (StepState, error) {
	t := &stepTask{runTask: runTask{env: env, id: id}, at: at}
	err := in.do(ctx, env, t)
	return t.state, err
}

// runTask moves one run on.
type runTask struct {
	env busbar.Environment
	id  busbar.RunID
	// siteID is the run's.
	siteID busbar.SiteID
}

func (t *runTask) concerns(tx *store.DecisionTx) ([]busbar.DeviceID, bool, error) { //nolint:unparam // what a task is asked for
	run, err := tx.Run(t.env, t.id)
	t.siteID = run.SiteID
	return nil, true, err
}

func (t *runTask) site() busbar.SiteID { return t.siteID }

func (t *runTask) size() int { return 2 }

// course is a run with what is needed to take its steps.
type course struct {
	run *busbar.Run
	// rule is the version that fired; nil when the rule was deleted.
	rule *ruleInForce
	// site is nil when the run has none, or that is gone.
	site *busbar.Site
	// event is nil when a window's opening was what fired it.
	event *busbar.Event
	// firing is what was decided.
	firing rules.Firing
	// off says why the rule may not act any more; empty when it may.
	off string
}

// course reads what is needed to take the steps of a run.
func (g *group) course(run *busbar.Run) (*course, error) {
	c := &course{run: run}
	var detail rules.Detail
	if err := json.Unmarshal(run.Detail, &detail); err != nil {
		return nil, fmt.Errorf("read detail of run %s: %w", run.ID, err)
	}
	if detail.Firing != nil {
		c.firing = *detail.Firing
	}
	if site, ok := g.homes.Sites[store.SiteRef{Environment: run.Environment, ID: run.SiteID}]; ok {
		c.site = site
	}
	if run.EventID != "" {
		e, err := g.tx.Event(run.Environment, run.EventID)
		switch {
		case err == nil:
			c.event = &e
		case busbar.CodeOf(err) != busbar.CodeNotFound: // gone with its retention
			return nil, err
		}
	}
	book, err := g.book(run.Environment)
	if err != nil {
		return nil, err
	}
	now := book.byID[run.RuleID]
	c.off = g.whyOff(book, run, now)
	if now != nil && now.version == run.RuleVersion {
		c.rule = now
		return c, nil
	}
	c.rule, err = g.olderRule(run)
	return c, err
}

// whyOff says why a rule may not act any more.
func (g *group) whyOff(book *rulebook, run *busbar.Run, now *ruleInForce) string {
	switch {
	case now == nil:
		return "the rule was disabled or deleted"
	case now.shadow:
		return "the rule is in shadow now"
	case now.paused || g.paused[ruleRef{run.Environment, run.RuleID}]:
		return "the rule is paused"
	case book.set.Stopped(run.SiteID):
		return "automation was stopped"
	}
	return ""
}

// olderRule is the version under which a run fired, which keeps it; nil when the rule is gone.
func (g *group) olderRule(run *busbar.Run) (*ruleInForce, error) {
	v, err := g.tx.RuleVersion(run.Environment, run.RuleID, run.RuleVersion)
	if busbar.CodeOf(err) == busbar.CodeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	compiled, err := compile(&busbar.Rule{ID: run.RuleID, Mode: string(rules.ModeActive), Text: v.Text})
	if err != nil {
		return nil, err
	}
	return &ruleInForce{Compiled: compiled, id: run.RuleID, version: run.RuleVersion}, nil
}

// steps are those of a branch.
func (c *course) steps(branch string) []rules.Step {
	switch {
	case c.rule == nil:
		return nil
	case branch == busbar.BranchElseFailed:
		return c.rule.Rule.ElseFailed
	}
	return c.rule.Rule.Then
}

// step is what the rule says of a step; nil when there is none.
func (c *course) step(p busbar.StepPlace) *rules.Step {
	steps := c.steps(p.Branch)
	if p.Index < 0 || p.Index >= len(steps) {
		return nil
	}
	return &steps[p.Index]
}

// retries is how often a step is tried again.
func (c *course) retries(p busbar.StepPlace) int {
	if s := c.step(p); s != nil && s.Push != nil {
		return s.Push.Retries
	}
	return 0
}

// place is where expressions of a step stand.
func (c *course) place(p busbar.StepPlace) *rules.Place {
	place := &rules.Place{Branch: rules.Branch(p.Branch), Step: p.Index, Key: c.run.Key, Event: c.event}
	for _, branch := range []string{busbar.BranchThen, busbar.BranchElseFailed} {
		for index := range len(c.run.Steps) {
			last := c.lastTry(branch, index)
			if last == nil || branch == p.Branch && index >= p.Index {
				break
			}
			place.Results = append(place.Results, rules.StepResult{Status: last.Status, Message: last.Message})
		}
	}
	if p.Branch == busbar.BranchElseFailed {
		place.Failure = c.failure()
	}
	return place
}

// lastTry is the last try of a step that was begun.
func (c *course) lastTry(branch string, index int) *busbar.RunStep {
	var last *busbar.RunStep
	for i := range c.run.Steps {
		if s := &c.run.Steps[i]; s.Branch == branch && s.Index == index && (last == nil || s.Try > last.Try) {
			last = s
		}
	}
	return last
}

// failure is what brought the run to its else_failed; nil when nothing did.
func (c *course) failure() *rules.Failure {
	for i := len(c.run.Steps) - 1; i >= 0; i-- {
		if s := &c.run.Steps[i]; s.Branch == busbar.BranchThen && failedFor(s) {
			return &rules.Failure{Code: s.Code, Message: s.Message, Step: s.Index + 1}
		}
	}
	return nil
}

// failedFor reports whether a step has failed, for good or until its next try.
func failedFor(s *busbar.RunStep) bool {
	return s.Status == busbar.StepFailed || s.Status == busbar.StepExpired
}

type stepTask struct {
	runTask
	at    busbar.StepPlace
	state StepState
}

func (t *stepTask) decide(g *group, u *unit) error {
	run, err := g.tx.LockRun(u.env, t.id)
	if err != nil {
		return err
	}
	if run.Status != busbar.RunOpen {
		t.state = StepState{Kind: RunEnded, Status: run.Status}
		return nil
	}
	c, err := g.course(&run)
	if err != nil {
		return err
	}
	step := run.Step(t.at)
	begun := step != nil
	if !begun {
		var wait time.Duration
		if step, wait, err = g.beginStep(u, c, t.at); err != nil {
			return err
		}
		if step == nil {
			t.state = StepState{Kind: StepFollows, Next: t.at, Wait: wait, Summary: "until the guard is known"}
			return nil
		}
	}
	if step.Status == busbar.StepOpen {
		if err := g.lookAt(c, step); err != nil {
			return err
		}
		if step.Status == busbar.StepOpen && begun {
			// Nothing has moved, so that nothing is to be written.
			t.state = c.follow(step)
			return nil
		}
	}
	if t.state = c.follow(step); t.state.Kind == RunEnded {
		run.Status, run.EndedAt = t.state.Status, g.now
	}
	return errorOf(g.tellFailure(u, c, step), g.tx.SaveRun(&run))
}

// follow says what comes after a try of a step.
func (c *course) follow(s *busbar.RunStep) StepState {
	at := s.Place()
	switch {
	case s.Status == busbar.StepOpen:
		return StepState{Kind: StepWaits, Summary: c.awaited(s)}
	case s.Status == busbar.StepDone || s.Status == busbar.StepNoLongerWanted:
		next := busbar.StepPlace{Branch: at.Branch, Index: at.Index + 1}
		if c.step(next) != nil {
			return StepState{Kind: StepFollows, Next: next, Summary: s.Status}
		}
	case c.again(s):
		next := busbar.StepPlace{Branch: at.Branch, Index: at.Index, Try: at.Try + 1}
		return StepState{Kind: StepFollows, Next: next, Wait: busbar.Backoff(next.Try), Summary: "until it is tried again"}
	case failedFor(s) && at.Branch == busbar.BranchThen && len(c.steps(busbar.BranchElseFailed)) > 0:
		return StepState{Kind: StepFollows, Next: busbar.StepPlace{Branch: busbar.BranchElseFailed}, Summary: s.Status}
	}
	state := StepState{Kind: RunEnded, Status: busbar.RunDone, Summary: s.Status}
	if at.Branch == busbar.BranchElseFailed || failedFor(s) {
		state.Status = busbar.RunFailed
	}
	return state
}

// awaited names the actions that a step waits for; of many the first.
func (c *course) awaited(s *busbar.RunStep) string {
	command := "its command"
	if step := c.step(s.Place()); step != nil && step.Push != nil {
		command = step.Push.Command
	}
	if n := len(s.ActionIDs); n > 1 {
		return fmt.Sprintf("until %s has ended: %s and %d more", command, s.ActionIDs[0], n-1)
	}
	return fmt.Sprintf("until %s has ended: %s", command, s.ActionIDs[0])
}

// again reports whether a try that has failed is followed by another one. What never became an action is not tried again: it
// would come to the same.
func (c *course) again(s *busbar.RunStep) bool {
	return s.Status == busbar.StepFailed && len(s.ActionIDs) > 0 && s.Try < c.retries(s.Place()) && c.off == ""
}

// tellFailure has an event tell that a step of the rule has failed for good, once.
func (g *group) tellFailure(u *unit, c *course, s *busbar.RunStep) error {
	if !failedFor(s) || s.Branch != busbar.BranchThen || c.again(s) {
		return nil
	}
	return g.tellFailed(u, c.run, c.firing.Causation, fmt.Sprintf("%s failed with %s: %s", s.Place().Label(), s.Code, s.Message))
}

func (g *group) tellFailed(u *unit, run *busbar.Run, cause busbar.Causation, reason string) error {
	e, err := ruleEvent(busbar.TypeRuleFailed, run.RuleID, run.RuleVersion, run.ID, reason, g.now)
	if err != nil {
		return err
	}
	e.Causation = cause
	g.emit(u, e)
	return nil
}

// FailRun ends a run whose steps cannot be taken any more, and reports whether it did: one that has ended stays as it is.
func (in *Intake) FailRun(ctx context.Context, env busbar.Environment, id busbar.RunID, code, message string) (failed bool, err error) {
	t := &failRunTask{runTask: runTask{env: env, id: id}, code: code, message: message}
	err = in.do(ctx, env, t)
	return t.failed, err
}

type failRunTask struct {
	runTask
	code, message string
	failed        bool
}

func (t *failRunTask) decide(g *group, u *unit) error {
	run, err := g.tx.LockRun(u.env, t.id)
	if t.failed = err == nil && run.Status == busbar.RunOpen; !t.failed {
		return err
	}
	var detail rules.Detail
	if err := json.Unmarshal(run.Detail, &detail); err != nil {
		return fmt.Errorf("read detail of run %s: %w", run.ID, err)
	}
	var cause busbar.Causation
	if detail.Firing != nil {
		cause = detail.Firing.Causation
	}
	for i := range run.Steps {
		if s := &run.Steps[i]; s.Status == busbar.StepOpen {
			s.Status, s.Code, s.Message, s.EndedAt = busbar.StepFailed, t.code, t.message, g.now
		}
	}
	run.Status, run.EndedAt = busbar.RunFailed, g.now
	return errorOf(g.tellFailed(u, &run, cause, t.code+": "+t.message), g.tx.SaveRun(&run))
}
