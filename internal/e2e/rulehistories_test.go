package e2e_test

import (
	"net/http"
	"testing"
	"time"
)

func TestWriteHistoriesOfRules(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	eventType(t, d.api, "battery.full")
	keepHistories(t, d, ruleStates, "run_rule_*", "hold_rule_*", "window_rule_*")
}

var ruleStates = []state{
	{"run_rule_completed", completedRun},
	{"run_rule_failed", failedRun},
	{"run_rule_crashed", crashedRun},
	{"run_rule_waiting_for_action", waitingForAction},
	{"run_rule_waiting_for_guard", waitingForGuard},
	{"run_rule_waiting_for_retry", waitingForRetry},
	{"hold_rule_fired", firedHold},
	{"hold_rule_broken", brokenHold},
	{"hold_rule_waiting", waitingHold},
	{"hold_rule_in_its_grace", holdInItsGrace},
	{"window_rule_waiting", waitingWindow},
	{"window_rule_opened", openedWindow},
	{"window_rule_over", windowOver},
}

func completedRun(t *testing.T, d *dev) string {
	t.Helper()
	s := newRuleScene(t, d.api, carriesOut)
	rule := s.rule("two", map[string]any{"then": []any{s.charges("car", nil), tells()}})
	s.full()
	return endedRule(t, d, s.workflow(d, "RunRule", rule))
}

func refuses(order) verdict {
	return verdict{idle: true, body: `{"success":false,"errorCode":"STUCK","message":"it is stuck"}`}
}

func failedRun(t *testing.T, d *dev) string {
	t.Helper()
	s := newRuleScene(t, d.api, refuses)
	rule := s.rule("fails", map[string]any{
		"then": []any{s.charges("car", map[string]any{"retries": 1})}, "else_failed": []any{tells()},
	})
	s.full()
	return endedRule(t, d, s.workflow(d, "RunRule", rule))
}

// crashedRun loses its process while its first step is being carried out.
func crashedRun(t *testing.T, d *dev) string {
	t.Helper()
	s := newRuleScene(t, d.api, takes)
	rule := s.rule("crashed", map[string]any{"then": []any{s.charges("car", nil), tells()}})
	s.full()
	s.asked(s.site+"_car", "charge", 1)
	id := waitsIn(t, d, s.workflow(d, "RunRule", rule))
	d.kill(t)
	d.start(t)
	d.report(t, s.actionsOf(rule)[0].ID)
	return endedRule(t, d, id)
}

func waitingForAction(t *testing.T, d *dev) string {
	t.Helper()
	s := newRuleScene(t, d.api, takes)
	rule := s.rule("waits", map[string]any{"then": []any{s.charges("car", nil)}})
	s.full()
	return waitsIn(t, d, s.workflow(d, "RunRule", rule))
}

func waitingForGuard(t *testing.T, d *dev) string {
	t.Helper()
	s := newRuleScene(t, d.api, carriesOut)
	rule := s.rule("guarded", map[string]any{"then": []any{s.charges("car", map[string]any{"guard": "state.chargeRate > 1"})}})
	s.full()
	return waitsIn(t, d, s.workflow(d, "RunRule", rule))
}

func waitingForRetry(t *testing.T, d *dev) string {
	t.Helper()
	s := newRuleScene(t, d.api, refuses)
	rule := s.rule("retries", map[string]any{"then": []any{s.charges("car", map[string]any{"retries": 10})}})
	s.full()
	s.asked(s.site+"_car", "charge", 4)
	return waitsIn(t, d, s.workflow(d, "RunRule", rule))
}

func firedHold(t *testing.T, d *dev) string {
	t.Helper()
	s := newRuleScene(t, d.api, carriesOut)
	rule := s.rule("holds", map[string]any{"for": "1s", "then": []any{s.charges("car", nil)}})
	s.full()
	return endedRule(t, d, s.workflow(d, "HoldRule", rule))
}

func brokenHold(t *testing.T, d *dev) string {
	t.Helper()
	s := newRuleScene(t, d.api, carriesOut)
	rule := s.rule("broken", map[string]any{"for": "2s", "then": []any{s.charges("car", nil)}})
	s.full()
	s.level(50)
	id := endedRule(t, d, s.workflow(d, "HoldRule", rule))
	if made := s.actionsOf(rule); len(made) > 0 {
		t.Errorf("a broken hold fired: %+v", made)
	}
	return id
}

func waitingHold(t *testing.T, d *dev) string {
	t.Helper()
	s := newRuleScene(t, d.api, carriesOut)
	rule := s.rule("waits", map[string]any{"for": "10h", "then": []any{s.charges("car", nil)}})
	s.full()
	return waitsIn(t, d, s.workflow(d, "HoldRule", rule))
}

// holdInItsGrace is due, but its condition is not known.
func holdInItsGrace(t *testing.T, d *dev) string {
	t.Helper()
	s := newRuleScene(t, d.api, carriesOut)
	rule := s.rule("grace", map[string]any{"for": "1s", "grace": "5h", "then": []any{s.charges("car", nil)}})
	s.full()
	must[any](t, s.api, http.MethodPost, "/v1/devices/"+s.site+"_battery/state", map[string]any{"state": map[string]any{"level": nil}}, http.StatusAccepted)
	id := s.workflow(d, "HoldRule", rule)
	c := d.temporalClient(t)
	await(t, "the grace to begin", func() bool { return len(fetchHistory(t, c, id).GetEvents()) > 8 })
	return waitsIn(t, d, id)
}

// daily is a window that does not open soon, wherever that is.
func daily(now time.Time) map[string]any {
	return map[string]any{"from": now.UTC().Add(-2 * time.Hour).Format("15:04"), "to": now.UTC().Add(-time.Hour).Format("15:04"), "timezone": "UTC"}
}

func waitingWindow(t *testing.T, d *dev) string {
	t.Helper()
	s := newRuleScene(t, d.api, carriesOut)
	rule := s.rule("window", map[string]any{"window": daily(time.Now()), "then": []any{s.charges("car", nil)}})
	return waitsIn(t, d, s.workflow(d, "WindowRule", rule))
}

// openedWindow waits for the beginning of a minute.
func openedWindow(t *testing.T, d *dev) string {
	t.Helper()
	s := newRuleScene(t, d.api, carriesOut)
	now := time.Now().UTC()
	from := now.Add(70 * time.Second).Truncate(time.Minute)
	if from.Sub(now) < 10*time.Second {
		from = from.Add(time.Minute)
	}
	rule := s.rule("opened", map[string]any{
		"window": map[string]any{"from": from.Format("15:04"), "to": from.Add(time.Hour).Format("15:04"), "timezone": "UTC"},
		"then":   []any{s.charges("car", nil)},
	})
	s.full()
	waitsIn(t, d, s.workflow(d, "WindowRule", rule))
	s.asked(s.site+"_car", "charge", 1)
	if early := time.Until(from); early > 0 {
		t.Errorf("it fired %s before its window opened", early)
	}
	return waitsIn(t, d, s.workflow(d, "WindowRule", rule))
}

// windowOver is of a rule that was disabled.
func windowOver(t *testing.T, d *dev) string {
	t.Helper()
	s := newRuleScene(t, d.api, carriesOut)
	rule := s.rule("window", map[string]any{"window": daily(time.Now()), "then": []any{s.charges("car", nil)}})
	id := waitsIn(t, d, s.workflow(d, "WindowRule", rule))
	must[any](t, s.api, http.MethodPost, "/v1/rules/"+rule+"/mode", map[string]any{"mode": "disabled"}, http.StatusOK)
	return endedRule(t, d, id)
}
