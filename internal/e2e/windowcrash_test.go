package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// townSites is enough for an opening to take a while.
const townSites = 120

// A window opens at many sites, and the process dies in the middle of that. At each site the rule fires once, and its command is
// carried out once.
func TestAWindowOpensOnceThroughACrash(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	w := &town{t: t, dev: d, gateway: newGateway(t)}
	w.build()
	from := w.rule()
	w.full()
	select {
	case <-time.After(time.Until(from)):
	case <-t.Context().Done():
	}
	await(t, "the window to open at the first site", func() bool { return len(w.actions()) > 0 })
	d.kill(t)
	again := time.Now()
	d.start(t)
	await(t, "the commands at all sites", func() bool {
		done := 0
		for _, a := range w.actions() {
			if a.State == "completed" {
				done++
			}
		}
		return done >= townSites
	})
	w.check(again)
}

// town are sites that each have a battery and, behind a gateway, a charger.
type town struct {
	*dev
	*gateway
	t *testing.T
}

func (w *town) build() {
	eachSite(townSites, func(site string) {
		send(w.t, w.api, "/v1/sites", map[string]any{"id": site, "name": "Home", "timezone": "Europe/Berlin"}, http.StatusCreated)
		send(w.t, w.api, "/v1/devices", map[string]any{
			"id": site + "_battery", "type": "battery", "siteId": site, "driver": map[string]any{"kind": "manual"},
		}, http.StatusCreated)
		send(w.t, w.api, "/v1/devices", map[string]any{
			"id": site + "_car", "type": "ev_charger", "siteId": site,
			"driver": map[string]any{"kind": "http", "url": w.server.URL + "/commands", "secret": gatewaySecret},
		}, http.StatusCreated)
	})
}

// rule adds a rule whose window opens at the beginning of a minute, and gives that.
func (w *town) rule() time.Time {
	from := time.Now().UTC().Add(80 * time.Second).Truncate(time.Minute)
	send(w.t, w.api, "/v1/rules", map[string]any{
		"id": "rule_window", "name": "by day", "mode": "active", "on": []string{"device.updated"}, "deviceType": "battery", "if": "state.level >= 99",
		"window": map[string]any{"from": from.Format("15:04"), "to": from.Add(time.Hour).Format("15:04"), "timezone": "UTC"},
		"then":   []any{map[string]any{"push": map[string]any{"device": "site.evChargers[0]", "command": "charge"}}},
	}, http.StatusCreated)
	return from
}

// full has all batteries become full.
func (w *town) full() {
	for _, level := range []float64{50, 100} {
		readings := make([]any, townSites)
		for i := range readings {
			readings[i] = map[string]any{"deviceId": siteID(i) + "_battery", "state": map[string]any{"level": level}}
		}
		send(w.t, w.api, "/v1/devices/state", map[string]any{"readings": readings}, http.StatusAccepted)
	}
}

// townAction is an action with what the test looks at.
type townAction struct {
	ID        string    `json:"id"`
	DeviceID  string    `json:"deviceId"`
	State     string    `json:"state"`
	CreatedAt time.Time `json:"createdAt"`
}

func (w *town) actions() []townAction {
	w.t.Helper()
	return must[struct {
		Items []townAction `json:"items"`
	}](w.t, w.api, http.MethodGet, "/v1/actions?ruleId=rule_window&limit=200", nil, http.StatusOK).Items
}

// check wants one action of each charger, and its command to have been carried out once; again is when the process was started again.
func (w *town) check(again time.Time) {
	w.t.Helper()
	want, got, effects := make(map[string]int), make(map[string]int), make(map[string]int)
	early := 0
	for i := range townSites {
		want[siteID(i)+"_car"] = 1
	}
	for _, a := range w.actions() {
		got[a.DeviceID]++
		effects[a.ID] = 1
		if a.CreatedAt.Before(again) {
			early++
		}
	}
	if early == townSites {
		w.t.Error("the window had opened everywhere before the process died")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("actions by device (-want +got):\n%s", diff)
	}
	fired := must[struct {
		Items []struct {
			Key     string `json:"key"`
			Trigger string `json:"trigger"`
		} `json:"items"`
	}](w.t, w.api, http.MethodGet, "/v1/rules/rule_window/runs?decision=fired&limit=200", nil, http.StatusOK).Items
	firings := make(map[string]int)
	for _, r := range fired {
		firings[fmt.Sprint(r.Trigger, " ", r.Key)]++
	}
	wantFirings := make(map[string]int)
	for i := range townSites {
		wantFirings["window device:"+siteID(i)+"_battery"] = 1
	}
	if diff := cmp.Diff(wantFirings, firings); diff != "" {
		w.t.Errorf("firings by key (-want +got):\n%s", diff)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if diff := cmp.Diff(effects, w.effects); diff != "" {
		w.t.Errorf("effects by action (-want +got):\n%s", diff)
	}
}
