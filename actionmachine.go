package busbar

import (
	"cmp"
	"fmt"
	"time"
)

// Move is what may happen to an action.
type Move string

// The moves.
const (
	// MovePromote: the action before it has ended, and it is its turn.
	MovePromote Move = "promote"
	// MoveBegin: its turn and its start have come.
	MoveBegin Move = "begin"
	// MoveAccept: the device does what the phase asks for, as a driver's answer or a reported result says.
	MoveAccept Move = "accept"
	// MovePend: a driver took what the phase asks for, and the result follows.
	MovePend Move = "pend"
	// MoveRefuse: the device will not do it, as a driver's answer or a reported result says.
	MoveRefuse Move = "refuse"
	// MoveMiss: the device could not be asked now.
	MoveMiss Move = "miss"
	// MoveForget: what a driver had taken has ended there without effect, so it is asked for again.
	MoveForget Move = "forget"
	// MoveExpire: the time for what the phase asks for is over.
	MoveExpire Move = "expire"
	// MoveEndWindow: the window is over, and the device goes back to what was before.
	MoveEndWindow Move = "end_window"
	// MoveCancel: someone takes it back.
	MoveCancel Move = "cancel"
	// MoveReplace: another action takes its place.
	MoveReplace Move = "replace"
	// MoveAbandon: it cannot be carried out any more.
	MoveAbandon Move = "abandon"
)

// Moves lists all of them.
func Moves() []Move {
	return []Move{
		MovePromote, MoveBegin, MoveAccept, MovePend, MoveRefuse, MoveMiss, MoveForget, MoveExpire, MoveEndWindow, MoveCancel, MoveReplace,
		MoveAbandon,
	}
}

// Step is a move with its circumstances; most moves need none but the time.
type Step struct {
	Move Move
	At   time.Time
	// Code and Message are the driver's or the gateway's words, or those of who abandons it.
	Code    string
	Message string
	// Remote is what a driver's own API calls what it has taken.
	Remote string
	// Before is what the device goes back to, for MoveBegin of a window.
	Before *Instruction
	// Reason is why it is cancelled, By what takes its place.
	Reason CancelReason
	By     ActionID
}

// course is what a move does to an action in a phase.
type course func(a *Action, s *Step)

// courses is the diagram: what is not in it does not happen.
var courses = map[Move]map[Phase]course{
	MovePromote:   {PhaseWaiting: (*Action).promote},
	MoveBegin:     {PhaseWaiting: (*Action).begin},
	MoveAccept:    {PhasePush: (*Action).accept, PhaseAwait: (*Action).accept, PhaseRevert: (*Action).reverted, PhaseAwaitRevert: (*Action).reverted},
	MovePend:      {PhasePush: (*Action).pend, PhaseRevert: (*Action).pendRevert},
	MoveRefuse:    {PhasePush: (*Action).refuse, PhaseAwait: (*Action).refuse, PhaseRevert: (*Action).stuck, PhaseAwaitRevert: (*Action).stuck},
	MoveMiss:      {PhasePush: (*Action).miss, PhaseRevert: (*Action).miss},
	MoveForget:    {PhaseAwait: (*Action).forget, PhaseAwaitRevert: (*Action).forgetRevert},
	MoveExpire:    {PhaseWaiting: (*Action).expire, PhasePush: (*Action).expire, PhaseAwait: (*Action).expireAwait, PhaseRevert: (*Action).expireRevert, PhaseAwaitRevert: (*Action).expireRevert},
	MoveEndWindow: {PhaseWindow: (*Action).goBack},
	MoveCancel:    {PhaseWaiting: (*Action).cancel, PhasePush: (*Action).cancel},
	MoveReplace:   inEveryOpenPhase((*Action).replace),
	MoveAbandon:   inEveryOpenPhase((*Action).abandon),
}

func inEveryOpenPhase(c course) map[Phase]course {
	return map[Phase]course{
		PhaseWaiting: c, PhasePush: c, PhaseAwait: c, PhaseWindow: c, PhaseRevert: c, PhaseAwaitRevert: c,
	}
}

// Follow gives the action after a move and leaves this one as it is. It reports false, and the action as it was, when the move
// cannot happen to it. When the action has ended, Announcement tells which event says so.
func (a *Action) Follow(s Step) (Action, bool) {
	next := *a
	do, ok := courses[s.Move][a.Phase]
	switch s.Move {
	case MovePromote:
		ok = ok && a.Slot == SlotQueued
	case MoveBegin, MoveExpire:
		ok = ok && a.Slot == SlotCurrent
	case MoveAccept, MovePend, MoveRefuse, MoveMiss, MoveForget, MoveEndWindow, MoveCancel, MoveReplace, MoveAbandon:
	}
	if !ok {
		return next, false
	}
	do(&next, &s)
	next.UpdatedAt = s.At
	return next, true
}

// Announcement is the type of the event that tells how the action has ended; empty while it has not.
func (a *Action) Announcement() string {
	switch a.State {
	case ActionCompleted:
		return TypePushCompleted
	case ActionFailed:
		return TypePushFailed
	case ActionCancelled:
		return TypePushCancelled
	case ActionScheduled, ActionAcknowledged:
	}
	return ""
}

// Place gives a planned action its id and its place on its device. With the current place it is its turn.
func (a *Action) Place(id ActionID, slot Slot, now time.Time) Action {
	placed := *a
	placed.ID, placed.Slot, placed.State, placed.Phase, placed.CreatedAt, placed.UpdatedAt = id, slot, ActionScheduled, PhaseWaiting, now, now
	if slot == SlotCurrent {
		placed.expiresFrom(now)
	}
	return placed
}

// expiresFrom sets until when it may be tried: for so long after its start, or after its turn when that comes later, and
// never beyond the end of its window. What a rule decided is news for so long after the decision, whenever its turn comes.
func (a *Action) expiresFrom(turn time.Time) {
	from := turn
	if a.RuleID != "" {
		from = a.CreatedAt
	}
	if a.Start.After(from) {
		from = a.Start
	}
	a.ExpiresAt = from.Add(a.ExpiresIn)
	if !a.End.IsZero() && a.End.Before(a.ExpiresAt) {
		a.ExpiresAt = a.End
	}
}

func (a *Action) promote(s *Step) {
	a.Slot = SlotCurrent
	a.expiresFrom(s.At)
}

func (a *Action) begin(s *Step) {
	a.State, a.Phase, a.AcknowledgedAt = ActionAcknowledged, PhasePush, s.At
	if a.Before == nil && a.Execution() == Windowed {
		a.Before = s.Before
	}
}

// accept ends the action, or puts its window in force.
func (a *Action) accept(s *Step) {
	a.taken(s)
	if a.Execution() == Windowed {
		a.Phase = PhaseWindow
		return
	}
	a.complete(s, cmp.Or(s.Message, "the device accepted "+a.Command))
}

// taken notes that a device has what it was asked for; what went wrong before does not count any more.
func (a *Action) taken(s *Step) {
	a.ErrorCode, a.ErrorMessage = "", ""
	if a.AcceptedAt.IsZero() {
		a.AcceptedAt = s.At
	}
}

func (a *Action) pend(s *Step) {
	a.taken(s)
	a.Phase, a.Remote = PhaseAwait, s.Remote
}

func (a *Action) pendRevert(s *Step) {
	a.taken(s)
	a.Phase, a.Remote = PhaseAwaitRevert, s.Remote
}

func (a *Action) miss(s *Step) { a.ErrorCode, a.ErrorMessage = s.Code, s.Message }

// forget makes it as if no try had been accepted.
func (a *Action) forget(s *Step) {
	a.miss(s)
	a.Phase, a.Remote, a.AcceptedAt = PhasePush, "", time.Time{}
}

func (a *Action) forgetRevert(s *Step) {
	a.miss(s)
	a.Phase, a.Remote = PhaseRevert, ""
}

func (a *Action) refuse(s *Step) { a.fail(s, s.Code, s.Message) }

// expire says what the last try failed for, since that is what to repair.
func (a *Action) expire(s *Step) {
	message := "it could not be tried before its time was over"
	if a.ErrorCode != "" {
		message = fmt.Sprintf("no try was accepted in time; the last one failed with %s: %s", a.ErrorCode, a.ErrorMessage)
	}
	a.fail(s, ActionExpired, message)
}

// noResult is how it ends when a driver took a command and never said what became of it.
const noResult = "the command was taken, but its result was not reported in time"

// expireAwait leaves nothing in force: what has an end goes back all the same, and fails afterwards.
func (a *Action) expireAwait(s *Step) {
	if a.Execution() == Windowed {
		a.Result = &ActionResult{Message: noResult}
		a.goBack(s)
		return
	}
	a.fail(s, ActionExpired, noResult)
}

// goBack starts the way back. It is given as much time as an action has that says nothing of it: who wants a command soon
// or not at all does not want it for good.
func (a *Action) goBack(s *Step) {
	a.Phase, a.Remote, a.ErrorCode, a.ErrorMessage = PhaseRevert, "", "", ""
	a.ExpiresAt = s.At.Add(max(a.ExpiresIn, DefaultExpiresIn))
}

func (a *Action) reverted(s *Step) {
	a.taken(s)
	if a.Result != nil && !a.Result.Success {
		a.fail(s, ActionExpired, a.Result.Message)
		return
	}
	a.complete(s, fmt.Sprintf("%s was in force until the end of the window; the device is back to %s", a.Command, a.wayBack()))
}

// stuck is for a window that has ended and a device that stays as it is.
func (a *Action) stuck(s *Step) {
	a.fail(s, s.Code, fmt.Sprintf("the window has ended, but the device did not go back to %s: %s", a.wayBack(), s.Message))
}

func (a *Action) expireRevert(s *Step) {
	reason := noResult
	if a.Phase == PhaseRevert {
		reason = "it could not be asked in time"
		if a.ErrorCode != "" {
			reason += fmt.Sprintf("; the last try failed with %s: %s", a.ErrorCode, a.ErrorMessage)
		}
	}
	a.fail(s, ActionExpired, fmt.Sprintf("the window has ended, but the device did not go back to %s: %s", a.wayBack(), reason))
}

func (a *Action) wayBack() string {
	if a.Before == nil {
		return "what was before"
	}
	return a.Before.Command
}

// cancel says why if there is more to say than the reason; otherwise what the last try failed with stays.
func (a *Action) cancel(s *Step) {
	if s.Message != "" {
		a.ErrorCode, a.ErrorMessage = s.Code, s.Message
	}
	a.cancelled(s, s.Reason)
}

func (a *Action) replace(s *Step) {
	a.ReplacedBy = s.By
	a.cancelled(s, CancelReplaced)
}

func (a *Action) abandon(s *Step) { a.fail(s, s.Code, s.Message) }

func (a *Action) complete(s *Step, message string) {
	a.Result = &ActionResult{Success: true, Message: message}
	a.end(s, ActionCompleted)
}

func (a *Action) fail(s *Step, code, message string) {
	a.ErrorCode, a.ErrorMessage = code, message
	a.Result = &ActionResult{Message: message}
	a.end(s, ActionFailed)
}

func (a *Action) cancelled(s *Step, reason CancelReason) {
	a.CancelReason = reason
	a.end(s, ActionCancelled)
}

// end gives the place on the device up.
func (a *Action) end(s *Step, state ActionState) {
	a.State, a.Phase, a.Slot, a.CompletedAt = state, PhaseEnded, "", s.At
}
