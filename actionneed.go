package busbar

import "time"

// Need is what has to be done for an action next.
type Need string

// The needs.
const (
	// NeedNothing: it has ended.
	NeedNothing Need = "nothing"
	// NeedTurn: the action before it must end.
	NeedTurn Need = "turn"
	// NeedStart: its start must come.
	NeedStart Need = "start"
	// NeedBegin: it is to begin now.
	NeedBegin Need = "begin"
	// NeedTry: its driver is to be asked now.
	NeedTry Need = "try"
	// NeedResult: its result must come.
	NeedResult Need = "result"
	// NeedWindowEnd: the end of its window must come.
	NeedWindowEnd Need = "window_end"
	// NeedRevert: its window is over.
	NeedRevert Need = "revert"
	// NeedExpire: the time for what its phase asks for is over.
	NeedExpire Need = "expire"
)

// Next says what has to be done for the action, and until when to wait at most if it is to wait; that is zero when only
// someone else can end the wait.
func (a *Action) Next(now time.Time) (need Need, until time.Time) {
	switch a.Phase {
	case PhaseWaiting:
		switch {
		case a.Slot == SlotQueued:
			return NeedTurn, time.Time{}
		case now.Before(a.Start):
			return NeedStart, a.Start
		case !now.Before(a.ExpiresAt):
			return NeedExpire, time.Time{}
		}
		return NeedBegin, time.Time{}
	case PhasePush, PhaseRevert:
		if !now.Before(a.ExpiresAt) {
			return NeedExpire, time.Time{}
		}
		return NeedTry, time.Time{}
	case PhaseAwait, PhaseAwaitRevert:
		if !now.Before(a.ExpiresAt) {
			return NeedExpire, time.Time{}
		}
		return NeedResult, a.ExpiresAt
	case PhaseWindow:
		if !now.Before(a.End) {
			return NeedRevert, time.Time{}
		}
		return NeedWindowEnd, a.End
	case PhaseEnded:
	}
	return NeedNothing, time.Time{}
}

// DueAt is when the action moves on at the latest, if somebody looks after it; zero when only another action's end moves it.
func (a *Action) DueAt() time.Time {
	switch a.Phase {
	case PhaseWaiting:
		switch {
		case a.Slot == SlotQueued:
			return time.Time{}
		case a.Start.After(a.UpdatedAt):
			return a.Start
		}
		return a.UpdatedAt
	case PhasePush, PhaseRevert, PhaseAwait, PhaseAwaitRevert:
		return a.ExpiresAt
	case PhaseWindow:
		return a.End
	case PhaseEnded:
	}
	return time.Time{}
}

// Backoff is how long to wait after a number of tries that failed, one after the other: a second, doubling to a minute.
func Backoff(failed int) time.Duration {
	const first, most = time.Second, time.Minute
	wait := first
	for ; failed > 1 && wait < most; failed-- {
		wait *= 2
	}
	return min(wait, most)
}

// Present is the command that a device now follows, as far as its state tells; false when it does not.
func (d *Device) Present() (Instruction, bool) {
	switch d.Family {
	case Battery:
		mode, ok := d.State["currentMode"].(string)
		return Instruction{Command: mode}, ok
	case EVCharger:
		return d.presentCharger()
	case HVAC:
		return d.presentHVAC()
	case SolarInverter, Vehicle, Meter:
	}
	return Instruction{}, false
}

func (d *Device) presentCharger() (Instruction, bool) {
	charging, known := d.State["isCharging"].(bool)
	if !known {
		return Instruction{}, false
	}
	if !charging {
		return Instruction{Command: "idle"}, true
	}
	i := Instruction{Command: "charge"}
	if most, ok := d.State["maxCurrent"].(float64); ok {
		i.Parameters = map[string]Quantity{"current": {Value: most, Unit: Amps}}
	}
	return i, true
}

func (d *Device) presentHVAC() (Instruction, bool) {
	if d.State["holdType"] == CommandFollowSchedule {
		return Instruction{Command: CommandFollowSchedule}, true
	}
	mode, ok := d.State["mode"].(string)
	if !ok {
		return Instruction{}, false
	}
	fields := map[string]map[string]string{
		"heat": {"target": "heatSetpoint"}, "cool": {"target": "coolSetpoint"},
		"auto": {"heatSetpoint": "heatSetpoint", "coolSetpoint": "coolSetpoint"},
	}[mode]
	i := Instruction{Command: mode}
	for parameter, field := range fields {
		value, ok := d.State[field].(float64)
		if !ok {
			return Instruction{}, false
		}
		if i.Parameters == nil {
			i.Parameters = make(map[string]Quantity, len(fields))
		}
		i.Parameters[parameter] = Quantity{Value: value, Unit: Celsius}
	}
	return i, true
}

// Before is what the device goes back to when a window ends: the command that it now follows if it is known and one that the
// device takes, and else what gives it back to itself.
func (d *Device) Before() Instruction {
	release := Instruction{Command: d.Family.Spec().Release}
	i, ok := d.Present()
	if !ok {
		return release
	}
	capability, ok := d.Commands[i.Command]
	if !ok {
		return release
	}
	fitting := make(map[string]Quantity, len(i.Parameters))
	for name, q := range i.Parameters {
		r, known := capability.Parameters[name]
		converted, fits := q.In(r.Unit)
		if known && fits && r.Contains(converted.Value) {
			fitting[name] = converted
		}
	}
	if command, ok := d.Family.Spec().Command(i.Command); ok {
		for _, p := range command.Parameters {
			if _, there := fitting[p.Name]; p.Required && !there {
				return release
			}
		}
	}
	i.Parameters = fitting
	if len(fitting) == 0 {
		i.Parameters = nil
	}
	return i
}
