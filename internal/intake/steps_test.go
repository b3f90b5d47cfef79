package intake_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
	"busbar/rules"
)

// rule saves a rule, which is active unless its text says otherwise.
func (p *plant) rule(id busbar.RuleID, text string) {
	p.t.Helper()
	parsed, err := rules.ParseJSON(json.RawMessage(text))
	must(p.t, err)
	_, err = rules.Compile(parsed)
	must(p.t, err)
	_, err = p.store.Once(p.t.Context(), nil, func(tx *store.Tx) (store.Answer, error) {
		return store.Answer{}, tx.CreateRule(&busbar.Rule{
			ID: id, Environment: busbar.Sandbox, Name: parsed.Name, Mode: string(parsed.Mode), Windowed: parsed.Window != nil,
			Text: json.RawMessage(text), CreatedAt: p.now(), UpdatedAt: p.now(),
		})
	})
	must(p.t, err)
}

// saveRule gives a rule a new version.
func (p *plant) saveRule(id busbar.RuleID, text string) {
	p.t.Helper()
	_, err := p.store.Once(p.t.Context(), nil, func(tx *store.Tx) (store.Answer, error) {
		_, err := tx.SaveRule(busbar.Sandbox, id, 0, func(r *busbar.Rule) error {
			r.Text = json.RawMessage(text)
			return nil
		})
		return store.Answer{}, err
	})
	must(p.t, err)
}

// level has the battery report how full it is.
func (p *plant) level(v float64) {
	p.t.Helper()
	p.advance(time.Second)
	out, err := p.Read(p.t.Context(), busbar.Sandbox, []intake.Reading{{DeviceID: "dev_battery", State: map[string]any{"level": v}}})
	must(p.t, err)
	if out[0].Err != nil {
		p.t.Fatal(out[0].Err)
	}
}

// tells waits until the workflow of a run or a hold is started or told, and gives what it is told.
func (p *plant) tells(kind store.RuleStartKind, fresh bool) intake.RuleLaunch {
	p.t.Helper()
	patience := time.NewTimer(10 * time.Second)
	defer patience.Stop()
	for {
		select {
		case l := <-p.told:
			if l.Kind == kind && l.Fresh == fresh {
				return l
			}
		case <-patience.C:
			p.t.Fatalf("no workflow of a %s was started or told", kind)
		}
	}
}

// fires has the battery become full, and gives the one run that fires.
func (p *plant) fires() busbar.RunID {
	p.t.Helper()
	p.level(50)
	p.level(100)
	return p.begunRun()
}

// begunRun is the one open run.
func (p *plant) begunRun() busbar.RunID {
	p.t.Helper()
	open := p.open()
	if len(open) != 1 {
		p.t.Fatalf("open runs: %+v, want one", open)
	}
	return open[0].ID
}

func (p *plant) open() []busbar.Run {
	p.t.Helper()
	open, _, err := p.store.OpenRuns(p.t.Context(), p.now().Add(time.Minute), store.RunPosition{}, 100)
	must(p.t, err)
	return open
}

// take takes a step, and compares what follows.
func (p *plant) take(id busbar.RunID, at string, want string) intake.StepState {
	p.t.Helper()
	place, err := busbar.ParseStepPlace(at)
	must(p.t, err)
	state, err := p.TakeStep(p.t.Context(), busbar.Sandbox, id, place)
	must(p.t, err)
	got := string(state.Kind)
	switch state.Kind {
	case intake.StepFollows:
		got += " " + state.Next.String()
	case intake.RunEnded:
		got += " " + string(state.Status)
	case intake.StepWaits:
	}
	if got != want {
		p.t.Fatalf("after %s: %s, want %s", at, got, want)
	}
	return state
}

// run is a run as it is kept.
func (p *plant) run(id busbar.RunID) busbar.Run {
	p.t.Helper()
	var r busbar.Run
	must(p.t, p.store.Decide(p.t.Context(), []busbar.Environment{busbar.Sandbox}, func(tx *store.DecisionTx) (err error) {
		r, err = tx.Run(busbar.Sandbox, id)
		return err
	}))
	return r
}

// steps are the places of a run's steps, with how each stands.
func (p *plant) steps(id busbar.RunID, want ...string) {
	p.t.Helper()
	var got []string
	for _, s := range p.run(id).Steps {
		got = append(got, s.Place().String()+" "+s.Status)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		p.t.Errorf("steps (-want +got):\n%s", diff)
	}
}

// actionOf is the one action of a step.
func (p *plant) actionOf(id busbar.RunID, at string) busbar.ActionID {
	p.t.Helper()
	for _, s := range p.run(id).Steps {
		if s.Place().String() == at && len(s.ActionIDs) == 1 {
			return s.ActionIDs[0]
		}
	}
	p.t.Fatalf("%s of %s has not one action: %+v", at, id, p.run(id).Steps)
	return ""
}

// events gives those of a type, newest first.
func (p *plant) events(kind string) []busbar.Event {
	p.t.Helper()
	page, err := p.store.Events(p.t.Context(), busbar.Sandbox, store.EventFilter{Type: kind}, busbar.PageRequest{Limit: 100})
	must(p.t, err)
	return page.Items
}

// wholeHome has a battery and a charger.
func wholeHome(t *testing.T, open func() *store.Store) *plant {
	t.Helper()
	p := newPlant(t, open(), battery(), charger())
	return p
}

const chargeThenTell = `{"name": "r", "mode": "active", "on": ["device.updated"], "deviceType": "battery", "if": "state.level >= 99",
	"then": [
		{"push": {"device": "site.evChargers", "command": "charge", "retries": 1}},
		{"emit": {"type": "battery.full", "data": {"level": "state.level", "first": "steps[0].status"}}}
	],
	"else_failed": [{"emit": {"type": "automation.failed", "data": {"reason": "error.message", "code": "error.code", "step": "string(error.step)"}}}]}`

func TestStepsFollowEachOther(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		p := wholeHome(t, open)
		p.rule("rule_1", chargeThenTell)
		id := p.fires()
		p.steps(id, "then/0/0 open")
		p.take(id, "then/0/0", "waits")
		p.advance(time.Minute)
		p.tells(store.StartRun, true)
		p.try(p.actionOf(id, "then/0/0"), intake.TryEnd{Outcome: busbar.TryAccepted})
		if told := p.tells(store.StartRun, false); told.ID != string(id) || told.RuleID != "rule_1" || told.Key != "device:dev_battery" {
			t.Errorf("told of the action's end: %+v", told)
		}
		p.take(id, "then/0/0", "follows then/1/0")
		p.take(id, "then/0/0", "follows then/1/0")
		p.take(id, "then/1/0", "ended done")
		p.take(id, "then/1/0", "ended done")
		p.steps(id, "then/0/0 done", "then/1/0 done")
		told := p.events("battery.full")
		if len(told) != 1 || string(told[0].Data) != `{"first":"done","level":100}` {
			t.Fatalf("emitted %+v", told)
		}
		cause := p.events("device.updated")[0]
		want := busbar.Causation{RootEventID: cause.ID, ParentID: string(id), RuleID: "rule_1", Depth: 1}
		if diff := cmp.Diff(want, told[0].Causation); diff != "" {
			t.Errorf("causation (-want +got):\n%s", diff)
		}
		if told[0].SiteID != "site_home" || told[0].ID != p.run(id).Steps[1].EventID {
			t.Errorf("emitted %+v, the step says %+v", told[0], p.run(id).Steps[1])
		}
		if r := p.run(id); r.Status != busbar.RunDone || !r.EndedAt.Equal(p.now().Truncate(time.Microsecond)) {
			t.Errorf("run %+v", r)
		}
	})
}

func TestAStepThatFailsForGoodBringsElseFailed(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		p := wholeHome(t, open)
		p.rule("rule_1", chargeThenTell)
		id := p.fires()
		first := p.actionOf(id, "then/0/0")
		refused := intake.TryEnd{Outcome: busbar.TryRefused, Code: "STUCK", Message: "it is stuck"}
		p.try(first, refused)
		if wait := p.take(id, "then/0/0", "follows then/0/1").Wait; wait != time.Second {
			t.Errorf("tried again after %s", wait)
		}
		if told := p.events(busbar.TypeRuleFailed); len(told) > 0 {
			t.Errorf("told too early: %+v", told)
		}
		p.advance(time.Second)
		p.take(id, "then/0/1", "waits")
		p.take(id, "then/0/1", "waits")
		second := p.actionOf(id, "then/0/1")
		if a := p.action(second); a.RunStep != "then/0/1" || a.RunID != string(id) || a.Priority != 50 || a.FiringSeq != p.run(id).Seq {
			t.Errorf("second action %+v", a)
		}
		p.try(second, refused)
		p.take(id, "then/0/1", "follows else_failed/0/0")
		p.take(id, "then/0/1", "follows else_failed/0/0")
		p.take(id, "else_failed/0/0", "ended failed")
		p.steps(id, "then/0/0 failed", "then/0/1 failed", "else_failed/0/0 done")
		told := p.events("automation.failed")
		if len(told) != 1 || string(told[0].Data) != `{"code":"STUCK","reason":"dev_charger: it is stuck","step":"1"}` {
			t.Errorf("emitted %+v", told)
		}
		failed := p.events(busbar.TypeRuleFailed)
		want := `{"ruleId":"rule_1","version":1,"runId":"` + string(id) + `","reason":"then[0], try 2 failed with STUCK: dev_charger: it is stuck"}`
		if len(failed) != 1 || string(failed[0].Data) != want {
			t.Errorf("told %+v", failed)
		}
	})
}

// A rule without else_failed ends when its last try has failed.
func TestARunFailsWithItsStep(t *testing.T) {
	t.Parallel()
	p := wholeHome(t, func() *store.Store { return opener(t, "")() })
	p.rule("rule_1", pushes(`"device": "site.evChargers", "command": "charge"`))
	id := p.fires()
	p.try(p.actionOf(id, "then/0/0"), intake.TryEnd{Outcome: busbar.TryRefused, Code: "STUCK", Message: "it is stuck"})
	p.take(id, "then/0/0", "ended failed")
	if len(p.events(busbar.TypeRuleFailed)) != 1 || p.run(id).Status != busbar.RunFailed {
		t.Errorf("run %+v", p.run(id))
	}
}

// pushes is a rule of one push.
func pushes(push string) string {
	return `{"name": "r", "mode": "active", "on": ["device.updated"], "deviceType": "battery", "if": "state.level >= 99", "then": [{"push": {` + push + `}}]}`
}

// tellsThenPushes is a rule whose push is its second step.
func tellsThenPushes(push string) string {
	return `{"name": "r", "mode": "active", "on": ["device.updated"], "deviceType": "battery", "if": "state.level >= 99", "then": [
		{"emit": {"type": "battery.full", "data": {}}}, {"push": {` + push + `}}]}`
}

func TestALaterStepIsWorkedOutWhenItIsTaken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		push   string
		before func(p *plant)
		status string
		after  string
	}{
		"no target":      {`"device": "find(site.evChargers, .state.isCharging ?? false)", "command": "charge"`, nil, busbar.StepNoTarget, "ended done"},
		"unknown device": {`"device": "site.evChargers", "command": "charge", "parameters": {"current": {"value": "state.chargeRate", "unit": "amps"}}`, nil, busbar.StepUnknown, "ended done"},
		"held by a person": {
			`"device": "site.evChargers", "command": "charge"`,
			func(p *plant) { p.push(func(r *intake.PushRequest) { r.HoldFor = time.Hour }) }, busbar.StepHeld, "ended done",
		},
		"refused":        {`"device": "site.evChargers", "command": "charge", "parameters": {"current": {"value": "state.level * 10", "unit": "amps"}}`, nil, busbar.StepFailed, "ended failed"},
		"not wanted":     {`"device": "site.evChargers", "command": "charge", "guard": "state.level < 99"`, nil, busbar.StepNoLongerWanted, "ended done"},
		"too late":       {`"device": "site.evChargers", "command": "charge"`, func(p *plant) { p.advance(16 * time.Minute) }, busbar.StepExpired, "ended failed"},
		"stopped":        {`"device": "site.evChargers", "command": "charge"`, func(p *plant) { p.stop() }, busbar.StepDisabled, "ended done"},
		"deleted":        {`"device": "site.evChargers", "command": "charge"`, func(p *plant) { must(p.t, p.store.DeleteRule(p.t.Context(), busbar.Sandbox, "rule_1")) }, busbar.StepDisabled, "ended done"},
		"disabled":       {`"device": "site.evChargers", "command": "charge"`, func(p *plant) { p.mode(rules.ModeDisabled) }, busbar.StepDisabled, "ended done"},
		"in shadow":      {`"device": "site.evChargers", "command": "charge"`, func(p *plant) { p.mode(rules.ModeShadow) }, busbar.StepDisabled, "ended done"},
		"newer decision": {`"device": "site.evChargers", "command": "charge"`, func(p *plant) { p.newer() }, busbar.StepSuperseded, "ended done"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := wholeHome(t, func() *store.Store { return opener(t, "")() })
			p.rule("rule_1", tellsThenPushes(c.push))
			id := p.fires()
			p.take(id, "then/0/0", "follows then/1/0")
			if c.before != nil {
				c.before(p)
			}
			p.take(id, "then/1/0", c.after)
			p.steps(id, "then/0/0 done", "then/1/0 "+c.status)
			if made, err := p.store.Actions(t.Context(), busbar.Sandbox, store.ActionFilter{RuleID: "rule_1"}, busbar.PageRequest{Limit: 10}); err != nil || len(made.Items) > 0 {
				t.Errorf("made %+v, %v", made.Items, err)
			}
		})
	}
}

func (p *plant) mode(m rules.Mode) {
	p.t.Helper()
	_, err := p.store.SetRuleMode(p.t.Context(), busbar.Sandbox, "rule_1", m, func(*busbar.Rule) error { return nil })
	must(p.t, err)
}

// newer has another rule fire and its command end.
func (p *plant) newer() {
	p.t.Helper()
	p.rule("rule_2", `{"name": "r", "mode": "active", "on": ["device.updated"], "deviceType": "battery", "if": "state.level < 10", "priority": 1,
		"then": [{"push": {"device": "site.evChargers", "command": "idle"}}]}`)
	p.level(5)
	page, err := p.store.Actions(p.t.Context(), busbar.Sandbox, store.ActionFilter{RuleID: "rule_2"}, busbar.PageRequest{Limit: 10})
	must(p.t, err)
	if len(page.Items) != 1 {
		p.t.Fatalf("the newer rule made %+v", page.Items)
	}
	p.try(page.Items[0].ID, intake.TryEnd{Outcome: busbar.TryAccepted})
}

// A guard that is not known is asked again, at growing intervals, until the step may not start any more.
func TestAStepWhoseGuardIsNotKnownWaits(t *testing.T) {
	t.Parallel()
	p := wholeHome(t, func() *store.Store { return opener(t, "")() })
	p.rule("rule_1", pushes(`"device": "site.evChargers", "command": "charge", "guard": "site.evChargers[0].state.isConnected"`))
	id := p.fires()
	p.steps(id)
	var waited time.Duration
	for _, want := range []time.Duration{time.Second, time.Second, 2 * time.Second, 4 * time.Second} {
		wait := p.take(id, "then/0/0", "follows then/0/0").Wait
		if wait != want {
			t.Errorf("after %s it waits for %s, want %s", waited, wait, want)
		}
		p.advance(wait)
		waited += wait
	}
	_, err := p.Read(t.Context(), busbar.Sandbox, []intake.Reading{{DeviceID: "dev_charger", State: map[string]any{"isConnected": true}}})
	must(t, err)
	p.take(id, "then/0/0", "waits")
	p.try(p.actionOf(id, "then/0/0"), intake.TryEnd{Outcome: busbar.TryAccepted})
	p.take(id, "then/0/0", "ended done")
}

func TestAGuardThatStaysUnknownExpires(t *testing.T) {
	t.Parallel()
	p := wholeHome(t, func() *store.Store { return opener(t, "")() })
	p.rule("rule_1", pushes(`"device": "site.evChargers", "command": "charge", "expiresIn": "2m", "guard": "site.evChargers[0].state.isConnected"`))
	id := p.fires()
	begun := p.now()
	for {
		place := busbar.FirstStep()
		state, err := p.TakeStep(t.Context(), busbar.Sandbox, id, place)
		must(t, err)
		if state.Kind == intake.RunEnded {
			break
		}
		p.advance(state.Wait)
	}
	p.steps(id, "then/0/0 expired")
	if took := p.now().Sub(begun).Round(time.Second); took != 2*time.Minute {
		t.Errorf("it expired after %s", took)
	}
}

func TestARunWhoseWorkflowIsGoneFails(t *testing.T) {
	t.Parallel()
	p := wholeHome(t, func() *store.Store { return opener(t, "")() })
	p.rule("rule_1", chargeThenTell)
	id := p.fires()
	for _, first := range []bool{true, false} {
		failed, err := p.FailRun(t.Context(), busbar.Sandbox, id, busbar.ActionWorkflowLost, "ended by a person")
		must(t, err)
		if failed != first {
			t.Errorf("it failed: %v, want %v", failed, first)
		}
	}
	p.steps(id, "then/0/0 failed")
	if failed := p.events(busbar.TypeRuleFailed); len(failed) != 1 || p.run(id).Status != busbar.RunFailed {
		t.Errorf("told %+v, run %+v", failed, p.run(id))
	}
}

// stop pulls the emergency stop.
func (p *plant) stop() {
	p.t.Helper()
	must(p.t, p.store.StopAutomation(p.t.Context(), &busbar.AutomationStop{Environment: busbar.Sandbox, By: "tests", At: p.now()}))
}
