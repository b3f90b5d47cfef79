package intake_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
)

func queue(r *intake.PushRequest)   { r.OnConflict = busbar.QueueAfter }
func replace(r *intake.PushRequest) { r.OnConflict = busbar.CancelAndReplace }

func TestADeviceCarriesOutOneCommandAtATime(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		p := newPlant(t, open(), charger())
		first := p.push(nil)
		if first.State != busbar.ActionAcknowledged || !first.ExpiresAt.Equal(p.now().Add(busbar.DefaultExpiresIn)) {
			t.Errorf("an immediate command = %+v", first)
		}
		_, err := p.Push(t.Context(), busbar.Sandbox, charge(nil), nil)
		details := conflict(t, err)
		if diff := cmp.Diff([]busbar.ActionID{first.ID}, details["conflictingActionIds"]); diff != "" {
			t.Errorf("conflicting (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(busbar.ConflictStrategies(), details["strategies"]); diff != "" {
			t.Errorf("strategies (-want +got):\n%s", diff)
		}
		second := p.push(queue)
		if second.State != busbar.ActionScheduled || second.Slot != busbar.SlotQueued || !second.ExpiresAt.IsZero() {
			t.Errorf("a queued command = %+v", second)
		}
		_, err = p.Push(t.Context(), busbar.Sandbox, charge(queue), nil)
		details = conflict(t, err)
		if diff := cmp.Diff([]busbar.ActionID{first.ID, second.ID}, details["conflictingActionIds"]); diff != "" {
			t.Errorf("conflicting (-want +got):\n%s", diff)
		}
		third := p.push(replace)
		old := p.is(first.ID, busbar.ActionCancelled, busbar.PhaseEnded)
		if third.Replaces != first.ID || old.ReplacedBy != third.ID || old.CancelReason != busbar.CancelReplaced {
			t.Errorf("replaced %+v by %+v", old, third)
		}
		if _, data := p.toldBy(first.ID, busbar.TypePushCancelled); data["reason"] != "replaced" {
			t.Errorf("push.cancelled = %v", data)
		}
		p.is(second.ID, busbar.ActionScheduled, busbar.PhaseWaiting)
		p.wakes(first.ID, second.ID, third.ID)
		p.try(third.ID, intake.TryEnd{Outcome: busbar.TryAccepted})
		p.wakes(second.ID)
		p.advance(time.Minute)
		p.next(second.ID, busbar.NeedTry)
		p.try(second.ID, intake.TryEnd{Outcome: busbar.TryAccepted})
		p.is(second.ID, busbar.ActionCompleted, busbar.PhaseEnded)
	})
}

func TestWhatIsCheckedBeforeAPush(t *testing.T) {
	t.Parallel()
	p := newPlant(t, sqlite(t), charger(), busbar.Device{ID: "dev_meter", Family: busbar.Meter})
	p.push(nil)
	for name, c := range map[string]struct {
		change func(*intake.PushRequest)
		want   busbar.Code
	}{
		"no such device":   {func(r *intake.PushRequest) { r.DeviceID = "dev_none"; r.Command = "fly" }, busbar.CodeDeviceNotFound},
		"another family":   {func(r *intake.PushRequest) { r.Family = busbar.Battery }, busbar.CodeDeviceNotFound},
		"takes no command": {func(r *intake.PushRequest) { r.DeviceID, r.Family = "dev_meter", "" }, busbar.CodeDirectAction},
		"command first": {func(r *intake.PushRequest) {
			r.Command = "fly"
			r.Parameters["x"] = busbar.Quantity{}
			r.Start = "never"
		}, busbar.CodeUnsupportedMode},
		"then parameters": {func(r *intake.PushRequest) { r.Parameters["x"] = busbar.Quantity{}; r.Start = "never" }, busbar.CodeUnsupportedParameter},
		"then the start":  {func(r *intake.PushRequest) { r.Start = "-1h" }, busbar.CodeStartInPast},
		"then conflicts":  {func(r *intake.PushRequest) { r.Start = "1h" }, busbar.CodeConflict},
	} {
		_, err := p.Push(t.Context(), busbar.Sandbox, charge(c.change), nil)
		if got := busbar.CodeOf(err); got != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestAPushUnderItsKeyIsOnePush(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		p := newPlant(t, open(), charger())
		key := &intake.Idempotency{APIKeyID: "key_1", Route: "POST /v1/ev-charger/dev_charger", Key: "k"}
		first, err := p.Push(t.Context(), busbar.Sandbox, charge(nil), key)
		must(t, err)
		p.try(first.ID, intake.TryEnd{Outcome: busbar.TryAccepted})
		again, err := p.Push(t.Context(), busbar.Sandbox, charge(nil), key)
		must(t, err)
		if diff := cmp.Diff(first, again); diff != "" {
			t.Errorf("answered anew (-first +again):\n%s", diff)
		}
		other := *key
		other.BodyHash[0] = 1
		_, err = p.Push(t.Context(), busbar.Sandbox, charge(nil), &other)
		refused(t, err, busbar.CodeIdempotencyConflict)
	})
}

// Two processes offer commands for one device at the same time: one of them gets the place.
func TestOneOfManyPushesAtOnceGetsThePlace(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		processes := []*plant{newPlant(t, open(), charger())}
		if !processes[0].store.Embedded() {
			processes = append(processes, openPlant(t, open()))
		}
		var mu sync.Mutex
		got := map[busbar.Code]int{}
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				_, err := processes[i%len(processes)].Push(t.Context(), busbar.Sandbox, charge(nil), nil)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					got["accepted"]++
				} else {
					got[busbar.CodeOf(err)]++
				}
			})
		}
		wg.Wait()
		if diff := cmp.Diff(map[busbar.Code]int{"accepted": 1, busbar.CodeConflict: 11}, got); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
	})
}

func TestOnlyWhatNoDeviceHasAcceptedIsCancelled(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		p := newPlant(t, open(), charger())
		scheduled := p.push(func(r *intake.PushRequest) { r.Start = "1h" })
		queued := p.push(queue)
		a, err := p.CancelAction(t.Context(), busbar.Sandbox, scheduled.ID)
		must(t, err)
		if a.State != busbar.ActionCancelled || a.CancelReason != busbar.CancelRequested {
			t.Errorf("cancelled = %+v", a)
		}
		if _, data := p.toldBy(scheduled.ID, busbar.TypePushCancelled); data["reason"] != "requested" || data["cancelledAt"] == nil || data["result"] != nil {
			t.Errorf("push.cancelled = %v", data)
		}
		_, err = p.CancelAction(t.Context(), busbar.Sandbox, scheduled.ID)
		refused(t, err, busbar.CodeActionNotCancellable)
		p.next(queued.ID, busbar.NeedTry)
		p.try(queued.ID, intake.TryEnd{Outcome: busbar.TryFailed, Code: "DEVICE_OFFLINE", Message: "offline"})
		_, err = p.CancelAction(t.Context(), busbar.Sandbox, queued.ID)
		must(t, err)
		begun, err := p.BeginTry(t.Context(), busbar.Sandbox, queued.ID)
		must(t, err)
		if begun.Number != 0 {
			t.Errorf("a cancelled action is tried: %+v", begun)
		}
		pending := p.push(nil)
		p.try(pending.ID, intake.TryEnd{Outcome: busbar.TryPending})
		_, err = p.CancelAction(t.Context(), busbar.Sandbox, pending.ID)
		refused(t, err, busbar.CodeActionNotCancellable)
		_, err = p.CancelAction(t.Context(), busbar.Sandbox, "act_none")
		refused(t, err, busbar.CodeNotFound)
	})
}

func TestAPersonsPushKeepsRulesOffTheDevice(t *testing.T) {
	t.Parallel()
	p := newPlant(t, sqlite(t), charger())
	p.push(func(r *intake.PushRequest) { r.HoldFor = 2 * time.Hour })
	p.push(func(r *intake.PushRequest) { r.HoldFor = time.Hour; replace(r) })
	d, err := p.store.Device(t.Context(), busbar.Sandbox, "dev_charger")
	must(t, err)
	if want := p.now().Add(2 * time.Hour); !d.HeldUntil.Equal(want) {
		t.Errorf("held until %s, want %s", d.HeldUntil, want)
	}
}

// What was committed is started, though the process that committed it could not reach Temporal, or died.
func TestUnstartedActionsAreStartedBySomebodyElse(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		first := newPlant(t, s, charger())
		first.refuse.Store(true)
		a := first.push(nil)
		second := first
		if s.Embedded() {
			first.refuse.Store(false)
			must(t, s.ReleaseStarts(t.Context()))
		} else {
			second = openPlant(t, open())
		}
		second.wakes(a.ID)
	})
}
