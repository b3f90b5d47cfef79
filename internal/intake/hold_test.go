package intake_test

import (
	"strings"
	"testing"
	"time"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
	"busbar/rules"
)

const holdsThenPushes = `{"name": "r", "mode": "active", "on": ["device.updated"], "deviceType": "battery", "if": "state.level >= 99", "for": "10m", "grace": "5m",
	"then": [{"push": {"device": "find(site.evChargers, .state.isConnected ?? true)", "command": "charge"}}]}`

// holds has the battery become full under a rule that holds, and gives the hold.
func (p *plant) holds() intake.HoldRef {
	p.t.Helper()
	p.rule("rule_1", holdsThenPushes)
	p.level(50)
	p.level(100)
	l := p.tells(store.StartHold, true)
	if !l.Due.Equal(p.now().Add(10 * time.Minute)) {
		p.t.Errorf("the hold is due at %s, now is %s", l.Due, p.now())
	}
	return intake.HoldRef{Environment: l.Environment, RuleID: l.RuleID, Key: l.Key, Shadow: l.Shadow, HoldID: l.ID}
}

func (p *plant) ends(h intake.HoldRef, want rules.Decision) time.Duration {
	p.t.Helper()
	state, err := p.EndHold(p.t.Context(), h)
	must(p.t, err)
	if state.Decision != string(want) {
		p.t.Errorf("the hold ends with %q, want %q", state.Decision, want)
	}
	return state.Wait
}

func TestAHoldFiresWhenItIsDue(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		p := wholeHome(t, open)
		h := p.holds()
		if wait := p.ends(h, rules.DecisionHolding); wait != 10*time.Minute {
			t.Errorf("too early, it waits for %s", wait)
		}
		p.advance(10 * time.Minute)
		p.ends(h, rules.DecisionFired)
		p.ends(h, "")
		id := p.begunRun()
		run := p.run(id)
		if run.Trigger != string(rules.TriggerEvent) || run.Decision != string(rules.DecisionFired) || run.Number != 1 || run.HoldID != h.HoldID || run.SiteID != "site_home" || run.Seq == 0 {
			t.Errorf("run %+v", run)
		}
		p.try(p.actionOf(id, "then/0/0"), intake.TryEnd{Outcome: busbar.TryAccepted})
		p.take(id, "then/0/0", "ended done")
	})
}

// Whoever counts what fired counts a hold once, and finds its commands at the event that began it.
func TestTheRunThatBeganAHoldIsTheOneThatFires(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		p := wholeHome(t, open)
		h := p.holds()
		page, err := p.store.Runs(t.Context(), busbar.Sandbox, store.RunFilter{RuleID: "rule_1", Decision: rules.DecisionHolding}, busbar.PageRequest{Limit: 10})
		must(t, err)
		if len(page.Items) != 1 {
			t.Fatalf("runs that hold: %+v, want one", page.Items)
		}
		began := page.Items[0]
		p.advance(10 * time.Minute)
		p.ends(h, rules.DecisionFired)
		runs := p.runs(began.EventID)
		if len(runs) != 1 {
			t.Fatalf("runs of the event: %+v, want one", runs)
		}
		run := runs[0]
		if run.ID != began.ID || run.Decision != string(rules.DecisionFired) || run.Trigger != string(rules.TriggerEvent) || !run.DecidedAt.Equal(p.now()) {
			t.Errorf("run %+v, want %s to have fired at %s", run, began.ID, p.now())
		}
		if len(run.Steps) != 1 || len(run.Steps[0].ActionIDs) != 1 || run.Status != busbar.RunOpen || !run.EndedAt.IsZero() {
			t.Errorf("run %+v, want its command under way", run)
		}
	})
}

func TestTheRunThatBeganAHoldSaysWhatKeptItFromFiring(t *testing.T) {
	t.Parallel()
	p := onSQLite(t)
	h := p.holds()
	began := p.events(busbar.TypeDeviceUpdated)[0].ID
	p.advance(10 * time.Minute)
	p.stop()
	p.ends(h, rules.DecisionSuperseded)
	runs := p.runs(began)
	if len(runs) != 1 || runs[0].Decision != string(rules.DecisionSuperseded) || !runs[0].EndedAt.Equal(p.now()) {
		t.Errorf("runs %+v, want one that was superseded", runs)
	}
}

func TestABrokenHoldDoesNotFire(t *testing.T) {
	t.Parallel()
	p := onSQLite(t)
	h := p.holds()
	p.level(50)
	p.advance(10 * time.Minute)
	p.ends(h, "")
	if open := p.open(); len(open) > 0 {
		t.Errorf("it fired: %+v", open)
	}
}

func TestAHoldWaitsOutItsGrace(t *testing.T) {
	t.Parallel()
	p := onSQLite(t)
	h := p.holds()
	p.advance(8 * time.Minute)
	_, err := p.Read(t.Context(), busbar.Sandbox, []intake.Reading{{DeviceID: "dev_battery", State: map[string]any{"level": nil}}})
	must(t, err)
	p.advance(2 * time.Minute)
	wait := p.ends(h, rules.DecisionHolding)
	if wait.Round(time.Second) != 3*time.Minute {
		t.Errorf("it waits for %s, want what is left of the grace", wait)
	}
	p.advance(wait)
	p.ends(h, rules.DecisionUnknown)
	if open := p.open(); len(open) > 0 {
		t.Errorf("it fired: %+v", open)
	}
}

// Where there is nothing to command, the next event tries again, and nobody asks in between.
func TestAHoldWithoutATargetIsLeftToTheNextEvent(t *testing.T) {
	t.Parallel()
	p := onSQLite(t)
	h := p.holds()
	plugged := func(v bool) {
		_, err := p.Read(t.Context(), busbar.Sandbox, []intake.Reading{{DeviceID: "dev_charger", State: map[string]any{"isConnected": v}}})
		must(t, err)
	}
	plugged(false)
	p.advance(10 * time.Minute)
	p.ends(h, rules.DecisionNoTarget)
	p.ends(h, "")
	due, _, err := p.store.DueHolds(t.Context(), p.now().Add(time.Hour), store.HoldPosition{}, 10)
	must(t, err)
	if len(due) > 0 {
		t.Errorf("still due: %+v", due)
	}
	plugged(true)
	p.level(99.5)
	run := p.run(p.begunRun())
	if run.Trigger != string(rules.TriggerEvent) || run.HoldID != h.HoldID {
		t.Errorf("run %+v", run)
	}
}

func TestAHoldOfARuleThatMayNotActComesToNothing(t *testing.T) {
	t.Parallel()
	p := onSQLite(t)
	h := p.holds()
	p.advance(10 * time.Minute)
	p.stop()
	p.ends(h, rules.DecisionSuperseded)
	if open := p.open(); len(open) > 0 {
		t.Errorf("it fired: %+v", open)
	}
}

// An edit has a hold begin anew at once, under the new version; the older one comes to nothing.
func TestAnEditRestartsAHold(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		p := wholeHome(t, open)
		h := p.holds()
		p.advance(4 * time.Minute)
		p.saveRule("rule_1", strings.Replace(holdsThenPushes, `"for": "10m"`, `"for": "8m"`, 1))
		must(t, p.RestartHolds(t.Context(), busbar.Sandbox, "rule_1"))
		l := p.tells(store.StartHold, true)
		if !l.Due.Equal(p.now().Add(8*time.Minute)) || l.ID == h.HoldID {
			t.Fatalf("begun %+v, want another hold that is due in 8 minutes", l)
		}
		must(t, p.RestartHolds(t.Context(), busbar.Sandbox, "rule_1"))
		p.ends(h, "")
		p.advance(8 * time.Minute)
		p.ends(intake.HoldRef{Environment: l.Environment, RuleID: l.RuleID, Key: l.Key, Shadow: l.Shadow, HoldID: l.ID}, rules.DecisionFired)
	})
}
