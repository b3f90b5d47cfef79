package intake_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
	"busbar/internal/storetest"
	"busbar/rules"
)

// rule saves a rule.
func rule(t testing.TB, s *store.Store, id, yaml string) {
	t.Helper()
	parsed, err := rules.ParseYAML([]byte(yaml))
	must(t, err)
	if parsed.Name == "" {
		parsed.Name = id
	}
	_, err = rules.Compile(parsed)
	must(t, err)
	text, err := parsed.MarshalJSON()
	must(t, err)
	_, err = s.Once(t.Context(), nil, func(tx *store.Tx) (store.Answer, error) {
		return store.Answer{}, tx.CreateRule(&busbar.Rule{
			ID: busbar.RuleID(id), Environment: busbar.Sandbox, Name: parsed.Name, Mode: string(parsed.Mode), Text: text,
			CreatedAt: time.Now(), UpdatedAt: time.Now(),
		})
	})
	must(t, err)
}

const full = `
name: full
mode: active
on: [device.updated]
deviceType: battery
scope: device
if: state.level >= 99
rearm: state.level < 95
then:
  - push: {device: 'site.evChargers[0]', command: charge, parameters: {current: {value: '10', unit: amps}}, onConflict: cancel_and_replace}
`

// levels reports a level of the battery a second later, and gives the event that came of it.
func (p *plant) levels(values ...float64) (last busbar.EventID) {
	p.t.Helper()
	for _, v := range values {
		p.advance(time.Second)
		out, err := p.Read(p.t.Context(), busbar.Sandbox, []intake.Reading{level(p.now(), v)})
		must(p.t, err)
		if out[0].Err != nil {
			p.t.Fatal(out[0].Err)
		}
		last = out[0].EventID
	}
	return last
}

// fired gives the commands of rules that are open or have ended, oldest first.
func (p *plant) fired(rule string) []busbar.Action {
	p.t.Helper()
	list, err := p.store.Actions(p.t.Context(), busbar.Sandbox, store.ActionFilter{RuleID: rule}, busbar.PageRequest{Limit: 100})
	must(p.t, err)
	return list.Items
}

// runs gives what rules decided at an event.
func (p *plant) runs(id busbar.EventID) []busbar.Run {
	p.t.Helper()
	e, err := p.store.Event(p.t.Context(), busbar.Sandbox, id)
	must(p.t, err)
	runs, err := p.store.RunsOfEvent(p.t.Context(), &e)
	must(p.t, err)
	return runs
}

func TestARuleFiresOnceAnEdge(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		p := newPlant(t, s, battery(), charger())
		rule(t, s, "rule_full", full)
		p.levels(98)
		if a := p.fired("rule_full"); len(a) != 0 {
			t.Fatalf("fired at 98 %%: %+v", a)
		}
		event := p.levels(99.5)
		a := p.fired("rule_full")
		if len(a) != 1 || a[0].DeviceID != "dev_charger" || a[0].Priority != 50 || a[0].FiringSeq == 0 ||
			a[0].RunStep != "then/0/0" || a[0].State != busbar.ActionAcknowledged {
			t.Fatalf("actions %+v", a)
		}
		if c := a[0].Causation; c.RootEventID != event || c.ParentID != a[0].RunID || c.RuleID != "rule_full" || c.Depth != 1 {
			t.Errorf("causation %+v of %s", c, event)
		}
		// It stays true, and even falls a little: one firing.
		p.levels(100, 99, 97, 99.2, 98, 100)
		if a := p.fired("rule_full"); len(a) != 1 {
			t.Errorf("fired again without re-arming: %+v", a)
		}
		p.levels(94, 99)
		if a := p.fired("rule_full"); len(a) != 2 {
			t.Errorf("%d actions, want 2: the second replaced the first", len(a))
		}
		for _, line := range []string{
			`busbar_rule_decisions_total{decision="fired",environment="sandbox"} 2`,
			`busbar_actions_total{environment="sandbox",status="cancelled"} 1`,
		} {
			if got := p.metrics(); !strings.Contains(got, line) {
				t.Errorf("metrics lack %s:\n%s", line, got)
			}
		}
	})
}

func TestARunThatMovedNothingIsKept(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		p := newPlant(t, s, battery(), charger())
		rule(t, s, "rule_full", full)
		p.levels(50)
		event := p.levels(60)
		runs := p.runs(event)
		if len(runs) != 1 || runs[0].Decision != string(rules.DecisionFalse) || runs[0].RuleID != "rule_full" {
			t.Fatalf("runs %+v", runs)
		}
		if !strings.Contains(string(runs[0].Detail), `"state.level \u003e= 99"`) || !strings.Contains(string(runs[0].Detail), `"value":false`) {
			t.Errorf("detail does not say why: %s", runs[0].Detail)
		}
	})
}

func TestAHoldIsBegunAndBroken(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		p := newPlant(t, s, battery(), charger())
		rule(t, s, "rule_hold", strings.Replace(full, "rearm: state.level < 95", "for: 10m", 1))
		p.levels(50)
		event := p.levels(99)
		is := func(want rules.Decision) {
			t.Helper()
			runs := p.runs(event)
			if len(runs) != 1 || runs[0].Decision != string(want) || runs[0].HoldID == "" {
				t.Errorf("runs %+v, want one that is %s", runs, want)
			}
		}
		is(rules.DecisionHolding)
		p.levels(100)
		is(rules.DecisionHolding)
		p.levels(90)
		is(rules.DecisionHoldBroken)
		if a := p.fired("rule_hold"); len(a) != 0 {
			t.Errorf("a broken hold fired: %+v", a)
		}
	})
}

func TestStopsHoldsAndPriorities(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		// before is what happens before the battery is full.
		before func(p *plant)
		want   rules.Decision
	}{
		{"nothing in the way", func(*plant) {}, rules.DecisionFired},
		{"emergency stop", func(p *plant) {
			must(p.t, p.store.StopAutomation(p.t.Context(), &busbar.AutomationStop{Environment: busbar.Sandbox, By: "somebody", At: p.now()}))
		}, rules.DecisionDisabled},
		{"emergency stop of the site", func(p *plant) {
			must(p.t, p.store.StopAutomation(p.t.Context(), &busbar.AutomationStop{Environment: busbar.Sandbox, SiteID: "site_home", By: "somebody", At: p.now()}))
		}, rules.DecisionDisabled},
		{"emergency stop that was ended", func(p *plant) {
			must(p.t, p.store.StopAutomation(p.t.Context(), &busbar.AutomationStop{Environment: busbar.Sandbox, By: "somebody", At: p.now()}))
			must(p.t, p.store.ResumeAutomation(p.t.Context(), busbar.Sandbox, ""))
		}, rules.DecisionFired},
		{"a person's command is open", func(p *plant) { p.push(nil) }, rules.DecisionHeld},
		{"a person holds the device", func(p *plant) {
			a := p.push(func(r *intake.PushRequest) { r.HoldFor = time.Hour })
			p.try(a.ID, intake.TryEnd{Outcome: busbar.TryAccepted})
		}, rules.DecisionHeld},
		{"a lower rule's command is open", func(p *plant) { p.other(20) }, rules.DecisionFired},
		{"a higher rule's command is open", func(p *plant) { p.other(80) }, rules.DecisionHeld},
		{"an equal rule's command is open", func(p *plant) { p.other(50) }, rules.DecisionHeld},
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			eachDatabase(t, func(t *testing.T, open func() *store.Store) {
				s := open()
				p := newPlant(t, s, battery(), charger())
				rule(t, s, "rule_full", full)
				p.levels(50)
				tt.before(p)
				event := p.levels(99)
				runs := p.runs(event)
				for i := range runs {
					if runs[i].RuleID == "rule_full" && runs[i].Decision != string(tt.want) {
						t.Errorf("decided %s, want %s: %s", runs[i].Decision, tt.want, runs[i].Detail)
					}
				}
				fired := 0
				if tt.want == rules.DecisionFired {
					fired = 1
				}
				if n := len(p.fired("rule_full")); n != fired {
					t.Errorf("%d actions, want %d", n, fired)
				}
			})
		})
	}
}

// other has another rule occupy the charger.
func (p *plant) other(priority int) {
	p.t.Helper()
	rule(p.t, p.store, "rule_other", fmt.Sprintf(`
name: other
on: [device.updated]
deviceType: battery
edge: every
priority: %d
if: state.level == 55
then:
  - push: {device: 'site.evChargers[0]', command: idle}
`, priority))
	p.levels(55)
	if n := len(p.fired("rule_other")); n != 1 {
		p.t.Fatalf("the other rule has %d actions, want 1", n)
	}
}

// A rule that is asked at the end of its own command and replaces that command would go on for ever.
func TestALoopIsCutAndTheRulePaused(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		p := newPlant(t, s, battery(), charger())
		rule(t, s, "rule_loop", `
name: loop
on: [device.updated, push.cancelled]
edge: every
if: 'true'
then:
  - push: {device: 'site.evChargers[0]', command: charge, onConflict: cancel_and_replace}
`)
		p.levels(50)
		if n := len(p.fired("rule_loop")); n != 1 {
			t.Fatalf("%d actions at the first event, want 1", n)
		}
		// Each of the next events replaces the command that is open, which is an event that replaces it again. What is replaced was
		// made one turn earlier, so two chains go down side by side.
		const loop = 1 + 1 + 2*rules.MaxDepth
		p.levels(51)
		if n := len(p.fired("rule_loop")); n != loop {
			t.Errorf("%d actions after a loop, want %d", n, loop)
		}
		p.levels(52)
		r, err := s.Rule(t.Context(), busbar.Sandbox, "rule_loop")
		must(t, err)
		if r.Paused() {
			t.Fatalf("paused after two cuts: %s", r.PauseReason)
		}
		p.levels(53)
		if r, err = s.Rule(t.Context(), busbar.Sandbox, "rule_loop"); err != nil || !r.Paused() || !strings.Contains(r.PauseReason, "triggers itself") {
			t.Fatalf("not paused after three cuts: %+v, %v", r, err)
		}
		before := len(p.fired("rule_loop"))
		event := p.levels(54)
		if n := len(p.fired("rule_loop")); n != before {
			t.Errorf("a paused rule made %d actions", n-before)
		}
		runs := p.runs(event)
		if len(runs) != 1 || runs[0].Decision != string(rules.DecisionDisabled) {
			t.Errorf("runs of a paused rule: %+v", runs)
		}
	})
}

// Two devices of a site that make a condition true at the same moment, from two processes: one firing.
func TestOneFiringFromTwoProcesses(t *testing.T) {
	t.Parallel()
	const rounds = 100
	open := opener(t, storetest.Postgres(t))
	one, other := open(), open()
	a := newPlant(t, one, battery(), busbar.Device{ID: "dev_second", Family: busbar.Battery}, charger())
	b := openPlant(t, other)
	rule(t, one, "rule_site", `
name: one for the site
on: [device.updated]
scope: site
if: any(site.batteries, .state.level >= 99)
rearm: all(site.batteries, .state.level < 50)
then:
  - push: {device: 'site.evChargers[0]', command: charge, onConflict: cancel_and_replace}
`)
	report := func(p *plant, device busbar.DeviceID, v float64) {
		p.advance(time.Second)
		out, err := p.Read(t.Context(), busbar.Sandbox, []intake.Reading{{DeviceID: device, State: map[string]any{"level": v}}})
		if err != nil || out[0].Err != nil {
			t.Errorf("report: %v, %+v", err, out)
		}
	}
	for round := range rounds {
		report(a, "dev_battery", 40)
		report(b, "dev_second", 40)
		var both sync.WaitGroup
		both.Go(func() { report(a, "dev_battery", 100) })
		both.Go(func() { report(b, "dev_second", 100) })
		both.Wait()
		newest, err := one.Actions(t.Context(), busbar.Sandbox, store.ActionFilter{RuleID: "rule_site"}, busbar.PageRequest{Limit: rounds + 1})
		must(t, err)
		if n := len(newest.Items); n != round+1 {
			t.Fatalf("%d firings after round %d", n, round+1)
		}
	}
}
