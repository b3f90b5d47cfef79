package busbar_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// standing are actions in every place that an action can be in, by name.
func standing() map[string]busbar.Action {
	plan := busbar.Action{
		Environment: busbar.Sandbox, DeviceID: "dev_1", Family: busbar.EVCharger, Command: "charge", ExpiresIn: 10 * time.Minute,
	}
	window := plan
	window.Start, window.End = noon, noon.Add(time.Hour)
	follow := func(a busbar.Action, moves ...busbar.Move) busbar.Action {
		for _, m := range moves {
			next, ok := a.Follow(busbar.Step{Move: m, At: noon, Before: &busbar.Instruction{Command: "idle"}, By: "act_2", Reason: busbar.CancelRequested})
			if !ok {
				panic(fmt.Sprintf("%s cannot happen in %s", m, a.Phase))
			}
			a = next
		}
		return a
	}
	current, windowed := plan.Place("act_1", busbar.SlotCurrent, noon), window.Place("act_1", busbar.SlotCurrent, noon)
	return map[string]busbar.Action{
		"queued":             plan.Place("act_1", busbar.SlotQueued, noon),
		"waiting":            current,
		"push":               follow(current, busbar.MoveBegin),
		"await":              follow(current, busbar.MoveBegin, busbar.MovePend),
		"push of window":     follow(windowed, busbar.MoveBegin),
		"await of window":    follow(windowed, busbar.MoveBegin, busbar.MovePend),
		"window":             follow(windowed, busbar.MoveBegin, busbar.MoveAccept),
		"revert":             follow(windowed, busbar.MoveBegin, busbar.MoveAccept, busbar.MoveEndWindow),
		"await_revert":       follow(windowed, busbar.MoveBegin, busbar.MoveAccept, busbar.MoveEndWindow, busbar.MovePend),
		"revert of unknown":  follow(windowed, busbar.MoveBegin, busbar.MovePend, busbar.MoveExpire),
		"completed":          follow(current, busbar.MoveBegin, busbar.MoveAccept),
		"failed":             follow(current, busbar.MoveBegin, busbar.MoveRefuse),
		"cancelled":          follow(current, busbar.MoveCancel),
		"completed windowed": follow(windowed, busbar.MoveBegin, busbar.MoveAccept, busbar.MoveEndWindow, busbar.MoveAccept),
	}
}

func placed(a busbar.Action, slot busbar.Slot, at time.Time) busbar.Action {
	return a.Place("act_1", slot, at)
}

// The whole diagram: where each move leads from each place. A move that is not there cannot happen.
func TestEveryMoveFromEveryPlace(t *testing.T) {
	t.Parallel()
	const (
		completed = "completed/ended push.completed"
		failed    = "failed/ended push.failed"
		cancelled = "cancelled/ended push.cancelled"
	)
	want := map[string]map[busbar.Move]string{
		"queued": {
			busbar.MovePromote: "scheduled/waiting", busbar.MoveCancel: cancelled, busbar.MoveReplace: cancelled, busbar.MoveAbandon: failed,
		},
		"waiting": {
			busbar.MoveBegin: "acknowledged/push", busbar.MoveExpire: failed, busbar.MoveCancel: cancelled, busbar.MoveReplace: cancelled,
			busbar.MoveAbandon: failed,
		},
		"push": {
			busbar.MoveAccept: completed, busbar.MovePend: "acknowledged/await", busbar.MoveRefuse: failed, busbar.MoveMiss: "acknowledged/push",
			busbar.MoveExpire: failed, busbar.MoveCancel: cancelled, busbar.MoveReplace: cancelled, busbar.MoveAbandon: failed,
		},
		"await": {
			busbar.MoveAccept: completed, busbar.MoveRefuse: failed, busbar.MoveForget: "acknowledged/push", busbar.MoveExpire: failed,
			busbar.MoveReplace: cancelled, busbar.MoveAbandon: failed,
		},
		"push of window": {
			busbar.MoveAccept: "acknowledged/window", busbar.MovePend: "acknowledged/await", busbar.MoveRefuse: failed,
			busbar.MoveMiss: "acknowledged/push", busbar.MoveExpire: failed, busbar.MoveCancel: cancelled, busbar.MoveReplace: cancelled,
			busbar.MoveAbandon: failed,
		},
		"await of window": {
			busbar.MoveAccept: "acknowledged/window", busbar.MoveRefuse: failed, busbar.MoveForget: "acknowledged/push",
			busbar.MoveExpire: "acknowledged/revert", busbar.MoveReplace: cancelled, busbar.MoveAbandon: failed,
		},
		"window": {busbar.MoveEndWindow: "acknowledged/revert", busbar.MoveReplace: cancelled, busbar.MoveAbandon: failed},
		"revert": {
			busbar.MoveAccept: completed, busbar.MovePend: "acknowledged/await_revert", busbar.MoveRefuse: failed,
			busbar.MoveMiss: "acknowledged/revert", busbar.MoveExpire: failed, busbar.MoveReplace: cancelled, busbar.MoveAbandon: failed,
		},
		"await_revert": {
			busbar.MoveAccept: completed, busbar.MoveRefuse: failed, busbar.MoveForget: "acknowledged/revert", busbar.MoveExpire: failed,
			busbar.MoveReplace: cancelled, busbar.MoveAbandon: failed,
		},
		// The command was taken and nothing said of it: the way back ends in a failure.
		"revert of unknown": {
			busbar.MoveAccept: failed, busbar.MovePend: "acknowledged/await_revert", busbar.MoveRefuse: failed,
			busbar.MoveMiss: "acknowledged/revert", busbar.MoveExpire: failed, busbar.MoveReplace: cancelled, busbar.MoveAbandon: failed,
		},
		"completed": {}, "failed": {}, "cancelled": {}, "completed windowed": {},
	}
	got := make(map[string]map[busbar.Move]string, len(want))
	for name, from := range standing() {
		got[name] = make(map[busbar.Move]string)
		for _, m := range busbar.Moves() {
			to, ok := from.Follow(busbar.Step{Move: m, At: noon.Add(time.Minute), Code: "X", Message: "x", Reason: busbar.CancelRequested, By: "act_2"})
			if !ok {
				if diff := cmp.Diff(from, to); diff != "" {
					t.Errorf("%s changes an action that is %s, though it cannot happen:\n%s", m, name, diff)
				}
				continue
			}
			got[name][m] = fmt.Sprintf("%s/%s", to.State, to.Phase)
			if event := to.Announcement(); event != "" {
				got[name][m] += " " + event
			}
			checkWhole(t, name, m, &to)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("moves (-want +got):\n%s", diff)
	}
}

// checkWhole holds what is true of every action.
func checkWhole(t *testing.T, from string, m busbar.Move, a *busbar.Action) {
	t.Helper()
	ended := a.State.Terminal()
	if ended != (a.Slot == "") || ended != (a.Phase == busbar.PhaseEnded) || ended == a.CompletedAt.IsZero() {
		t.Errorf("%s of %s: state %s, slot %q, phase %s, completed at %s", m, from, a.State, a.Slot, a.Phase, a.CompletedAt)
	}
	if a.Cancellable() {
		if _, ok := a.Follow(busbar.Step{Move: busbar.MoveCancel, At: noon}); !ok {
			t.Errorf("%s of %s is cancellable, and cannot be cancelled", m, from)
		}
	}
	if a.State == busbar.ActionFailed && (a.Result == nil || a.Result.Success || a.ErrorCode == "" || a.ErrorMessage == "") {
		t.Errorf("%s of %s fails without saying why: %+v", m, from, a)
	}
	if need, _ := a.Next(noon); (need == busbar.NeedNothing) != ended {
		t.Errorf("%s of %s needs %s", m, from, need)
	}
	if !ended && a.Slot == busbar.SlotCurrent && a.DueAt().IsZero() {
		t.Errorf("%s of %s is never due", m, from)
	}
}

func TestWhatAnActionNeeds(t *testing.T) {
	t.Parallel()
	scheduled := placed(busbar.Action{Start: noon, ExpiresIn: 10 * time.Minute}, busbar.SlotCurrent, noon.Add(-time.Hour))
	places := standing()
	for _, c := range []struct {
		name   string
		action busbar.Action
		now    time.Time
		need   busbar.Need
		until  time.Time
	}{
		{"scheduled, early", scheduled, noon.Add(-time.Millisecond), busbar.NeedStart, noon},
		{"scheduled, at its start", scheduled, noon, busbar.NeedBegin, time.Time{}},
		{"scheduled, missed", scheduled, noon.Add(10 * time.Minute), busbar.NeedExpire, time.Time{}},
		{"queued", places["queued"], noon.Add(time.Hour), busbar.NeedTurn, time.Time{}},
		{"to be tried", places["push"], noon.Add(10*time.Minute - 1), busbar.NeedTry, time.Time{}},
		{"tried for too long", places["push"], noon.Add(10 * time.Minute), busbar.NeedExpire, time.Time{}},
		{"awaiting", places["await"], noon, busbar.NeedResult, noon.Add(10 * time.Minute)},
		{"awaiting in vain", places["await"], noon.Add(10 * time.Minute), busbar.NeedExpire, time.Time{}},
		{"in force", places["window"], noon, busbar.NeedWindowEnd, noon.Add(time.Hour)},
		{"window over", places["window"], noon.Add(time.Hour), busbar.NeedRevert, time.Time{}},
		{"on its way back", places["revert"], noon, busbar.NeedTry, time.Time{}},
		{"ended", places["completed"], noon, busbar.NeedNothing, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			need, until := c.action.Next(c.now)
			if need != c.need || !until.Equal(c.until) {
				t.Errorf("needs %s until %s, want %s until %s", need, until, c.need, c.until)
			}
		})
	}
}

func TestTimeToTryCountsFromStartOrTurn(t *testing.T) {
	t.Parallel()
	places := standing()
	promote := busbar.Step{Move: busbar.MovePromote, At: noon.Add(time.Hour)}
	late := placed(busbar.Action{Start: noon, ExpiresIn: time.Minute}, busbar.SlotQueued, noon)
	late, _ = late.Follow(promote)
	early := placed(busbar.Action{Start: noon.Add(2 * time.Hour), ExpiresIn: time.Minute}, busbar.SlotQueued, noon)
	early, _ = early.Follow(promote)
	short := placed(busbar.Action{Start: noon, End: noon.Add(time.Minute), ExpiresIn: time.Hour}, busbar.SlotCurrent, noon)
	for name, c := range map[string]struct{ got, want time.Time }{
		"immediate":          {placed(busbar.Action{ExpiresIn: time.Minute}, busbar.SlotCurrent, noon).ExpiresAt, noon.Add(time.Minute)},
		"turn after start":   {late.ExpiresAt, noon.Add(time.Hour + time.Minute)},
		"start after turn":   {early.ExpiresAt, noon.Add(2*time.Hour + time.Minute)},
		"not past the end":   {short.ExpiresAt, noon.Add(time.Minute)},
		"the way back":       {places["revert"].ExpiresAt, noon.Add(10 * time.Minute)},
		"queued: not at all": {places["queued"].ExpiresAt, time.Time{}},
	} {
		if !c.got.Equal(c.want) {
			t.Errorf("%s: until %s, want %s", name, c.got, c.want)
		}
	}
}

func TestBackoffDoublesToAMinute(t *testing.T) {
	t.Parallel()
	var got []time.Duration
	for n := 1; n <= 9; n++ {
		got = append(got, busbar.Backoff(n)/time.Second)
	}
	if diff := cmp.Diff([]time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60}, got); diff != "" {
		t.Errorf("seconds (-want +got):\n%s", diff)
	}
}

func TestADeviceGoesBackToWhatItDidBefore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		family busbar.Family
		state  busbar.State
		want   busbar.Instruction
	}{
		{"battery", busbar.Battery, busbar.State{"currentMode": "auto.export"}, busbar.Instruction{Command: "auto.export"}},
		{"battery that says nothing", busbar.Battery, nil, busbar.Instruction{Command: "auto.balanced"}},
		{"battery that does not know", busbar.Battery, busbar.State{"currentMode": nil}, busbar.Instruction{Command: "auto.balanced"}},
		{"charger that charges", busbar.EVCharger, busbar.State{"isCharging": true, "maxCurrent": 16.0}, busbar.Instruction{
			Command: "charge", Parameters: map[string]busbar.Quantity{"current": {Value: 16, Unit: busbar.Amps}},
		}},
		{"charger over what may be commanded", busbar.EVCharger, busbar.State{"isCharging": true, "maxCurrent": 63.0}, busbar.Instruction{Command: "charge"}},
		{"charger that rests", busbar.EVCharger, busbar.State{"isCharging": false, "maxCurrent": 16.0}, busbar.Instruction{Command: "idle"}},
		{"charger that says nothing", busbar.EVCharger, nil, busbar.Instruction{Command: "idle"}},
		{"hvac on schedule", busbar.HVAC, busbar.State{"holdType": "follow_schedule", "mode": "heat"}, busbar.Instruction{Command: "follow_schedule"}},
		{"hvac that heats", busbar.HVAC, busbar.State{"holdType": "permanent", "mode": "heat", "heatSetpoint": 21.5}, busbar.Instruction{
			Command: "heat", Parameters: map[string]busbar.Quantity{"target": {Value: 21.5, Unit: busbar.Celsius}},
		}},
		{"hvac that cools", busbar.HVAC, busbar.State{"mode": "cool", "coolSetpoint": 24.0}, busbar.Instruction{
			Command: "cool", Parameters: map[string]busbar.Quantity{"target": {Value: 24, Unit: busbar.Celsius}},
		}},
		{"hvac on its own", busbar.HVAC, busbar.State{"mode": "auto", "heatSetpoint": 20.0, "coolSetpoint": 25.0}, busbar.Instruction{
			Command: "auto", Parameters: map[string]busbar.Quantity{
				"heatSetpoint": {Value: 20, Unit: busbar.Celsius}, "coolSetpoint": {Value: 25, Unit: busbar.Celsius},
			},
		}},
		{"hvac without its setpoint", busbar.HVAC, busbar.State{"mode": "heat"}, busbar.Instruction{Command: "follow_schedule"}},
		{"hvac out of bounds", busbar.HVAC, busbar.State{"mode": "heat", "heatSetpoint": 5.0}, busbar.Instruction{Command: "follow_schedule"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := busbar.Device{Family: c.family, State: c.state, Commands: c.family.Spec().DefaultCommands()}
			if diff := cmp.Diff(c.want, d.Before()); diff != "" {
				t.Errorf("goes back to (-want +got):\n%s", diff)
			}
		})
	}
}
