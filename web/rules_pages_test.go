package web_test

import (
	"net/http"
)

// batteryFull is a rule of the home that the pages show.
const batteryFull = `{"id":"battery_full","name":"Charge the car when the battery is full","on":["device.updated"],"deviceType":"battery",` +
	`"if":"state.level >= 99 and site.meter.state.importPower < -0.5","for":"10m","cooldown":"30m","window":{"from":"08:00","to":"18:00"},` +
	`"then":[{"push":{"device":"find(site.evChargers, .state.isConnected)","command":"charge","onConflict":"cancel_and_replace",` +
	`"parameters":{"current":{"value":"clamp(floor(-site.meter.state.importPower / 0.69), 6, 16)","unit":"amps"}}}}],` +
	`"else_failed":[{"emit":{"type":"automation.failed","data":{"reason":"error.message"}}}],` +
	`"tests":[{"name":"fires at full","given":[{"device":"meter","state":{"importPower":-5}},{"device":"battery","state":{"level":98}},{"after":"1m","state":{"level":100}},` +
	`{"after":"11m","device":"meter","state":{"importPower":-6}}],"expect":[{"push":{"deviceType":"ev_charger","command":"charge"}}]}]}`

// furnishRules makes rules that have stood for a while, and lets some be asked.
func (a *app) furnishRules() (paths map[string]string) {
	a.t.Helper()
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", batteryFull)
	want[object](a, http.StatusOK, http.MethodPatch, "/v1/rules/battery_full", `{"cooldown":"1h","priority":70}`)
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", `{"id":"level_news","name":"Tell of each level above 60","mode":"shadow","on":["device.updated"],"deviceType":"battery",`+
		`"if":"state.level > 60","edge":"every","then":[{"emit":{"type":"battery.level","data":{"level":"state.level"}}}]}`)
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", `{"id":"night","name":"Back to balanced at night","mode":"disabled","on":["device.updated"],"deviceType":"battery",`+
		`"if":"inWindow(\"22:00\", \"06:00\")","then":[{"push":{"device":"device","command":"auto.balanced"}}]}`)
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", `{"id":"surplus","name":"Keep what the roof makes","mode":"active","on":["device.updated"],"deviceType":"meter",`+
		`"if":"state.importPower < -1 and any(site.batteries, .state.level < 95)",`+
		`"then":[{"push":{"device":"site.batteries","command":"charge","parameters":{"power":{"value":"clamp(-state.importPower, 0, 5)","unit":"kw"}}}},`+
		`{"push":{"device":"site.evChargers","command":"idle"}}]}`)
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", `{"id":"warm","name":"Warm up while there is plenty","mode":"shadow","on":["device.updated"],"deviceType":"battery",`+
		`"if":"state.level > 60","edge":"every","then":[{"push":{"device":"site.hvacs","command":"heat","parameters":{"target":{"value":"21","unit":"celsius"}}}}]}`)
	a.report("dev_meter", `{"importPower":-4.2}`)
	a.report("dev_charger", `{"isConnected":true}`)
	a.report("dev_battery", `{"level":97}`)
	event := a.report("dev_battery", `{"level":99.5}`)["eventId"].(string)
	run := a.items("/v1/runs?decision=shadowed")[0]["id"].(string)
	fired := a.items("/v1/runs?decision=fired")[0]
	action := a.items("/v1/actions?ruleId=surplus")[0]["id"].(string)
	return map[string]string{
		"rules": "/sandbox/rules", "rules-empty": "/live/rules", "rule": "/sandbox/rules/battery_full", "rule-edit": "/sandbox/rules/battery_full/edit",
		"rule-backtest": "/sandbox/rules/level_news/backtest", "rule-backtest-other": "/sandbox/rules/battery_full/backtest?version=1",
		"rule-yaml": "/sandbox/rules/battery_full/edit?as=yaml", "rule-new": "/sandbox/rule-new", "rule-library": "/sandbox/rule-library",
		"rule-version": "/sandbox/rules/battery_full/versions/1", "rule-newest": "/sandbox/rules/battery_full/versions/2", "rule-delete": "/sandbox/rules/night/delete",
		"automation": "/sandbox/automation", "runs": "/sandbox/runs", "runs-empty": "/live/runs", "run": "/sandbox/runs/" + run, "run-fired": "/sandbox/runs/" + text(fired["id"]),
		"rule-fired": "/sandbox/rules/surplus", "rule-shadow": "/sandbox/rules/warm", "event-fired": "/sandbox/events/" + text(fired["eventId"]), "action": "/sandbox/actions/" + action,
		"event-rules": "/sandbox/events/" + event,
	}
}
