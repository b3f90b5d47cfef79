package e2e_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The process dies while actions are in every state that they can be in. Each of them comes to its end afterwards, and
// no device does anything twice.
func TestKilledWithActionsInEveryState(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	s, g := newSink(t), newGateway(t)
	d.subscribe(t, s, map[string]any{"eventTypes": []string{"push.*"}})
	d.site(t)
	before := true
	g.behave(func(o order) verdict {
		switch {
		case o.DeviceID == "dev_trying" && before:
			return verdict{hang: true}
		case o.DeviceID == "dev_unreached" && before:
			return verdict{hang: true, idle: true}
		case o.DeviceID == "dev_retrying" && before:
			return verdict{status: http.StatusServiceUnavailable, idle: true}
		case o.DeviceID == "dev_awaiting" && o.Command == "charge":
			return verdict{status: http.StatusAccepted}
		case o.DeviceID == "dev_reverting" && o.Command == "idle" && before:
			return verdict{hang: true}
		case o.DeviceID == "dev_reverted" && o.Command == "idle":
			return verdict{status: http.StatusAccepted}
		}
		return verdict{}
	})
	ids := make(map[string]string)
	push := func(device string, more map[string]any) {
		t.Helper()
		d.charger(t, g, device)
		ids[device] = d.push(t, device, "charge", more).ID
	}
	push("dev_reverting", map[string]any{"start": "0s", "end": "1s"})
	push("dev_reverted", map[string]any{"start": "0s", "end": "1s"})
	push("dev_awaiting", nil)
	queued := d.push(t, "dev_awaiting", "idle", map[string]any{"onConflict": "queue_after"}).ID
	push("dev_retrying", nil)
	g.asked("dev_awaiting", "charge", 1)
	g.asked("dev_retrying", "charge", 3)
	g.asked("dev_reverting", "idle", 1)
	g.asked("dev_reverted", "idle", 1)
	d.awaitAction(t, ids["dev_reverted"], "awaited", func(a action) bool { return slices.Contains(a.outcomes(), "revert pending") })
	push("dev_in_force", map[string]any{"start": "0s", "end": "15s"})
	push("dev_scheduled", map[string]any{"start": "10s"})
	push("dev_trying", nil)
	push("dev_unreached", nil)
	g.asked("dev_in_force", "charge", 1)
	g.asked("dev_trying", "charge", 1)
	g.asked("dev_unreached", "charge", 1)
	d.awaitAction(t, ids["dev_in_force"], "in force", func(a action) bool { return slices.Contains(a.outcomes(), "push accepted") })
	push("dev_fresh", nil)
	d.kill(t)
	g.mu.Lock()
	before = false
	g.mu.Unlock()
	d.start(t)
	d.report(t, ids["dev_awaiting"])
	d.report(t, ids["dev_reverted"])
	ids["queued"] = queued
	for device, id := range ids {
		if a := d.awaitAction(t, id, "over", func(a action) bool { return a.State != "scheduled" && a.State != "acknowledged" }); a.State != "completed" {
			t.Errorf("%s: %s, %s %s", device, a.State, a.ErrorCode, a.ErrorMessage)
		}
	}
	for device, want := range map[string][]string{
		"dev_trying": {"push interrupted", "push accepted"}, "dev_unreached": {"push interrupted", "push accepted"},
		"dev_reverting": {"push accepted", "revert interrupted", "revert accepted"}, "dev_reverted": {"push accepted", "revert pending"},
		"dev_in_force": {"push accepted", "revert accepted"}, "dev_scheduled": {"push accepted"}, "dev_awaiting": {"push pending"},
	} {
		a := d.action(t, ids[device])
		if diff := cmp.Diff(want, a.outcomes()); diff != "" {
			t.Errorf("tries of %s (-want +got):\n%s", device, diff)
		}
	}
	checkEffects(t, g, ids)
	checkTold(t, s, ids, "push.completed")
}

// checkEffects wants each command, and each way back, to have been carried out once.
func checkEffects(t *testing.T, g *gateway, ids map[string]string) {
	t.Helper()
	want := make(map[string]int)
	for device, id := range ids {
		want[id] = 1
		if device == "dev_reverting" || device == "dev_reverted" || device == "dev_in_force" {
			want[id+"-revert"] = 1
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if diff := cmp.Diff(want, g.effects); diff != "" {
		t.Errorf("effects by idempotency key (-want +got):\n%s", diff)
	}
}

// checkTold waits until a webhook has told the end of each action, and wants one event of each.
func checkTold(t *testing.T, s *sink, ids map[string]string, kind string) {
	t.Helper()
	told := func(arrivals []arrival) map[string]map[string]bool {
		events := make(map[string]map[string]bool)
		for _, a := range arrivals {
			var body struct {
				Data struct {
					ActionID string `json:"actionId"`
				} `json:"data"`
			}
			if err := json.Unmarshal(a.body, &body); err != nil {
				t.Fatalf("webhook %s: %v", a.body, err)
			}
			if events[body.Data.ActionID] == nil {
				events[body.Data.ActionID] = make(map[string]bool)
			}
			events[body.Data.ActionID][a.id+" "+a.eventType] = true
		}
		return events
	}
	arrivals := s.await("the end of every action", func(a []arrival) bool { return len(told(a)) >= len(ids) })
	events := told(arrivals)
	for device, id := range ids {
		if len(events[id]) != 1 {
			t.Errorf("%s is told by %d events, want one: %v", device, len(events[id]), events[id])
		}
	}
	for _, a := range arrivals {
		if a.eventType != kind {
			t.Errorf("a webhook of %s, want %s", a.eventType, kind)
		}
	}
}
