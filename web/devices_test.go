package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
	"busbar/internal/webhook"
)

func TestDeviceFromCreationToDeletion(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	created := a.createDevice(`{"type":"ev_charger","siteId":"home","name":"Wallbox","vendor":"Acme","model":"11","userId":"u1","staleAfter":"5m",
		"driver":{"kind":"manual"},"settings":{"max_charge_rate":{"value":7000,"unit":"watts"}}}`)
	id := created["id"].(string)
	if !strings.HasPrefix(id, "dev_") {
		t.Errorf("id %s", id)
	}
	if diff := cmp.Diff(created, want[object](a, http.StatusOK, http.MethodGet, "/v1/devices/"+id, "")); diff != "" {
		t.Errorf("read (-created +read):\n%s", diff)
	}
	delete(created, "createdAt")
	delete(created, "updatedAt")
	wanted := object{
		"id": id, "type": "ev_charger", "deviceType": "ev_charger", "siteId": "home", "name": "Wallbox", "vendor": "Acme", "model": "11", "userId": "u1",
		"staleAfter": "5m0s", "driver": object{"kind": "manual"}, "connection": "disconnected", "sync": object{"available": false, "lastPulledAt": nil},
		"state": object{}, "lastAction": nil, "conflictStrategies": []any{"cancel_and_replace", "queue_after"},
		"commands": object{
			"charge": object{
				"parameters": object{"current": object{"unit": "amps", "min": 6.0, "max": 32.0}},
				"execution":  []any{"immediate", "scheduled", "windowed"},
			},
			"idle": object{"parameters": object{}, "execution": []any{"immediate", "scheduled"}},
		},
		"settings": object{"max_charge_rate": object{"value": 7.0, "unit": "kw", "min": 0.0, "max": 50.0}},
	}
	if diff := cmp.Diff(wanted, created); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A read of the family has the same, without what only its owner needs.
	for _, name := range []string{"type", "name", "model", "userId", "staleAfter", "driver"} {
		delete(wanted, name)
	}
	if diff := cmp.Diff(wanted, want[object](a, http.StatusOK, http.MethodGet, "/v1/ev-charger/"+id+"?expedite=true", "")); diff != "" {
		t.Errorf("read of the family (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wanted, a.items("/v1/ev-charger?userId=u1")[0]); diff != "" {
		t.Errorf("list of the family (-want +got):\n%s", diff)
	}
	for path, n := range map[string]int{
		"/v1/devices": 7, "/v1/devices?type=ev_charger": 2, "/v1/devices?siteId=home&type=battery": 1, "/v1/devices?siteId=none": 0,
		"/v1/ev-charger": 2, "/v1/ev-charger?userId=u2": 0, "/v1/hvac?siteId=home": 1,
	} {
		if got := len(a.items(path)); got != n {
			t.Errorf("%s: %d, want %d", path, got, n)
		}
	}
	want[object](a, http.StatusOK, http.MethodDelete, "/v1/devices/"+id, "")
	if got := a.send(http.MethodGet, "/v1/devices/"+id, ""); got.Error.Code != busbar.CodeDeviceNotFound {
		t.Errorf("a deleted device: %s", got.Body)
	}
}

func TestChangeOfADeviceTellsAbsentFromNull(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/sites", `{"id":"hut","name":"Hut","timezone":"UTC"}`)
	a.createDevice(`{"id":"b","type":"battery","siteId":"home","vendor":"Acme","staleAfter":"1m","driver":{"kind":"manual"},
		"commands":{"charge":{"parameters":{"power":{"unit":"watts","min":0,"max":3000}},"execution":["immediate","immediate"]},"auto.balanced":{"execution":["scheduled"]}},
		"settings":{"discharge_floor":{"value":10,"unit":"percent"},"charge_ceiling":{"value":90,"unit":"percent"}}}`)
	charge := object{"charge": object{"parameters": object{"power": object{"unit": "watts", "min": 0.0, "max": 3000.0}}, "execution": []any{"immediate"}}}
	for _, step := range []struct {
		body, field string
		want        any
	}{
		{`{}`, "vendor", "Acme"},
		{`{"vendor":null}`, "vendor", ""},
		{`{"staleAfter":null}`, "staleAfter", "15m0s"},
		{`{"siteId":"hut"}`, "siteId", "hut"},
		{`{"commands":{"charge":{"parameters":{"power":{"unit":"watts","min":0,"max":3000}},"execution":["immediate"]}}}`, "commands", charge},
		{`{"name":"n"}`, "commands", charge},
		{`{"commands":{}}`, "commands", object{}},
		{`{"name":null}`, "name", ""},
		{`{"driver":{"kind":"simulator"}}`, "driver", object{"kind": "simulator"}},
	} {
		got := want[object](a, http.StatusOK, http.MethodPatch, "/v1/devices/b", step.body)
		if diff := cmp.Diff(step.want, got[step.field]); diff != "" {
			t.Errorf("after %s, %s (-want +got):\n%s", step.body, step.field, diff)
		}
	}
	restored := want[object](a, http.StatusOK, http.MethodPatch, "/v1/devices/b", `{"commands":null}`)
	if n := len(restored["commands"].(object)); n != 6 {
		t.Errorf("%d commands by default", n)
	}
	values := func(got object) string {
		settings := got["settings"].(object)
		return fmt.Sprint(settings["discharge_floor"].(object)["value"], settings["charge_ceiling"].(object)["value"])
	}
	for _, step := range []struct{ body, want string }{
		{`{}`, "10 90"},
		{`{"settings":{"charge_ceiling":{"value":80,"unit":"percent"}}}`, "10 80"},
		{`{"settings":{"discharge_floor":null}}`, "<nil> 80"},
		{`{"settings":null}`, "<nil> <nil>"},
	} {
		if got := values(want[object](a, http.StatusOK, http.MethodPatch, "/v1/devices/b", step.body)); got != step.want {
			t.Errorf("settings after %s: %s, want %s", step.body, got, step.want)
		}
	}
}

func TestSettingsAreASparseMap(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	got := want[object](a, http.StatusOK, http.MethodPost, "/v1/battery/battery/settings",
		`{"max_export_power":{"value":3,"unit":"kw"},"discharge_floor":{"value":10,"unit":"percent"}}`)
	if diff := cmp.Diff([]any{"discharge_floor", "max_export_power"}, got["updated"]); diff != "" || got["deviceId"] != "battery" {
		t.Errorf("%v:\n%s", got, diff)
	}
	want[object](a, http.StatusOK, http.MethodPost, "/v1/battery/battery/settings", `{"discharge_floor":{"value":15,"unit":"percent"}}`)
	settings := want[object](a, http.StatusOK, http.MethodGet, "/v1/battery/battery", "")["settings"].(object)
	if settings["max_export_power"].(object)["value"] != 3000.0 || settings["discharge_floor"].(object)["value"] != 15.0 {
		t.Errorf("settings: %v", settings)
	}
}

func TestSecretsOfDriversAreWriteOnly(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	stored := func(id busbar.DeviceID) busbar.Driver {
		t.Helper()
		d, err := a.store.DeviceWithSecret(t.Context(), busbar.Sandbox, id)
		must(t, err)
		return d.Driver
	}
	// One that is made up is shown once.
	made := a.createDevice(`{"id":"g1","type":"battery","siteId":"home","driver":{"kind":"http","url":"http://127.0.0.1:9/c"}}`)
	secret := made["driver"].(object)["secret"].(string)
	if _, err := webhook.ParseKey(secret); err != nil || stored("g1").Secret != secret {
		t.Errorf("secret %q: %v", secret, err)
	}
	const own, key = "whsec_aHVzaC1odXNoLWh1c2gtaHVzaA==", "hush-hush-key"
	answers := a.send(http.MethodPost, "/v1/devices", `{"id":"g2","type":"battery","siteId":"home","driver":{"kind":"http","url":"http://127.0.0.1:9/c","secret":"`+own+`"}}`).Body
	answers += a.send(http.MethodPost, "/v1/devices", `{"id":"g3","type":"battery","siteId":"home","driver":{"kind":"amps","url":"http://127.0.0.1:9/v1","apiKey":"`+key+`","deviceId":"far"}}`).Body
	for _, path := range []string{"/v1/devices", "/v1/devices/g1", "/v1/devices/g2", "/v1/devices/g3", "/v1/battery/g1", "/v1/battery"} {
		answers += a.send(http.MethodGet, path, "").Body
	}
	answers += a.send(http.MethodPatch, "/v1/devices/g1", `{"name":"x"}`).Body
	answers += a.send(http.MethodPatch, "/v1/devices/g1", `{"driver":{"url":"http://127.0.0.1:9/d"}}`).Body
	answers += a.send(http.MethodPatch, "/v1/devices/g3", `{"driver":{"kind":"amps","deviceId":"near"}}`).Body
	if diff := cmp.Diff(busbar.Driver{Kind: busbar.DriverHTTP, URL: "http://127.0.0.1:9/d", Secret: secret}, stored("g1")); diff != "" {
		t.Errorf("a driver that moved (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(busbar.Driver{Kind: busbar.DriverAmps, URL: "http://127.0.0.1:9/v1", Secret: key, DeviceID: "near"}, stored("g3")); diff != "" {
		t.Errorf("a driver of another API (-want +got):\n%s", diff)
	}
	for _, hush := range []string{secret, own, key} {
		if strings.Contains(answers, hush) || strings.Contains(a.logs.String(), hush) {
			t.Errorf("%.8s… was shown", hush)
		}
	}
	if !strings.Contains(answers, "http://127.0.0.1:9/d") || !strings.Contains(answers, `"deviceId":"near"`) {
		t.Error("where commands go is not shown")
	}
	renewed := want[object](a, http.StatusOK, http.MethodPatch, "/v1/devices/g1", `{"driver":{"secret":null}}`)["driver"].(object)["secret"]
	if renewed == secret || renewed != stored("g1").Secret {
		t.Errorf("secret %v after another was asked for", renewed)
	}
	// Another kind of driver keeps nothing of the one before.
	want[object](a, http.StatusOK, http.MethodPatch, "/v1/devices/g3", `{"driver":{"kind":"manual"}}`)
	if diff := cmp.Diff(busbar.Driver{Kind: busbar.DriverManual}, stored("g3")); diff != "" {
		t.Errorf("another kind (-want +got):\n%s", diff)
	}
}

func TestReadingsChangeWhatIsSeen(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	first := a.report("battery", `{"level":97.46,"status":"charging","temperature":null}`)
	if first["status"] != "updated" || first["eventId"] == nil {
		t.Fatalf("first reading: %v", first)
	}
	event := want[object](a, http.StatusOK, http.MethodGet, "/v1/events/"+first["eventId"].(string), "")
	if event["type"] != "device.updated" || event["deviceId"] != "battery" || event["siteId"] != home || event["seq"].(float64) < 1 {
		t.Errorf("event: %v", event)
	}
	data := event["data"].(object)
	if diff := cmp.Diff([]any{[]any{"status", "level"}, object{"level": 97.5, "status": "charging", "temperature": nil}, object{}},
		[]any{data["changed"], data["state"], data["previous"]}); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	if got := a.report("battery", `{"level":97.54}`); got["status"] != "unchanged" || got["eventId"] != nil {
		t.Errorf("less than the resolution: %v", got)
	}
	if got := a.report("battery", `{}`); got["status"] != "unchanged" {
		t.Errorf("a sign of life: %v", got)
	}
	late := want[object](a, http.StatusAccepted, http.MethodPost, "/v1/devices/battery/state", `{"observedAt":"2026-01-01T00:00:00Z","state":{"level":3}}`)
	if late["status"] != "late" || late["eventId"] != nil {
		t.Errorf("late: %v", late)
	}
	read := want[object](a, http.StatusOK, http.MethodGet, "/v1/battery/battery", "")
	if diff := cmp.Diff(object{"level": 97.5, "status": "charging", "temperature": nil}, read["state"]); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	if s := read["sync"].(object); s["available"] != true || !milliseconds.MatchString(s["lastPulledAt"].(string)) {
		t.Errorf("sync: %v", s)
	}
	history := a.items("/v1/devices/battery/history?field=level")
	var points []any
	for _, p := range history {
		points = append(points, p["value"], p["late"])
	}
	if diff := cmp.Diff([]any{97.54, false, 97.46, false, 3.0, true}, points); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if n := len(a.items("/v1/devices/battery/history?field=level&since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z")); n != 1 {
		t.Errorf("%d points on new year's day", n)
	}
	if n := len(a.items("/v1/events?siteId=home&type=device.updated")); n != 1 {
		t.Errorf("%d events of the site", n)
	}
}

func TestManyReadingsAreAnsweredEach(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	got := want[[]object](a, http.StatusAccepted, http.MethodPost, "/v1/devices/state", `{"readings":[
		{"deviceId":"battery","state":{"level":50}},
		{"deviceId":"nobody","state":{"level":50}},
		{"deviceId":"meter","state":{"level":50}},
		7,
		{"state":{}},
		{"deviceId":"a/b","state":{}},
		{"deviceId":"hvac","state":{"mode":"HEAT"}},
		{"deviceId":"hvac","state":{},"x":1},
		{"deviceId":"hvac","observedAt":"now","state":[]},
		{"deviceId":"battery","state":{"level":50.01}},
		{"deviceId":"battery","observedAt":"2026-01-01T00:00:00Z","state":{"level":5}},
		{"deviceId":"vehicle","state":{"batteryLevel":1e300}},
		{"deviceId":"vehicle","state":{"batteryLevel":1e399}},
		{"deviceId":"meter","state":{"importPower":-1.5}}]}`)
	var lines []string
	for _, item := range got {
		line := fmt.Sprint(item["deviceId"], " ", item["status"])
		if e, ok := item["error"].(object); ok {
			line = fmt.Sprint(item["deviceId"], " ", e["code"])
			if details, ok := e["details"].(object); ok {
				for _, f := range details["fields"].([]any) {
					line += fmt.Sprint(" ", f.(object)["path"])
				}
			}
		}
		lines = append(lines, line)
	}
	wanted := []string{
		"battery updated", "nobody DEVICE_NOT_FOUND", "meter UNKNOWN_FIELD state.level", "<nil> VALIDATION_FAILED body",
		"<nil> VALIDATION_FAILED deviceId", "a/b DEVICE_NOT_FOUND", "hvac VALIDATION_FAILED state.mode", "hvac UNKNOWN_FIELD x",
		"hvac VALIDATION_FAILED observedAt state", "battery unchanged", "battery late", "vehicle VALIDATION_FAILED state.batteryLevel",
		"vehicle VALIDATION_FAILED state", "meter updated",
	}
	if diff := cmp.Diff(wanted, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	body := `{"readings":[` + strings.TrimSuffix(strings.Repeat(`{"deviceId":"battery","state":{"level":50}},`, busbar.MaxReadings), ",") + `]}`
	if all := want[[]object](a, http.StatusAccepted, http.MethodPost, "/v1/devices/state", body); len(all) != busbar.MaxReadings {
		t.Errorf("%d answers", len(all))
	}
}

func TestConnectionIsAnEventOnChangeOnly(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	for _, step := range []struct{ body, event string }{
		{`{"status":"disconnected"}`, ""},
		{`{"status":"connected"}`, "device.connected"},
		{`{"status":"connected"}`, ""},
		{`{"status":"disconnected","reason":"user_revoked","reconnectionUrl":"https://example.com/again?x=1"}`, "device.disconnected"},
		{`{"status":"disconnected"}`, ""},
		{`{"status":"connected"}`, "device.reconnected"},
	} {
		got := want[object](a, http.StatusAccepted, http.MethodPost, "/v1/devices/hvac/connection", step.body)
		if got["changed"] != (step.event != "") || got["deviceId"] != "hvac" {
			t.Errorf("%s: %v", step.body, got)
		}
		if step.event == "" {
			continue
		}
		event := want[object](a, http.StatusOK, http.MethodGet, fmt.Sprint("/v1/events/", got["eventId"]), "")
		if event["type"] != step.event {
			t.Errorf("%s: %v", step.body, event)
		}
		if step.event == "device.disconnected" && event["data"].(object)["reconnectionUrl"] != "https://example.com/again?x=1" {
			t.Errorf("%s: %v", step.body, event["data"])
		}
	}
	if got := want[object](a, http.StatusOK, http.MethodGet, "/v1/hvac/hvac", ""); got["connection"] != "connected" {
		t.Errorf("connection %v", got["connection"])
	}
}

func TestAPersonsHoldCanBeEnded(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	must(t, a.store.Decide(t.Context(), []busbar.Environment{busbar.Sandbox}, func(tx *store.DecisionTx) error {
		d, err := a.store.Device(t.Context(), busbar.Sandbox, "battery")
		if err != nil {
			return err
		}
		d.HeldUntil = a.now().Add(time.Hour)
		return tx.SaveDevices([]*busbar.Device{&d})
	}))
	held := func() any {
		return want[object](a, http.StatusOK, http.MethodGet, "/v1/battery/battery", "")["heldUntil"]
	}
	if held() == nil {
		t.Error("a hold is not shown")
	}
	if got := want[object](a, http.StatusOK, http.MethodDelete, "/v1/devices/battery/hold", ""); got["heldUntil"] != nil || got["deviceId"] != "battery" {
		t.Errorf("answer: %v", got)
	}
	if held() != nil {
		t.Error("the hold is still there")
	}
	// Ending none is no error.
	want[object](a, http.StatusOK, http.MethodDelete, "/v1/devices/battery/hold", "")
}

func TestFaultsOfSimulatedDevices(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	a.createDevice(`{"id":"sim","type":"battery","siteId":"home","driver":{"kind":"simulator"}}`)
	slow := want[object](a, http.StatusOK, http.MethodPost, "/v1/simulator/sim/faults", `{"kind":"slow"}`)
	until, err := time.Parse(time.RFC3339, slow["until"].(string))
	must(t, err)
	if left := until.Sub(a.now()); slow["delay"] != "30s" || slow["deviceId"] != "sim" || left < 9*time.Minute || left > 10*time.Minute {
		t.Errorf("slow: %v", slow)
	}
	want[object](a, http.StatusOK, http.MethodPost, "/v1/simulator/sim/faults", `{"kind":"slow","delay":"1m","for":"24h"}`)
	want[object](a, http.StatusOK, http.MethodPost, "/v1/simulator/sim/faults", `{"kind":"offline","for":"1h"}`)
	kinds := func() string {
		var list []string
		for _, f := range a.items("/v1/simulator/faults") {
			list = append(list, fmt.Sprint(f["kind"], " ", f["delay"]))
		}
		return strings.Join(list, ", ")
	}
	if got := kinds(); got != "offline <nil>, slow 1m0s" {
		t.Errorf("faults: %s", got)
	}
	a.advance(2 * time.Hour)
	if got := kinds(); got != "slow 1m0s" {
		t.Errorf("faults two hours later: %s", got)
	}
	if n := len(a.items("/v1/simulator/faults?deviceId=battery")); n != 0 {
		t.Errorf("%d faults of another device", n)
	}
	want[object](a, http.StatusOK, http.MethodDelete, "/v1/simulator/sim/faults", "")
	if got := kinds(); got != "" {
		t.Errorf("faults that were cleared: %s", got)
	}
}

func TestFamiliesAsData(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	families := a.items("/v1/families")
	if len(families) != len(busbar.Families()) || families[1]["segment"] != "ev-charger" {
		t.Fatalf("families: %v", families)
	}
	battery := families[0]
	wanted := object{
		"name": "level", "type": "number", "unit": "%", "min": 0.0, "max": 100.0, "resolution": 0.1, "nullable": true, "description": "State of charge.",
	}
	if diff := cmp.Diff(wanted, battery["fields"].([]any)[2]); diff != "" {
		t.Errorf("level (-want +got):\n%s", diff)
	}
	power := battery["commands"].([]any)[0].(object)["parameters"].([]any)[1]
	wanted = object{"name": "power", "unit": "kw", "min": 0.0, "max": 5.0, "accepts": []any{"kw", "watts"}, "required": false}
	if diff := cmp.Diff(wanted, power); diff != "" {
		t.Errorf("power (-want +got):\n%s", diff)
	}
	// What it says is what is taken: each number of each family at its bounds, each word.
	a.createHome()
	for _, f := range families {
		for _, field := range f["fields"].([]any) {
			field := field.(object)
			values := []any{field["min"], field["max"]}
			switch field["type"] {
			case "boolean":
				values = []any{"true", "null"}
			case "string":
				values = nil
				for _, word := range field["enum"].([]any) {
					values = append(values, fmt.Sprintf("%q", word))
				}
			}
			for _, v := range values {
				a.report(f["segment"].(string), fmt.Sprintf(`{%q:%v}`, field["name"], v))
			}
		}
	}
}
