package intake_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
)

func offline() intake.TryEnd {
	return intake.TryEnd{Outcome: busbar.TryFailed, Code: "DEVICE_OFFLINE", Message: "it cannot be reached"}
}

func TestTriesGoOnUntilOneIsAccepted(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		p := newPlant(t, open(), charger())
		a := p.push(nil)
		var waits []time.Duration
		for range 3 {
			waits = append(waits, p.try(a.ID, offline()).Wait)
		}
		asked := offline()
		asked.RetryAfter = 20 * time.Second
		waits = append(waits, p.try(a.ID, asked).Wait)
		if diff := cmp.Diff([]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 20 * time.Second}, waits); diff != "" {
			t.Errorf("waits (-want +got):\n%s", diff)
		}
		if a := p.is(a.ID, busbar.ActionAcknowledged, busbar.PhasePush); a.ErrorCode != "DEVICE_OFFLINE" {
			t.Errorf("the last try failed with %q", a.ErrorCode)
		}
		p.try(a.ID, intake.TryEnd{Outcome: busbar.TryAccepted, Message: "charging at 16 A"})
		done := p.is(a.ID, busbar.ActionCompleted, busbar.PhaseEnded)
		if done.ErrorCode != "" || done.Tries != 5 || done.Result == nil || done.Result.Message != "charging at 16 A" {
			t.Errorf("completed = %+v", done)
		}
		e, data := p.toldBy(a.ID, busbar.TypePushCompleted)
		want := map[string]any{
			"actionId": string(a.ID), "deviceId": "dev_charger", "deviceType": "ev_charger", "command": "charge",
			"parameters":  map[string]any{"current": map[string]any{"value": 16.0, "unit": "amps"}},
			"result":      map[string]any{"success": true, "message": "charging at 16 A"},
			"completedAt": p.now().Format("2006-01-02T15:04:05.000Z"),
		}
		if diff := cmp.Diff(want, data); diff != "" {
			t.Errorf("push.completed (-want +got):\n%s", diff)
		}
		if e.Causation.ParentID != string(a.ID) || e.Causation.ActionID != string(a.ID) || e.SiteID != "site_home" || e.Seq == 0 {
			t.Errorf("event = %+v", e)
		}
		// An activity that did not get to say that it was done does it again.
		again, err := p.EndTry(t.Context(), busbar.Sandbox, a.ID, intake.TryEnd{Number: 5, Outcome: busbar.TryAccepted})
		must(t, err)
		if again.Wait != 0 || again.Action.State != busbar.ActionCompleted {
			t.Errorf("recorded again = %+v", again)
		}
		if diff := cmp.Diff([]string{"push failed", "push failed", "push failed", "push failed", "push accepted"}, p.outcomes(a.ID)); diff != "" {
			t.Errorf("tries (-want +got):\n%s", diff)
		}
	})
}

// A crash leaves the try on record; the next one has the next number and the same idempotency key.
func TestACrashLeavesATryInterrupted(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		p := newPlant(t, open(), charger())
		a := p.push(nil)
		first, err := p.BeginTry(t.Context(), busbar.Sandbox, a.ID)
		must(t, err)
		p.advance(5 * time.Second)
		second, err := p.BeginTry(t.Context(), busbar.Sandbox, a.ID)
		must(t, err)
		if first.Number != 1 || !first.FirstAt.IsZero() || second.Number != 2 || !second.FirstAt.Equal(p.now().Add(-5*time.Second)) {
			t.Errorf("tries %+v and %+v", first, second)
		}
		if first.Action.IdempotencyKey() != second.Action.IdempotencyKey() {
			t.Error("the tries have different idempotency keys")
		}
		// What the interrupted one did is known after all, and counts.
		_, err = p.EndTry(t.Context(), busbar.Sandbox, a.ID, intake.TryEnd{Number: 1, Outcome: busbar.TryAccepted})
		must(t, err)
		p.is(a.ID, busbar.ActionCompleted, busbar.PhaseEnded)
		if diff := cmp.Diff([]string{"push accepted", "push open"}, p.outcomes(a.ID)); diff != "" {
			t.Errorf("tries (-want +got):\n%s", diff)
		}
	})
}

func TestARefusalIsFinal(t *testing.T) {
	t.Parallel()
	p := newPlant(t, sqlite(t), charger())
	a := p.push(nil)
	p.try(a.ID, intake.TryEnd{Outcome: busbar.TryRefused, Code: "NO_VEHICLE", Message: "nothing is plugged in"})
	p.is(a.ID, busbar.ActionFailed, busbar.PhaseEnded)
	_, data := p.toldBy(a.ID, busbar.TypePushFailed)
	if data["errorCode"] != "NO_VEHICLE" || data["errorMessage"] != "nothing is plugged in" {
		t.Errorf("push.failed = %v", data)
	}
	if diff := cmp.Diff(map[string]any{"success": false, "message": "nothing is plugged in"}, data["result"]); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

func TestTriesEndWithTheirTime(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		p := newPlant(t, open(), charger())
		a := p.push(func(r *intake.PushRequest) { r.ExpiresIn = 90 * time.Second })
		next := p.push(queue)
		p.advance(89500 * time.Millisecond)
		if wait := p.try(a.ID, offline()).Wait; wait != 500*time.Millisecond {
			t.Errorf("waits %s, want until it expires", wait)
		}
		p.advance(500 * time.Millisecond)
		p.next(a.ID, busbar.NeedNothing)
		failed := p.is(a.ID, busbar.ActionFailed, busbar.PhaseEnded)
		if failed.ErrorCode != busbar.ActionExpired || failed.ErrorMessage != "no try was accepted in time; the last one failed with DEVICE_OFFLINE: it cannot be reached" {
			t.Errorf("failed with %s: %s", failed.ErrorCode, failed.ErrorMessage)
		}
		p.toldBy(a.ID, busbar.TypePushFailed)
		p.next(next.ID, busbar.NeedTry)
		if got := p.action(next.ID); !got.ExpiresAt.Equal(p.now().Add(busbar.DefaultExpiresIn)) {
			t.Errorf("the time of the queued one ends at %s, it is %s", got.ExpiresAt, p.now())
		}
	})
}

func TestAScheduledActionWaitsForItsStart(t *testing.T) {
	t.Parallel()
	p := newPlant(t, sqlite(t), charger())
	a := p.push(func(r *intake.PushRequest) { r.Start = "30m" })
	if a.State != busbar.ActionScheduled {
		t.Errorf("state %s", a.State)
	}
	if wait := p.next(a.ID, busbar.NeedStart); wait > 30*time.Minute || wait < 29*time.Minute {
		t.Errorf("waits %s, want about 30m", wait)
	}
	p.advance(30 * time.Minute)
	p.next(a.ID, busbar.NeedTry)
	p.is(a.ID, busbar.ActionAcknowledged, busbar.PhasePush)
}

func TestAWindowGoesBackToWhatWasBefore(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		p := newPlant(t, open(), charger())
		out, err := p.Read(t.Context(), busbar.Sandbox, []intake.Reading{{
			DeviceID: "dev_charger", State: map[string]any{"isCharging": true, "maxCurrent": 10.0},
		}})
		must(t, err)
		if out[0].Status != intake.ReadingUpdated {
			t.Fatalf("reading: %+v", out[0])
		}
		a := p.push(func(r *intake.PushRequest) { r.Start, r.End = "0s", "1h" })
		p.next(a.ID, busbar.NeedTry)
		p.try(a.ID, intake.TryEnd{Outcome: busbar.TryAccepted})
		in := p.is(a.ID, busbar.ActionAcknowledged, busbar.PhaseWindow)
		want := &busbar.Instruction{Command: "charge", Parameters: map[string]busbar.Quantity{"current": {Value: 10, Unit: busbar.Amps}}}
		if diff := cmp.Diff(want, in.Before); diff != "" {
			t.Errorf("goes back to (-want +got):\n%s", diff)
		}
		p.next(a.ID, busbar.NeedWindowEnd)
		p.advance(time.Hour)
		p.next(a.ID, busbar.NeedTry)
		begun, err := p.BeginTry(t.Context(), busbar.Sandbox, a.ID)
		must(t, err)
		if begun.Action.IdempotencyKey() != string(a.ID)+"-revert" || begun.Action.Instruction().Parameters["current"].Value != 10 || !begun.FirstAt.IsZero() {
			t.Errorf("the way back = %+v", begun)
		}
		_, err = p.EndTry(t.Context(), busbar.Sandbox, a.ID, intake.TryEnd{Number: begun.Number, Outcome: busbar.TryPending})
		must(t, err)
		p.next(a.ID, busbar.NeedResult)
		must(t, p.report(a.ID, intake.ResultReport{Success: true}))
		p.is(a.ID, busbar.ActionCompleted, busbar.PhaseEnded)
		p.toldBy(a.ID, busbar.TypePushCompleted)
	})
}

// A window that replaces another one goes back to what was before both.
func TestAWindowInAWindowGoesBackToWhatWasBeforeBoth(t *testing.T) {
	t.Parallel()
	p := newPlant(t, sqlite(t), charger())
	window := func(r *intake.PushRequest) { r.Start, r.End, r.OnConflict = "0s", "1h", busbar.CancelAndReplace }
	outer := p.push(window)
	p.try(outer.ID, intake.TryEnd{Outcome: busbar.TryAccepted})
	_, err := p.Read(t.Context(), busbar.Sandbox, []intake.Reading{{
		DeviceID: "dev_charger", State: map[string]any{"isCharging": true, "maxCurrent": 16.0},
	}})
	must(t, err)
	inner := p.push(window)
	if inner.Before == nil || inner.Before.Command != "idle" {
		t.Errorf("goes back to %+v, want idle", inner.Before)
	}
}

// A gateway that reports a window's command twice does not end its way back.
func TestAResultIsOfThePartThatItsKeyNames(t *testing.T) {
	t.Parallel()
	p := newPlant(t, sqlite(t), charger())
	a := p.push(func(r *intake.PushRequest) { r.Start, r.End = "0s", "1h" })
	p.next(a.ID, busbar.NeedTry)
	p.try(a.ID, intake.TryEnd{Outcome: busbar.TryPending})
	command, back := string(a.ID), string(a.ID)+busbar.RevertSuffix
	refused(t, p.report(a.ID, intake.ResultReport{Success: true, Key: back}), busbar.CodeConflict)
	refused(t, p.report(a.ID, intake.ResultReport{Success: true, Key: "act_other"}), busbar.CodeValidationFailed)
	must(t, p.report(a.ID, intake.ResultReport{Success: true, Key: command}))
	p.is(a.ID, busbar.ActionAcknowledged, busbar.PhaseWindow)
	p.next(a.ID, busbar.NeedWindowEnd)
	p.advance(time.Hour)
	p.next(a.ID, busbar.NeedTry)
	p.try(a.ID, intake.TryEnd{Outcome: busbar.TryPending})
	must(t, p.report(a.ID, intake.ResultReport{Success: true, Key: command}))
	p.is(a.ID, busbar.ActionAcknowledged, busbar.PhaseAwaitRevert)
	must(t, p.report(a.ID, intake.ResultReport{Success: true, Key: back}))
	p.is(a.ID, busbar.ActionCompleted, busbar.PhaseEnded)
}

func TestResultsAreReported(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		p := newPlant(t, open(), charger())
		a := p.push(nil)
		refused(t, p.report(a.ID, intake.ResultReport{Success: true}), busbar.CodeConflict)
		p.try(a.ID, intake.TryEnd{Outcome: busbar.TryPending})
		p.is(a.ID, busbar.ActionAcknowledged, busbar.PhaseAwait)
		must(t, p.report(a.ID, intake.ResultReport{Message: "the cable is loose"}))
		failed := p.is(a.ID, busbar.ActionFailed, busbar.PhaseEnded)
		if failed.ErrorCode != busbar.ActionRefused || failed.ErrorMessage != "the cable is loose" {
			t.Errorf("failed = %+v", failed)
		}

		// A gateway may report before its own answer has come back.
		quick := p.push(nil)
		begun, err := p.BeginTry(t.Context(), busbar.Sandbox, quick.ID)
		must(t, err)
		must(t, p.report(quick.ID, intake.ResultReport{Success: true, Message: "done"}))
		_, err = p.EndTry(t.Context(), busbar.Sandbox, quick.ID, intake.TryEnd{Number: begun.Number, Outcome: busbar.TryPending})
		must(t, err)
		p.is(quick.ID, busbar.ActionCompleted, busbar.PhaseEnded)
		must(t, p.report(quick.ID, intake.ResultReport{Success: true, Message: "done"}))

		// The result of what was replaced is put on record and changes nothing, however often it comes.
		old := p.push(nil)
		p.try(old.ID, intake.TryEnd{Outcome: busbar.TryPending})
		p.push(replace)
		for range 3 {
			must(t, p.report(old.ID, intake.ResultReport{Success: true, Message: "too late"}))
		}
		p.is(old.ID, busbar.ActionCancelled, busbar.PhaseEnded)
		if diff := cmp.Diff([]string{"push pending", "ended accepted"}, p.outcomes(old.ID)); diff != "" {
			t.Errorf("tries (-want +got):\n%s", diff)
		}
	})
}

func TestAResultThatNeverComesIsWaitedForOnlySoLong(t *testing.T) {
	t.Parallel()
	p := newPlant(t, sqlite(t), charger())
	a := p.push(nil)
	p.try(a.ID, intake.TryEnd{Outcome: busbar.TryPending})
	if wait := p.next(a.ID, busbar.NeedResult); wait != busbar.DefaultExpiresIn {
		t.Errorf("waits %s", wait)
	}
	p.advance(busbar.DefaultExpiresIn)
	p.next(a.ID, busbar.NeedNothing)
	if failed := p.is(a.ID, busbar.ActionFailed, busbar.PhaseEnded); failed.ErrorCode != busbar.ActionExpired {
		t.Errorf("failed with %s", failed.ErrorCode)
	}
}

func TestWhatADriverForgotIsPushedAgain(t *testing.T) {
	t.Parallel()
	p := newPlant(t, sqlite(t), charger())
	a := p.push(nil)
	p.try(a.ID, intake.TryEnd{Outcome: busbar.TryPending, Remote: "act_there"})
	if got := p.action(a.ID); got.Remote != "act_there" {
		t.Errorf("remote %q", got.Remote)
	}
	_, err := p.EndPoll(t.Context(), busbar.Sandbox, a.ID, busbar.Step{Move: busbar.MoveForget, Code: "CONFLICT", Message: "taken over there"})
	must(t, err)
	p.next(a.ID, busbar.NeedTry)
	p.try(a.ID, intake.TryEnd{Outcome: busbar.TryPending, Remote: "act_again"})
	for range 2 {
		_, err = p.EndPoll(t.Context(), busbar.Sandbox, a.ID, busbar.Step{Move: busbar.MoveAccept, Message: "done"})
		must(t, err)
	}
	p.is(a.ID, busbar.ActionCompleted, busbar.PhaseEnded)
}

// What a device reports soon after a command, and what the command affects, is its effect.
func TestAChangeAfterACommandIsItsEffect(t *testing.T) {
	t.Parallel()
	p := newPlant(t, sqlite(t), charger())
	a := p.push(nil)
	p.try(a.ID, intake.TryEnd{Outcome: busbar.TryAccepted})
	cause := func(state map[string]any) busbar.Causation {
		t.Helper()
		p.advance(time.Second)
		out, err := p.Read(t.Context(), busbar.Sandbox, []intake.Reading{{DeviceID: "dev_charger", State: state}})
		must(t, err)
		e, err := p.store.Event(t.Context(), busbar.Sandbox, out[0].EventID)
		must(t, err)
		return e.Causation
	}
	if c := cause(map[string]any{"isCharging": true}); !c.Inferred || c.ActionID != string(a.ID) || c.ParentID != string(a.ID) {
		t.Errorf("an effect follows from %+v", c)
	}
	if c := cause(map[string]any{"maxCurrent": 20.0}); c.Inferred {
		t.Errorf("what no command affects follows from %+v", c)
	}
	p.advance(busbar.EchoWindow)
	if c := cause(map[string]any{"isCharging": false}); c.Inferred {
		t.Errorf("a late change follows from %+v", c)
	}
}

func TestAnAbandonedActionMakesRoom(t *testing.T) {
	t.Parallel()
	p := newPlant(t, sqlite(t), charger())
	a := p.push(func(r *intake.PushRequest) { r.Start = "1h" })
	next := p.push(queue)
	abandon := func(code string, first bool) {
		t.Helper()
		failed, err := p.Abandon(t.Context(), busbar.Sandbox, a.ID, code, "ended by a person")
		must(t, err)
		if failed != first {
			t.Errorf("it failed: %v, want %v", failed, first)
		}
	}
	abandon(busbar.ActionWorkflowLost, true)
	if failed := p.is(a.ID, busbar.ActionFailed, busbar.PhaseEnded); failed.ErrorCode != busbar.ActionWorkflowLost {
		t.Errorf("failed with %s", failed.ErrorCode)
	}
	abandon("OTHER", false)
	if again := p.action(a.ID); again.ErrorCode != busbar.ActionWorkflowLost {
		t.Errorf("failed again with %s", again.ErrorCode)
	}
	p.next(next.ID, busbar.NeedTry)
}
