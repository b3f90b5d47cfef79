package e2e_test

import (
	"net/http"
	"sync"
	"testing"

	"busbar/internal/pgtest"
)

// Two devices of a site make one condition true at the same moment, each by way of another process: the rule fires once, again and
// again.
func TestTwoProcessesFireARuleOnce(t *testing.T) {
	t.Parallel()
	p := newTopology(t, pgtest.DSN(t))
	servers := []*server{p.run(t, "serve"), p.run(t, "serve")}
	awaitReady(t, servers...)
	eventType(t, servers[0].api, "site.full")
	s := newRuleScene(t, servers[0].api, carriesOut)
	must[any](t, s.api, http.MethodPost, "/v1/devices", map[string]any{
		"id": s.site + "_other", "type": "battery", "siteId": s.site, "driver": map[string]any{"kind": "manual"},
	}, http.StatusCreated)
	rule := s.rule("race", map[string]any{
		"scope": "site", "if": "any(site.batteries, (.state.level ?? 0) >= 99)",
		"then": []any{map[string]any{"emit": map[string]any{"type": "site.full", "data": map[string]any{}}}},
	})
	report := func(level float64) {
		var group sync.WaitGroup
		begin := make(chan struct{})
		for i, device := range []string{s.site + "_battery", s.site + "_other"} {
			group.Go(func() {
				<-begin
				ans, err := call[any](t.Context(), servers[i].api, http.MethodPost, "/v1/devices/"+device+"/state", map[string]any{"state": map[string]any{"level": level}})
				if err != nil || ans.Status != http.StatusAccepted {
					t.Errorf("reading of %s: %d %s %v", device, ans.Status, ans.Text, err)
				}
			})
		}
		close(begin)
		group.Wait()
	}
	const rounds = 50
	for range rounds {
		report(50)
		report(100)
	}
	told := func() int {
		return len(must[struct {
			Items []struct {
				ID string `json:"id"`
			} `json:"items"`
		}](t, s.api, http.MethodGet, "/v1/events?type=site.full&limit=200", nil, http.StatusOK).Items)
	}
	await(t, "the events of all firings", func() bool { return told() >= rounds })
	must[any](t, s.api, http.MethodPost, "/v1/rules/"+rule+"/mode", map[string]any{"mode": "disabled"}, http.StatusOK)
	if got := told(); got != rounds {
		t.Errorf("the rule fired %d times, want %d", got, rounds)
	}
}
