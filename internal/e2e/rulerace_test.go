package e2e_test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"busbar/internal/pgtest"
)

const (
	// raceSites homes race at the same time, and each of them so often: 1,000 races.
	raceSites  = 50
	raceRounds = 20
)

// Two devices of a site make one condition true at the same moment, each by way of another process. Of a thousand times the rule
// fires a thousand times, and each firing has one effect.
func TestTwoProcessesFireARuleOnce(t *testing.T) {
	t.Parallel()
	p := newTopology(t, pgtest.DSN(t))
	servers := []*server{p.run(t, "serve"), p.run(t, "serve")}
	awaitReady(t, servers...)
	eventType(t, servers[0].api, "site.full")
	r := &race{t: t, servers: servers}
	r.build()
	must[any](t, servers[0].api, http.MethodPost, "/v1/rules", map[string]any{
		"id": "rule_race", "name": "race", "mode": "active", "on": []string{"device.updated"}, "scope": "site",
		"if":   "any(site.batteries, (.state.level ?? 0) > (site.meter.state.importPower ?? 100))",
		"then": []any{map[string]any{"emit": map[string]any{"type": "site.full", "data": map[string]any{}}}},
	}, http.StatusCreated)
	for round := range raceRounds {
		r.run(float64(10 + round))
	}
	r.check()
}

// race is the homes, each with two batteries and a meter.
type race struct {
	t       *testing.T
	servers []*server
}

func (r *race) build() {
	eachSite(raceSites, func(site string) {
		send(r.t, r.servers[0].api, "/v1/sites", map[string]any{"id": site, "name": "Home", "timezone": "UTC"}, http.StatusCreated)
		for id, family := range map[string]string{"_a": "battery", "_b": "battery", "_meter": "meter"} {
			send(r.t, r.servers[0].api, "/v1/devices", map[string]any{
				"id": site + id, "type": family, "siteId": site, "driver": map[string]any{"kind": "manual"},
			}, http.StatusCreated)
		}
	})
}

// run raises what the batteries have to be above, which makes the condition false, and then has both of them rise above it.
func (r *race) run(mark float64) {
	var marks []any
	for i := range raceSites {
		marks = append(marks, map[string]any{"deviceId": siteID(i) + "_meter", "state": map[string]any{"importPower": mark}})
	}
	send(r.t, r.servers[0].api, "/v1/devices/state", map[string]any{"readings": marks}, http.StatusAccepted)
	eachSite(raceSites, func(site string) {
		var both sync.WaitGroup
		begin := make(chan struct{})
		for i, device := range []string{"_a", "_b"} {
			both.Go(func() {
				<-begin
				send(r.t, r.servers[i].api, "/v1/devices/"+site+device+"/state", map[string]any{"state": map[string]any{"level": mark + 1}}, http.StatusAccepted)
			})
		}
		close(begin)
		both.Wait()
	})
}

// check waits for what the firings have led to, and compares it and the runs with the number of races.
func (r *race) check() {
	r.t.Helper()
	want := make(map[string]int)
	for i := range raceSites {
		want[siteID(i)] = raceRounds
	}
	r.settle()
	must[any](r.t, r.servers[0].api, http.MethodPost, "/v1/rules/rule_race/mode", map[string]any{"mode": "disabled"}, http.StatusOK)
	for what, path := range map[string]string{"events": "/v1/events?type=site.full", "firings": "/v1/rules/rule_race/runs?decision=fired"} {
		got := make(map[string]int)
		for _, one := range r.list(path) {
			got[one.SiteID]++
		}
		for site, n := range want {
			if got[site] != n {
				r.t.Errorf("%s has %d %s, want %d", site, got[site], what, n)
			}
		}
	}
}

// settle waits for the events of all firings for as long as more of them come.
func (r *race) settle() {
	r.t.Helper()
	again := time.NewTicker(time.Second) // each look reads them all
	defer again.Stop()
	told, since := 0, time.Now()
	for told < raceSites*raceRounds {
		<-again.C
		if n := len(r.list("/v1/events?type=site.full")); n > told {
			told, since = n, time.Now()
		}
		if time.Since(since) > patience {
			r.t.Fatalf("%d firings have told their event, and no more come", told)
		}
	}
}

// listed is an event or a run.
type listed struct {
	SiteID string `json:"siteId"`
}

func (r *race) list(path string) []listed {
	r.t.Helper()
	var all []listed
	for cursor := ""; ; {
		page := must[struct {
			Items      []listed `json:"items"`
			NextCursor string   `json:"nextCursor"`
		}](r.t, r.servers[0].api, http.MethodGet, path+"&limit=200&cursor="+url.QueryEscape(cursor), nil, http.StatusOK)
		all = append(all, page.Items...)
		if cursor = page.NextCursor; cursor == "" {
			return all
		}
	}
}
