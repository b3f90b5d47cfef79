package e2e_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One reading makes rules fire, and the process dies at each point on the way: right after the reading was taken in, in the middle of
// a hold, and between two steps. Each rule fires once, each command is carried out once, each event is told once.
func TestRulesFireOnceThroughCrashes(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	hook := newSink(t)
	eventType(t, d.api, "battery.full")
	d.subscribe(t, hook, map[string]any{"eventTypes": []string{"battery.full"}})
	s := newRuleScene(t, d.api, carriesOut)
	alive := false
	s.behave(func(o order) verdict {
		if o.DeviceID == s.site+"_third" && !alive {
			return verdict{hang: true}
		}
		return verdict{}
	})
	for _, name := range []string{"second", "third", "held"} {
		s.charger(name)
	}
	rules := []string{
		s.rule("plain", map[string]any{"then": []any{s.charges("car", nil), tells()}}),
		s.rule("steps", map[string]any{"then": []any{s.charges("second", nil), s.charges("third", nil), tells()}}),
		s.rule("holds", map[string]any{"for": "8s", "then": []any{s.charges("held", nil), tells()}}),
	}
	s.full()
	d.kill(t)
	d.start(t)
	s.asked(s.site+"_third", "charge", 1)
	d.kill(t)
	s.mu.Lock()
	alive = true
	s.mu.Unlock()
	d.start(t)
	checkFirings(t, s, hook, rules)
}

// checkFirings waits until each rule has told its event, and wants each of their commands to have been carried out once.
func checkFirings(t *testing.T, s *ruleScene, hook *sink, rules []string) {
	t.Helper()
	want := make(map[string]int)
	for _, rule := range rules {
		want[rule] = 1
	}
	hook.await("the events of all rules", func(arrivals []arrival) bool { return len(tellers(t, s, arrivals)) >= len(rules) })
	if diff := cmp.Diff(want, tellers(t, s, hook.all())); diff != "" {
		t.Errorf("events by the rule that made them (-want +got):\n%s", diff)
	}
	effects := make(map[string]int)
	for _, rule := range rules {
		for _, a := range s.actionsOf(rule) {
			if a.State != "completed" {
				t.Errorf("%s of %s is %s", a.ID, rule, a.State)
			}
			effects[a.ID] = 1
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(effects) != 4 {
		t.Errorf("the rules made %d actions, want 4", len(effects))
	}
	if diff := cmp.Diff(effects, s.effects); diff != "" {
		t.Errorf("effects by action (-want +got):\n%s", diff)
	}
}

// tellers counts the events that arrived by the rule that made them; one that arrived twice counts once.
func tellers(t *testing.T, s *ruleScene, arrivals []arrival) map[string]int {
	t.Helper()
	seen, count := make(map[string]bool), make(map[string]int)
	for _, a := range arrivals {
		var body struct {
			EventID string `json:"eventId"`
		}
		if err := json.Unmarshal(a.body, &body); err != nil {
			t.Fatalf("webhook %s: %v", a.body, err)
		}
		if seen[body.EventID] {
			continue
		}
		seen[body.EventID] = true
		e := must[struct {
			Causation struct {
				RuleID string `json:"ruleId"`
			} `json:"causation"`
		}](t, s.api, http.MethodGet, "/v1/events/"+body.EventID, nil, http.StatusOK)
		count[e.Causation.RuleID]++
	}
	return count
}
