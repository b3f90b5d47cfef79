package workflows_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/driver"
	"busbar/internal/intake"
	"busbar/internal/store"
)

// check compares how an action has ended, and what its driver was asked.
func (p *plant) check(a busbar.Action, state busbar.ActionState, code string, log ...string) {
	p.t.Helper()
	if a.State != state || a.ErrorCode != code {
		p.t.Errorf("action is %s %q (%s), want %s %q", a.State, a.ErrorCode, a.ErrorMessage, state, code)
	}
	if diff := cmp.Diff(log, p.log); diff != "" {
		p.t.Errorf("asked (-want +got):\n%s", diff)
	}
	events, err := p.store.Events(p.t.Context(), busbar.Sandbox, store.EventFilter{Type: "push.*"}, busbar.PageRequest{Limit: 10})
	must(p.t, err)
	told := 0
	for _, e := range events.Items {
		if e.Causation.ActionID == string(a.ID) {
			told++
			if e.Type != a.Announcement() {
				p.t.Errorf("told by %s, want %s", e.Type, a.Announcement())
			}
		}
	}
	if told != 1 {
		p.t.Errorf("told %d times, want once", told)
	}
}

func TestAnImmediateCommandIsPushedAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.check(p.run(p.push(nil).ID), busbar.ActionCompleted, "", "0s: charge ")
}

func TestAScheduledCommandIsPushedAtItsStart(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	a := p.push(func(r *busbar.Push) { r.Start = "36h" })
	p.check(p.run(a.ID), busbar.ActionCompleted, "", "36h0m0s: charge ")
}

func TestTriesAreMadeUntilTheDeviceIsBack(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.answer = func(r driver.Request) (driver.Outcome, error) {
		if r.Try < 4 {
			return unreachable(r)
		}
		return driver.Accepted("charging"), nil
	}
	a := p.run(p.push(nil).ID)
	p.check(a, busbar.ActionCompleted, "", "0s: charge ", "1s: charge ", "3s: charge ", "7s: charge ")
	if a.Result.Message != "charging" {
		t.Errorf("result %q", a.Result.Message)
	}
}

func TestACommandExpires(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.answer = unreachable
	a := p.push(func(r *busbar.Push) { r.ExpiresIn = 10 * time.Second })
	done := p.run(a.ID)
	p.check(done, busbar.ActionFailed, busbar.ActionExpired, "0s: charge ", "1s: charge ", "3s: charge ", "7s: charge ")
	if took := done.CompletedAt.Sub(done.CreatedAt).Round(time.Second); took != 10*time.Second {
		t.Errorf("failed after %s", took)
	}
}

func TestARefusedCommandFailsAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.answer = func(driver.Request) (driver.Outcome, error) {
		return driver.Refused("FULL", "the battery is full"), nil
	}
	p.check(p.run(p.push(nil).ID), busbar.ActionFailed, "FULL", "0s: charge ")
}

func TestAResultIsWaitedFor(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.answer = pending
	a := p.push(nil)
	p.after(5*time.Minute, func() {
		_, err := p.ReportResult(t.Context(), busbar.Sandbox, a.ID, intake.ResultReport{Success: true, Message: "done"})
		must(t, err)
	})
	p.check(p.run(a.ID), busbar.ActionCompleted, "", "0s: charge ")
}

func TestAResultThatIsNotReportedFails(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.answer = pending
	p.check(p.run(p.push(nil).ID), busbar.ActionFailed, busbar.ActionExpired, "0s: charge ")
}

func TestAResultIsAskedFor(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.answer = pending
	left := 2
	p.result = func(string) (driver.Outcome, error) {
		if left--; left == 0 {
			return driver.Outcome{}, &driver.Error{Code: driver.CodeTimeout, Message: "no answer"}
		}
		if left > 0 {
			return driver.Pending("there"), nil
		}
		return driver.Accepted("done"), nil
	}
	p.check(p.run(p.push(nil).ID), busbar.ActionCompleted, "", "0s: charge ", "1s: poll there", "3s: poll there", "7s: poll there")
}

func TestWhatEndedThereWithoutEffectIsPushedAgain(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.answer = pending
	over := false
	p.result = func(string) (driver.Outcome, error) {
		if over = !over; over {
			return driver.Outcome{}, &driver.Error{Code: driver.CodeConflict, Message: "replaced there", Over: true}
		}
		return driver.Refused("STUCK", "it is stuck"), nil
	}
	p.check(p.run(p.push(nil).ID), busbar.ActionFailed, "STUCK", "0s: charge ", "1s: poll there", "1s: charge ", "2s: poll there")
}

func TestAWindowIsRevertedAtItsEnd(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	a := p.push(func(r *busbar.Push) { r.Start, r.End = "1h", "3h" })
	p.check(p.run(a.ID), busbar.ActionCompleted, "", "1h0m0s: charge ", "3h0m0s: idle -revert")
}

func TestAWindowThatCannotBeRevertedFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func(driver.Request) (driver.Outcome, error)
		code   string
	}{
		"refused": {func(driver.Request) (driver.Outcome, error) { return driver.Refused("LOCKED", "it is locked"), nil }, "LOCKED"},
		"pending": {pending, busbar.ActionExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlant(t)
			p.answer = func(r driver.Request) (driver.Outcome, error) {
				if r.Phase == busbar.PhaseRevert {
					return c.answer(r)
				}
				return accepted(r)
			}
			a := p.push(func(r *busbar.Push) { r.Start, r.End = "1h", "3h" })
			p.check(p.run(a.ID), busbar.ActionFailed, c.code, "1h0m0s: charge ", "3h0m0s: idle -revert")
		})
	}
}

// Nothing says whether the command is in force, so the device goes back, and the action fails all the same.
func TestAWindowWithoutAResultIsRevertedAndFails(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.answer = func(r driver.Request) (driver.Outcome, error) {
		if r.Phase == busbar.PhaseRevert {
			return accepted(r)
		}
		return pending(r)
	}
	a := p.push(func(r *busbar.Push) { r.Start, r.End = "1h", "3h" })
	p.check(p.run(a.ID), busbar.ActionFailed, busbar.ActionExpired, "1h0m0s: charge ", "1h10m0s: idle -revert")
}

func TestACancelledCommandIsNotPushed(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	a := p.push(func(r *busbar.Push) { r.Start = "1h" })
	p.after(time.Minute, func() {
		_, err := p.CancelAction(t.Context(), busbar.Sandbox, a.ID)
		must(t, err)
	})
	p.check(p.run(a.ID), busbar.ActionCancelled, "")
	if took := p.env.Now().Sub(p.start).Round(time.Second); took != time.Minute {
		t.Errorf("the workflow ended after %s, want when it was cancelled", took)
	}
}

func TestACommandIsCancelledBetweenItsTries(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.answer = unreachable
	a := p.push(nil)
	p.after(5*time.Second, func() {
		_, err := p.CancelAction(t.Context(), busbar.Sandbox, a.ID)
		must(t, err)
	})
	done := p.run(a.ID)
	if done.CancelReason != busbar.CancelRequested {
		t.Errorf("cancelled because %s", done.CancelReason)
	}
	p.check(done, busbar.ActionCancelled, "DEVICE_OFFLINE", "0s: charge ", "1s: charge ", "3s: charge ")
}

func TestAReplacedCommandEndsWhateverItDoes(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	a := p.push(func(r *busbar.Push) { r.Start, r.End = "0s", "3h" })
	p.after(time.Hour, func() {
		p.push(func(r *busbar.Push) { r.Command, r.OnConflict = "idle", busbar.CancelAndReplace })
	})
	done := p.run(a.ID)
	if done.CancelReason != busbar.CancelReplaced {
		t.Errorf("cancelled because %s", done.CancelReason)
	}
	p.check(done, busbar.ActionCancelled, "", "0s: charge ")
}

func TestAQueuedCommandWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	first := p.push(nil)
	second := p.push(func(r *busbar.Push) { r.OnConflict, r.Command = busbar.QueueAfter, "idle" })
	p.after(time.Hour, func() {
		_, err := p.Abandon(t.Context(), busbar.Sandbox, first.ID, busbar.ActionWorkflowLost, "ended by a person")
		must(t, err)
	})
	p.check(p.run(second.ID), busbar.ActionCompleted, "", "1h0m0s: idle ")
}

// A signal tells nothing by itself: without a change of the row it changes nothing.
func TestAWakeForNothingChangesNothing(t *testing.T) {
	t.Parallel()
	p := newPlant(t)
	p.answer = func(r driver.Request) (driver.Outcome, error) {
		if r.Try < 3 {
			return unreachable(r)
		}
		return accepted(r)
	}
	a := p.push(func(r *busbar.Push) { r.Start, r.End = "1h", "3h" })
	for _, d := range []time.Duration{time.Minute, time.Hour + 2*time.Second, 2 * time.Hour} {
		p.after(d, func() {})
	}
	p.check(p.run(a.ID), busbar.ActionCompleted, "", "1h0m0s: charge ", "1h0m1s: charge ", "1h0m3s: charge ", "3h0m0s: idle -revert")
}
