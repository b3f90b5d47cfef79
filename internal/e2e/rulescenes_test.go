package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	enums "go.temporal.io/api/enums/v1"
)

// ruleScene is a site of its own with a battery and a charger behind a gateway, and rules about them.
type ruleScene struct {
	*api
	*gateway
	t *testing.T
	// site is the id, which those of the devices and the rules begin with.
	site string
}

func newRuleScene(t *testing.T, a *api, answer func(order) verdict) *ruleScene {
	t.Helper()
	s := &ruleScene{api: a, gateway: newGateway(t), t: t, site: "site" + strings.TrimPrefix(address(t), "127.0.0.1:")}
	s.behave(answer)
	must[any](t, a, http.MethodPost, "/v1/sites", map[string]any{"id": s.site, "name": "Home", "timezone": "Europe/Berlin"}, http.StatusCreated)
	must[any](t, a, http.MethodPost, "/v1/devices", map[string]any{
		"id": s.site + "_battery", "type": "battery", "siteId": s.site, "driver": map[string]any{"kind": "manual"},
	}, http.StatusCreated)
	s.charger("car")
	return s
}

// charger adds a charger behind the gateway.
func (s *ruleScene) charger(name string) {
	s.t.Helper()
	must[any](s.t, s.api, http.MethodPost, "/v1/devices", map[string]any{
		"id": s.site + "_" + name, "type": "ev_charger", "siteId": s.site,
		"driver": map[string]any{"kind": "http", "url": s.server.URL + "/commands", "secret": gatewaySecret},
	}, http.StatusCreated)
}

// rule adds a rule that fires when the battery of the site becomes full; more is added to it. It gives its id.
func (s *ruleScene) rule(name string, more map[string]any) string {
	s.t.Helper()
	body := map[string]any{
		"id": s.site + "_" + name, "name": name, "mode": "active", "on": []string{"device.updated"}, "deviceType": "battery",
		"siteIds": []string{s.site}, "if": "state.level >= 99",
	}
	maps.Copy(body, more)
	must[any](s.t, s.api, http.MethodPost, "/v1/rules", body, http.StatusCreated)
	return s.site + "_" + name
}

// charges is a step that has a charger charge; more is added to it.
func (s *ruleScene) charges(name string, more map[string]any) map[string]any {
	push := map[string]any{"device": fmt.Sprintf(`find(site.evChargers, .id == "%s_%s")`, s.site, name), "command": "charge"}
	maps.Copy(push, more)
	return map[string]any{"push": push}
}

// tells is a step that makes an event.
func tells() map[string]any {
	return map[string]any{"emit": map[string]any{"type": "battery.full", "data": map[string]any{"level": "state.level"}}}
}

// siteID names one of many sites.
func siteID(i int) string { return fmt.Sprintf("site_%d", i) }

// eachSite does something for each of so many sites, for some at a time.
func eachSite(sites int, do func(site string)) {
	var group sync.WaitGroup
	next := make(chan string)
	for range 16 {
		group.Go(func() {
			for site := range next {
				do(site)
			}
		})
	}
	for i := range sites {
		next <- siteID(i)
	}
	close(next)
	group.Wait()
}

// send posts something that has to be answered with status. It may be called beside the test.
func send(t *testing.T, a *api, path string, body any, status int) {
	t.Helper()
	ans, err := call[any](t.Context(), a, http.MethodPost, path, body)
	if err != nil || ans.Status != status {
		t.Errorf("POST %s: status %d, want %d: %s %v", path, ans.Status, status, ans.Text, err)
	}
}

// eventType registers a type of events.
func eventType(t *testing.T, a *api, name string) {
	t.Helper()
	must[any](t, a, http.MethodPost, "/v1/event-types", map[string]any{"name": name, "schema": map[string]any{"type": "object"}}, http.StatusCreated)
}

// level has the battery report how full it is.
func (s *ruleScene) level(v float64) {
	s.t.Helper()
	must[any](s.t, s.api, http.MethodPost, "/v1/devices/"+s.site+"_battery/state", map[string]any{"state": map[string]any{"level": v}}, http.StatusAccepted)
}

// full has the battery become full.
func (s *ruleScene) full() {
	s.t.Helper()
	s.level(50)
	s.level(100)
}

// actionsOf are those that a rule made, newest first.
func (s *ruleScene) actionsOf(rule string) []ruleAction {
	s.t.Helper()
	return must[struct {
		Items []ruleAction `json:"items"`
	}](s.t, s.api, http.MethodGet, "/v1/actions?ruleId="+rule, nil, http.StatusOK).Items
}

// ruleAction is an action with what a rule left in it.
type ruleAction struct {
	ID       string `json:"id"`
	DeviceID string `json:"deviceId"`
	State    string `json:"state"`
	RunID    string `json:"runId"`
}

// workflow waits until Temporal knows a workflow of a type about a rule, and gives its id.
func (s *ruleScene) workflow(d *dev, kind, rule string) string {
	s.t.Helper()
	c := d.temporalClient(s.t)
	var ids []string
	await(s.t, kind+" of "+rule, func() bool {
		ids = query(s.t, c, fmt.Sprintf("RuleId = '%s' AND WorkflowType = '%s'", rule, kind))
		return len(ids) > 0
	})
	return ids[0]
}

// waitsIn waits until a workflow rests in a timer.
func waitsIn(t *testing.T, d *dev, id string) string {
	t.Helper()
	c := d.temporalClient(t)
	await(t, id+" to wait", func() bool { return lastEvent(t, c, id) == enums.EVENT_TYPE_TIMER_STARTED })
	return id
}

// endedRule waits for the end of a workflow.
func endedRule(t *testing.T, d *dev, id string) string {
	t.Helper()
	awaitWorkflow(t, d, id)
	return id
}
