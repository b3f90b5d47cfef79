package intake_test

import (
	"testing"
	"time"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
	"busbar/rules"
)

const guarded = `"device": "site.evChargers", "command": "charge", "retries": 3, "guard": "state.level >= 95"`

func onSQLite(t *testing.T) *plant {
	t.Helper()
	return wholeHome(t, func() *store.Store { return opener(t, "")() })
}

func (p *plant) begin(id busbar.ActionID) intake.TryBegun {
	p.t.Helper()
	begun, err := p.BeginTry(p.t.Context(), busbar.Sandbox, id)
	must(p.t, err)
	return begun
}

func TestAGuardIsAskedAgainBeforeEachTry(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		p := wholeHome(t, open)
		p.rule("rule_1", pushes(guarded))
		id := p.fires()
		action := p.actionOf(id, "then/0/0")
		p.try(action, intake.TryEnd{Outcome: busbar.TryFailed, Code: "DEVICE_OFFLINE"})
		p.level(80)
		if begun := p.begin(action); begun.Number != 0 || begun.Wait != 0 {
			t.Errorf("tried all the same: %+v", begun)
		}
		if a := p.is(action, busbar.ActionCancelled, busbar.PhaseEnded); a.CancelReason != busbar.CancelRequested || a.ErrorCode != busbar.ActionNotWanted {
			t.Errorf("action %+v", a)
		}
		p.take(id, "then/0/0", "ended done")
		p.steps(id, "then/0/0 no_longer_wanted")
	})
}

func TestACommandWhoseGuardIsNotKnownWaits(t *testing.T) {
	t.Parallel()
	p := onSQLite(t)
	p.rule("rule_1", pushes(guarded))
	id := p.fires()
	action := p.actionOf(id, "then/0/0")
	_, err := p.Read(t.Context(), busbar.Sandbox, []intake.Reading{{DeviceID: "dev_battery", State: map[string]any{"level": nil}}})
	must(t, err)
	begun := p.begin(action)
	if begun.Number != 0 || begun.Wait != time.Second {
		t.Fatalf("begun %+v", begun)
	}
	p.advance(5 * time.Second)
	if again := p.begin(action); again.Wait != 5*time.Second {
		t.Errorf("asked again after %s", again.Wait)
	}
	p.level(97)
	p.try(action, intake.TryEnd{Outcome: busbar.TryAccepted})
	p.take(id, "then/0/0", "ended done")
}

func TestACommandWhoseGuardStaysUnknownExpires(t *testing.T) {
	t.Parallel()
	p := onSQLite(t)
	p.rule("rule_1", pushes(guarded))
	action := p.actionOf(p.fires(), "then/0/0")
	_, err := p.Read(t.Context(), busbar.Sandbox, []intake.Reading{{DeviceID: "dev_battery", State: map[string]any{"level": nil}}})
	must(t, err)
	for {
		begun := p.begin(action)
		if begun.Wait == 0 {
			break
		}
		p.advance(begun.Wait)
	}
	p.next(action, busbar.NeedNothing)
	if a := p.is(action, busbar.ActionFailed, busbar.PhaseEnded); a.ErrorCode != busbar.ActionExpired || a.Tries != 0 {
		t.Errorf("action %+v", a)
	}
}

// What a rule wanted is not sent once the rule may not act any more.
func TestACommandOfARuleThatMayNotActIsTakenBack(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(p *plant){
		"stopped":  (*plant).stop,
		"deleted":  func(p *plant) { must(p.t, p.store.DeleteRule(p.t.Context(), busbar.Sandbox, "rule_1")) },
		"disabled": func(p *plant) { p.mode(rules.ModeDisabled) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := onSQLite(t)
			p.rule("rule_1", chargeThenTell)
			id := p.fires()
			action := p.actionOf(id, "then/0/0")
			end(p)
			if begun := p.begin(action); begun.Number != 0 {
				t.Errorf("tried all the same: %+v", begun)
			}
			if a := p.is(action, busbar.ActionCancelled, busbar.PhaseEnded); a.CancelReason != busbar.CancelRulePaused {
				t.Errorf("cancelled because %s", a.CancelReason)
			}
			if told := p.events(busbar.TypePushCancelled); len(told) != 1 {
				t.Errorf("told by %+v", told)
			}
			p.take(id, "then/0/0", "ended done")
			p.steps(id, "then/0/0 disabled")
		})
	}
}

// A run in progress keeps its version.
func TestAnEditLeavesARunAsItIs(t *testing.T) {
	t.Parallel()
	p := onSQLite(t)
	p.rule("rule_1", chargeThenTell)
	id := p.fires()
	_, err := p.store.Once(t.Context(), nil, func(tx *store.Tx) (store.Answer, error) {
		_, err := tx.SaveRule(busbar.Sandbox, "rule_1", 0, func(r *busbar.Rule) error {
			r.Text = []byte(pushes(`"device": "site.evChargers", "command": "idle"`))
			return nil
		})
		return store.Answer{}, err
	})
	must(t, err)
	p.try(p.actionOf(id, "then/0/0"), intake.TryEnd{Outcome: busbar.TryAccepted})
	p.take(id, "then/0/0", "follows then/1/0")
	p.take(id, "then/1/0", "ended done")
	if told := p.events("battery.full"); len(told) != 1 {
		t.Errorf("emitted %+v", told)
	}
}

func TestHowAnActionEndsIsHowItsStepEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		push   string
		end    func(p *plant, id busbar.ActionID)
		status string
	}{
		"cancelled by a person": {`"device": "site.evChargers", "command": "charge"`, func(p *plant, id busbar.ActionID) {
			_, err := p.CancelAction(p.t.Context(), busbar.Sandbox, id)
			must(p.t, err)
		}, busbar.StepSuperseded},
		"replaced by a person": {`"device": "site.evChargers", "command": "charge"`, func(p *plant, _ busbar.ActionID) {
			p.push(func(r *intake.PushRequest) { r.OnConflict = busbar.CancelAndReplace })
		}, busbar.StepSuperseded},
		"scheduled and accepted": {`"device": "site.evChargers", "command": "charge", "start": "1m"`, func(p *plant, id busbar.ActionID) {
			p.advance(time.Minute)
			p.next(id, busbar.NeedTry)
			p.try(id, intake.TryEnd{Outcome: busbar.TryPending})
		}, busbar.StepDone},
		"windowed and accepted": {`"device": "site.evChargers", "command": "charge", "start": "0s", "end": "1h"`, func(p *plant, id busbar.ActionID) {
			p.try(id, intake.TryEnd{Outcome: busbar.TryAccepted})
		}, busbar.StepDone},
		"taken and under way": {`"device": "site.evChargers", "command": "charge"`, func(p *plant, id busbar.ActionID) {
			p.try(id, intake.TryEnd{Outcome: busbar.TryPending})
		}, busbar.StepOpen},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := onSQLite(t)
			p.rule("rule_1", pushes(c.push))
			id := p.fires()
			c.end(p, p.actionOf(id, "then/0/0"))
			want := "ended done"
			if c.status == busbar.StepOpen {
				want = "waits"
			}
			p.take(id, "then/0/0", want)
			p.steps(id, "then/0/0 "+c.status)
		})
	}
}
