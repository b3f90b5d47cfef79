package web_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"busbar"
	"busbar/internal/store"
)

// furnished is an app in which something has gone on, and the address that it is served at.
func furnished(t *testing.T) (a *app, url string, admin busbar.User, paths map[string]string) {
	t.Helper()
	a = newApp(t, options{gallery: true})
	admin = a.addUser("Ada", busbar.RoleAdmin)
	grace := busbar.User{ID: busbar.NewUserID(), Name: "Grace", Role: busbar.RoleOperator, CreatedAt: a.now()}
	must(t, a.store.CreateUser(t.Context(), &grace))
	server := httptest.NewServer(a.handler)
	t.Cleanup(server.Close)
	t.Cleanup(a.server.EndFeeds)
	create := func(path, body string) map[string]any {
		t.Helper()
		got := a.send(http.MethodPost, path, body)
		if got.Status >= 300 {
			t.Fatalf("%s: %d %s", path, got.Status, got.Body)
		}
		var data map[string]any
		must(t, json.Unmarshal(got.Data, &data))
		return data
	}
	good := create("/v1/endpoints", `{"url":"https://127.0.0.1:9001/hook","description":"Energy app, production","eventTypes":["device.*","push.*"]}`)
	bad := create("/v1/endpoints", `{"url":"http://127.0.0.1:9002/a/rather/long/path/that/has/to/break/somewhere/on/a/narrow/screen","eventTypes":["device.updated"],"headers":{"Authorization":"Bearer x"}}`)
	create("/v1/endpoints", `{"url":"http://127.0.0.1:9003/","description":"Night backup","enabled":false}`)
	var last map[string]any
	a.advance(-10 * time.Hour)
	for i := range 24 {
		a.later(20 * time.Minute)
		last = create("/v1/events", fmt.Sprintf(`{"type":"device.updated","deviceId":"battery_%d","data":{"changed":["level"],"state":{"level":%d,"status":"charging","chargeRate":2.5},"previous":{"level":%d}}}`, 1+i%3, 60+i, 59+i))
	}
	create("/v1/events", `{"type":"device.disconnected","deviceId":"charger_garage","data":{"reason":"credentials_expired"}}`)
	a.furnishHome(create)
	a.finishAll(busbar.EndpointID(text(good["id"])), busbar.EndpointID(text(bad["id"])))
	deliveries, err := a.store.DeliveriesOfEvent(t.Context(), busbar.Sandbox, busbar.EventID(text(last["eventId"])))
	must(t, err)
	failing := deliveries[0]
	for _, d := range deliveries {
		if d.EndpointID == busbar.EndpointID(text(bad["id"])) {
			failing = d
		}
	}
	must(t, a.store.AddAudit(t.Context(), &busbar.AuditEntry{
		ID: busbar.NewAuditID(), At: a.now(), ActorID: string(admin.ID), ActorName: admin.Name, Address: "127.0.0.1", Environment: busbar.Sandbox,
		Action: "endpoint.update", Target: text(good["id"]), Before: json.RawMessage(`{"maxInFlight":16}`), After: json.RawMessage(`{"maxInFlight":4}`),
	}))
	create("/v1/simulator/dev_battery/faults", `{"kind":"slow","for":"5m"}`)
	endpoint := "/sandbox/endpoints/" + text(good["id"])
	create("/v1/endpoints/"+text(good["id"])+"/replay", `{"since":"2026-01-01T00:00:00Z"}`)
	job := text(create("/v1/endpoints/"+text(bad["id"])+"/recover", `{"since":"2026-01-01T00:00:00Z"}`)["jobId"])
	a.resendSome(busbar.JobID(job))
	failed := text(a.items("/v1/deliveries?status=failed")[0]["id"])
	paths = map[string]string{
		"overview": "/sandbox", "overview-empty": "/live", "events": "/sandbox/events", "events-empty": "/live/events",
		"event": "/sandbox/events/" + text(last["eventId"]), "deliveries": "/sandbox/deliveries", "delivery": "/sandbox/deliveries/" + string(failing.ID),
		"delivery-failed": "/sandbox/deliveries/" + failed,
		"endpoints":       "/sandbox/endpoints", "endpoints-empty": "/live/endpoints", "endpoint": endpoint, "endpoint-edit": endpoint + "/edit",
		"endpoint-new": "/live/endpoints/new", "endpoint-delete": endpoint + "/delete",
		"endpoint-recover": endpoint + "/recover", "endpoint-replay": endpoint + "/replay", "jobs": "/sandbox/jobs", "jobs-empty": "/live/jobs",
		"job": "/sandbox/jobs/" + job, "event-types": "/sandbox/event-types",
		"event-type": "/sandbox/event-types/device.updated", "event-type-new": "/sandbox/event-types/new", "api-keys": "/sandbox/api-keys",
		"users": "/users", "user": "/users/" + string(grace.ID), "audit": "/audit", "account": "/account", "about": "/about",
		"gallery": "/gallery", "devices": "/sandbox/devices", "devices-empty": "/live/devices", "device": "/sandbox/devices/dev_battery",
		"device-new": "/sandbox/devices/new", "device-edit": "/sandbox/devices/dev_charger/edit", "device-delete": "/sandbox/devices/dev_charger/delete",
		"actions": "/sandbox/actions", "sites": "/sandbox/sites", "sites-empty": "/live/sites", "site": "/sandbox/sites/site_home", "not-found": "/sandbox/nowhere",
	}
	maps.Copy(paths, a.furnishRules())
	return a, server.URL, admin, paths
}

// later lets time pass once every event has started: one that waits for an hour would keep new ones out.
func (a *app) later(d time.Duration) {
	a.t.Helper()
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	for {
		waiting, err := a.store.Backlog(a.t.Context())
		must(a.t, err)
		if waiting.Count == 0 {
			break
		}
		<-pause.C
	}
	a.advance(d)
}

// furnishHome makes a home whose devices have reported for two hours.
func (a *app) furnishHome(create func(path, body string) map[string]any) {
	a.t.Helper()
	create("/v1/sites", `{"id":"site_home","name":"Home in the hills","timezone":"Europe/Berlin","latitude":52.52,"longitude":13.405}`)
	for _, d := range [][3]string{
		{"dev_battery", "battery", "Cellar battery"},
		{"dev_charger", "ev_charger", "Wallbox"},
		{"dev_solar", "solar_inverter", "Solar roof"},
		{"dev_meter", "meter", "Grid meter"},
		{"dev_heat", "hvac", "Heat pump"},
	} {
		create("/v1/devices", `{"id":"`+d[0]+`","type":"`+d[1]+`","siteId":"site_home","name":"`+d[2]+`","vendor":"Acme","driver":{"kind":"simulator"}}`)
		create("/v1/devices/"+d[0]+"/connection", `{"status":"connected"}`)
	}
	for i := range 12 {
		a.later(10 * time.Minute)
		for id, state := range map[string]string{
			"dev_battery": fmt.Sprintf(`{"level":%d,"chargeRate":%g,"status":"charging","temperature":%g,"currentMode":"auto.balanced"}`,
				40+4*i, 1.6+0.4*float64(i%4), 23.5+0.2*float64(i)),
			"dev_charger": `{"status":"charging","currentPower":3.7,"isConnected":true,"isCharging":true}`,
			"dev_solar":   fmt.Sprintf(`{"currentPower":%g,"status":"producing","producing":true}`, 3+0.4*float64(i%5)),
			"dev_meter":   `{"importPower":1.85,"price":0.2871}`, "dev_heat": fmt.Sprintf(`{"temperature":%g,"mode":"heat","active":true,"heatSetpoint":21}`, 20+float64(i%4)/2),
		} {
			create("/v1/devices/"+id+"/state", `{"state":`+state+`}`)
		}
	}
}

func text(v any) string { return fmt.Sprint(v) }

// finishAll gives each delivery its attempts: to one endpoint all go well, to another every third fails for good and some
// wait for their next try.
func (a *app) finishAll(good, bad busbar.EndpointID) {
	a.t.Helper()
	page, err := a.store.Deliveries(a.t.Context(), busbar.Sandbox, store.DeliveryFilter{Status: busbar.DeliveryPending}, busbar.PageRequest{Limit: 200})
	must(a.t, err)
	for i, d := range page.Items {
		i /= 3 // each event has three
		at := d.CreatedAt
		attempt := busbar.Attempt{
			DeliveryID: d.ID, Number: 1, At: at, Duration: 34 * time.Millisecond, StatusCode: 200,
			Timing: busbar.Timing{
				DNS: 2 * time.Millisecond, Connect: 4 * time.Millisecond, TLS: 11 * time.Millisecond, FirstByte: 31 * time.Millisecond,
				Total: 34 * time.Millisecond,
			},
			RequestHeaders: map[string][]string{
				"Webhook-Id": {string(d.EventID)}, "Webhook-Timestamp": {fmt.Sprint(at.Unix())},
				"Webhook-Signature": {"v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="}, "Content-Type": {"application/json"},
				"Busbar-Attempt": {"1"}, "User-Agent": {"Busbar/1.2.3"}, "Authorization": {"••••••"},
			},
			ResponseHeaders: map[string][]string{"Content-Type": {"application/json"}, "Server": {"nginx"}},
			ResponseBody:    `{"received":true}`,
		}
		done := &store.Finished{Status: busbar.DeliveryDelivered, Attempt: attempt}
		if d.EndpointID == bad {
			done.Attempt.StatusCode, done.Attempt.ErrorClass, done.Attempt.Error = 503, "status", "the endpoint answered 503 Service Unavailable"
			done.Attempt.ResponseBody = "<html><body>Try later</body></html>"
			if done.Status = busbar.DeliveryFailed; i%3 != 0 {
				done.Status, done.NextAttemptAt = busbar.DeliveryPending, a.now().Add(time.Duration(5+i)*time.Minute)
				done.Attempt.NextAttemptAt = done.NextAttemptAt
			}
		}
		if d.EndpointID == good || d.EndpointID == bad {
			must(a.t, a.store.Finish(a.t.Context(), []*store.Finished{done}))
		}
	}
}

// resendSome lets a job come half way.
func (a *app) resendSome(id busbar.JobID) {
	a.t.Helper()
	j, err := a.store.Job(a.t.Context(), busbar.Sandbox, id)
	must(a.t, err)
	e, err := a.store.Endpoint(a.t.Context(), busbar.Sandbox, j.EndpointID)
	must(a.t, err)
	must(a.t, a.store.CountJob(a.t.Context(), &j, &e))
	missed, err := a.store.Missed(a.t.Context(), &j, 4)
	must(a.t, err)
	for _, d := range missed {
		must(a.t, a.store.Finish(a.t.Context(), []*store.Finished{{
			Status: busbar.DeliveryDelivered, Job: id,
			Attempt: busbar.Attempt{DeliveryID: d.ID, Number: 2, At: a.now(), Duration: 20 * time.Millisecond, StatusCode: 200},
		}}))
	}
}

// shown are the pictures of the README.
//
//nolint:gochecknoglobals // a table
var shown = map[string]string{
	"overview-light": "dashboard-overview", "delivery-dark": "dashboard-delivery", "device-light": "dashboard-device", "rule-edit-light": "dashboard-rule",
}

// Every page, in both themes and on a narrow screen: nothing for axe-core to find, nothing wider than the window, nothing
// that moves. The pictures are for people to look at.
func TestEveryPageIsAccessibleInBothThemes(t *testing.T) {
	t.Parallel()
	a, url, admin, paths := furnished(t)
	c := newChrome(t, url)
	check := func(name, path string) {
		for _, dark := range []bool{false, true} {
			c.dark(dark)
			c.size(1360, 900)
			c.open(path)
			theme := map[bool]string{false: "light", true: "dark"}[dark]
			c.calm(name + " in " + theme)
			c.accessible(name + " in " + theme)
			c.picture(name+"-"+theme, true)
			if kept := shown[name+"-"+theme]; kept != "" && *pictures {
				c.keep(filepath.Join("..", "docs", "images"), kept, false)
			}
		}
		c.dark(false)
		c.size(375, 780)
		c.open(path)
		c.calm(name + " at 375 px")
		c.accessible(name + " at 375 px")
		c.picture(name+"-narrow", true)
	}
	check("login", "/login")
	must(t, a.store.CreateLoginLink(t.Context(), busbar.HashToken("link"), admin.ID, a.now().Add(time.Hour)))
	check("welcome", "/welcome/link")
	c.signInAs(a, admin)
	for name, path := range paths {
		check(name, path)
	}
	want[object](a, http.StatusOK, http.MethodPost, "/v1/automation", `{"enabled":false,"siteId":"site_home"}`)
	check("automation-stopped", "/sandbox/automation")
	want[object](a, http.StatusOK, http.MethodPost, "/v1/automation", `{"enabled":false}`)
	check("rules-stopped", "/sandbox/rules")
	if problems := a.logs.String(); strings.Contains(problems, "page failed") || strings.Contains(problems, "panicked") {
		t.Error(problems)
	}
}
