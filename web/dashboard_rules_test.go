package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"busbar"
)

// ruleFields are a rule as the form sends it.
func ruleFields(more ...string) url.Values {
	form := url.Values{
		"as": {"form"}, "do": {"save"}, "name": {"Full"}, "mode": {"active"}, "on": {"device.updated"}, "deviceType": {"battery"}, "if": {"state.level >= 99"},
		"edge": {"rising"}, "priority": {"60"}, "then[0].kind": {"push"}, "then[0].push.device": {"find(site.evChargers, .state.isConnected)"},
		"then[0].push.command": {"ev_charger charge"}, "then[0].push.parameters.current.value": {"16"}, "then[0].push.parameters.current.unit": {"amps"},
	}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

func TestARuleIsMadeByAFormChangedAndRestored(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	wantPage(t, b.get("/sandbox/rules"), http.StatusOK, "Start from the library", "/v1/rules")
	wantPage(t, b.get("/sandbox/rule-library"), http.StatusOK, "Charge the car when the battery is full", "/sandbox/rule-new?from=battery-full-charge-car")
	wantPage(t, b.get("/sandbox/rule-new?from=battery-full-charge-car"), http.StatusOK, "ev_charger charge", "clamp(floor(", "the car gets the surplus once")
	wantPage(t, b.get("/sandbox/rule-new?from=nothing"), http.StatusNotFound, "no such rule")

	made := b.post("/sandbox/rule-new", ruleFields())
	wantPage(t, made, http.StatusOK, "The rule was created.", "state.level &gt;= 99", "send charge to find(site.evChargers")
	id := strings.TrimPrefix(made.path, "/sandbox/rules/")
	if got := want[object](b.app, http.StatusOK, http.MethodGet, "/v1/rules/"+id, ""); got["priority"] != 60.0 || got["mode"] != "active" {
		t.Errorf("saved as %v", got)
	}
	wantPage(t, b.get(made.path+"/edit"), http.StatusOK, "Saving makes version 2", `value="Full"`)
	wantPage(t, b.post(made.path+"/edit", ruleFields("if", "state.level >= 98", "cooldown", "30m")), http.StatusOK, "Version 2 was saved.", "30 min")
	changed := b.get(made.path + "/versions/2")
	wantPage(t, changed, http.StatusOK, "What it changed since version 1", "cooldown: 30m")
	if !regexp.MustCompile(`(?s)class="removed">.*?state.level &gt;= 99.*?class="added">.*?state.level &gt;= 98`).MatchString(changed.body) {
		t.Error("the change of the condition is not shown")
	}
	wantPage(t, b.post(made.path+"/versions/1/restore", nil), http.StatusOK, "Version 3 says what version 1 did.", "what version 1 said")
	wantPage(t, b.post(made.path+"/mode", url.Values{"mode": {"shadow"}}), http.StatusOK, "in shadow: it decides, and sends nothing")
	wantPage(t, b.get("/sandbox/rules?mode=shadow"), http.StatusOK, "Full")
	wantPage(t, b.get("/sandbox/rules?mode=disabled"), http.StatusOK, "No rule fits these filters.")
	wantPage(t, b.post(made.path+"/delete", nil), http.StatusOK, "Delete this rule?")
	wantPage(t, b.post(made.path+"/delete", url.Values{"sure": {"yes"}}), http.StatusOK, "The rule was deleted.")
	wantPage(t, b.get(made.path), http.StatusNotFound)
	b.signIn("root")
	log := b.get("/audit").body
	for _, action := range []string{"rule.create", "rule.update", "rule.restore", "rule.mode", "rule.delete"} {
		if !strings.Contains(log, action) {
			t.Errorf("the audit log lacks %s", action)
		}
	}
}

func TestARuleGoesFromFormToYAMLAndBack(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	yaml := b.post("/sandbox/rule-new", ruleFields("do", "yaml"))
	wantPage(t, yaml, http.StatusOK, "name: Full", "command: charge", "unit: amps")
	const file = "# kept\nname: From a file\non: [device.updated]\nif: state.level > 5 # enough\nthen:\n  - emit: {type: a.b}\n"
	wantPage(t, b.post("/sandbox/rule-new", url.Values{"as": {"yaml"}, "do": {"form"}, "yaml": {file}}), http.StatusOK, `value="From a file"`, "then[0].emit.type")
	wantPage(t, b.post("/sandbox/rule-new", url.Values{"as": {"yaml"}, "do": {"form"}, "yaml": {"name: ["}}), http.StatusUnprocessableEntity, "until this is put right", "name: [")
	made := b.post("/sandbox/rule-new", url.Values{"as": {"yaml"}, "do": {"save"}, "yaml": {strings.ReplaceAll(file, "\n", "\r\n")}})
	wantPage(t, made, http.StatusOK, "The rule was created.", "# enough")
	wantPage(t, b.get(made.path+"/edit?as=yaml"), http.StatusOK, "# kept\nname: From a file")
}

func TestTheEditorSaysWhatIsWrongBesideTheField(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	beside := func(page look, field, text string) {
		t.Helper()
		slot := regexp.MustCompile(`(?s)data-field="` + regexp.QuoteMeta(field) + `"[^>]*>(.*?)</div>`).FindStringSubmatch(page.body)
		if len(slot) < 2 || !strings.Contains(slot[1], text) {
			t.Errorf("beside %s stands %q, want %q", field, slot, text)
		}
	}
	bad := b.post("/sandbox/rule-new", ruleFields("if", "state.lvl >= 99", "then[0].push.parameters.current.value", "60", "then[0].push.guard", "1"))
	wantPage(t, bad, http.StatusUnprocessableEntity, "It was not saved")
	beside(bad, "if", "did you mean level?")
	beside(bad, "if", "<code>lvl</code>")
	beside(bad, "then[0].push.guard", "where a boolean is needed")
	if n := len(b.app.items("/v1/rules")); n != 0 {
		t.Errorf("%d rules were made", n)
	}
	unnamed := b.post("/sandbox/rule-draft", ruleFields("name", "", "if", "state.lvl > 1", "then[0].push.device", ""))
	wantPage(t, unnamed, http.StatusOK, "did you mean level?", "is missing")
	wrong := b.post("/sandbox/rule-new", ruleFields("for", "soon", "priority", "high", "name", ""))
	beside(wrong, "for", "is not a duration")
	beside(wrong, "priority", "whole number")
	beside(wrong, "name", "Is missing")
	failing := ruleFields("tests", "- name: it fires\n  given: [{device: battery, state: {level: 50}}]\n  expect: [{push: {command: charge}}]")
	wantPage(t, b.post("/sandbox/rule-new", failing), http.StatusUnprocessableEntity, "a rule whose tests fail cannot be active", "no command came")
	failing.Set("mode", "shadow")
	made := b.post("/sandbox/rule-new", failing)
	wantPage(t, made, http.StatusOK, "The rule was created.")
	wantPage(t, b.post(made.path+"/mode", url.Values{"mode": {"active"}}), http.StatusOK, "A rule whose tests fail cannot be active", "in shadow")
	for _, hostile := range []url.Values{
		{"do": {"remove then 99"}},
		{"do": {"up x y"}},
		{"do": {"add then nothing"}},
		{"as": {"yaml"}, "do": {"save"}},
		{"as": {"other"}, "do": {"form"}},
		{},
		{"if": {strings.Repeat("(", 70000)}, "on": {"\x00"}, "then[0].kind": {"emit"}, "then[0].emit.data": {"a: &a [*a]"}, "name": {"<script>alert(1)</script>"}},
	} {
		if got := b.post("/sandbox/rule-new", hostile); got.status >= 500 || strings.Contains(got.body, "<script>alert") {
			t.Errorf("%v: %d", hostile, got.status)
		}
	}
}

func TestStepsAreAddedWithoutScript(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	got := b.post("/sandbox/rule-new", ruleFields("do", "add then emit"))
	wantPage(t, got, http.StatusOK, `name="then[1].kind" value="emit"`, "Remove Step 2")
	got = b.post("/sandbox/rule-new", ruleFields("do", "add else_failed push", "then[0].push.command", "battery charge"))
	wantPage(t, got, http.StatusOK, `name="else_failed[0].kind" value="push"`, `<fieldset class="stack tight" data-for="then[0].push.command" data-value="battery charge">`)
}

func TestThePanelSaysWhatTheRuleMakesOfAnEvent(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	b.app.createHome()
	b.app.report("ev-charger", `{"isConnected":true}`)
	first := b.app.report("battery", `{"level":99}`)["eventId"].(string)
	b.app.report("battery", `{"level":50}`)
	panel := b.post("/sandbox/rule-draft", ruleFields())
	wantPage(t, panel, http.StatusOK, "It can be used as it is", "state.level is 50", "Were it true, it would then", "Sends charge (current 16\u202fA) to ev-charger")
	if strings.Contains(panel.body, "<html") {
		t.Error("the panel is a whole page")
	}
	wantPage(t, b.post("/sandbox/rule-draft", ruleFields("event", first)), http.StatusOK, "state.level is 99", "It would then")
	wantPage(t, b.post("/sandbox/rule-draft", ruleFields("if", "state.level >=")), http.StatusOK, "1 thing is not right yet", "ends too early")
	b.signIn("root")
	schema := b.get("/sandbox/rule-schema?deviceType=battery")
	wantPage(t, schema, http.StatusOK, `"evChargers"`, `"crossedUp"`)
}

func TestNobodyOverlooksAnEmergencyStop(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	b.app.createHome()
	wantPage(t, b.get("/sandbox/events"), http.StatusOK, "Emergency stop")
	asked := b.post("/sandbox/automation", url.Values{"enabled": {"false"}})
	wantPage(t, asked, http.StatusOK, "Stop automation?", "everywhere in sandbox")
	if strings.Contains(b.get("/sandbox").body, "is stopped") {
		t.Fatal("automation is stopped before it was confirmed")
	}
	wantPage(t, b.post("/sandbox/automation", url.Values{"enabled": {"false"}, "siteId": {"home"}, "sure": {"yes"}}), http.StatusOK, "Automation is stopped at Home")
	wantPage(t, b.post("/sandbox/automation", url.Values{"enabled": {"false"}, "sure": {"yes"}}), http.StatusOK, "All automation is stopped", "by me")
	for _, path := range []string{"/sandbox", "/sandbox/events", "/sandbox/rules", "/sandbox/rule-new", "/account", "/about", "/sandbox/nowhere"} {
		page := b.get(path)
		if !strings.Contains(page.body, "All automation is stopped") || !strings.Contains(page.body, "by me") {
			t.Errorf("%s does not say that automation is stopped", path)
		}
	}
	if strings.Contains(b.get("/live").body, "is stopped") {
		t.Error("a stop of the sandbox is shown in live")
	}
	b.get("/sandbox")
	wantPage(t, b.post("/sandbox/automation", url.Values{"enabled": {"true"}}), http.StatusOK, "Turn automation on again?")
	wantPage(t, b.post("/sandbox/automation", url.Values{"enabled": {"true"}, "sure": {"yes"}}), http.StatusOK, "Rules act again.", "Automation is stopped at Home")
	wantPage(t, b.post("/sandbox/automation", url.Values{"enabled": {"true"}, "siteId": {"home"}, "sure": {"yes"}}), http.StatusOK, "Rules act again.")
	if strings.Contains(b.get("/sandbox").body, "is stopped") {
		t.Error("a stop that was ended is shown")
	}
	wantPage(t, b.post("/sandbox/automation", url.Values{"enabled": {"false"}, "siteId": {"nowhere"}, "sure": {"yes"}}), http.StatusNotFound)
}

func TestAViewerReadsRulesAndChangesNothing(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleViewer)
	rule := want[object](b.app, http.StatusCreated, http.MethodPost, "/v1/rules", full)["id"].(string)
	wantPage(t, b.get("/sandbox/rules/"+rule), http.StatusOK, "Full")
	wantPage(t, b.get("/sandbox/automation"), http.StatusOK, "yours is viewer")
	for _, path := range []string{"/sandbox/rule-new", "/sandbox/rules/" + rule + "/edit", "/sandbox/rules/" + rule + "/mode", "/sandbox/rules/" + rule + "/delete", "/sandbox/automation"} {
		if got := b.post(path, url.Values{"sure": {"yes"}, "mode": {"disabled"}, "enabled": {"false"}}); got.status != http.StatusForbidden {
			t.Errorf("post %s: %d", path, got.status)
		}
	}
}

func TestWhatRulesDidIsOnTheOverviewAndWithWhatCameOfIt(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleViewer)
	b.app.createHome()
	b.app.chargeRule("charge", "active")
	b.app.chargeRule("trial", "shadow")
	if strings.Contains(b.get("/sandbox").body, "Latest firings") {
		t.Error("firings are shown though there are none")
	}
	b.app.filling()
	overview := b.get("/sandbox")
	wantPage(t, overview, http.StatusOK, "Latest firings", "/sandbox/runs?decision=fired", "Fired: send charge to ev-charger, which is under way.")
	runs := regexp.MustCompile(`/sandbox/runs/run_[0-9a-f]+`).FindAllString(overview.body, -1)
	if len(runs) != 1 {
		t.Fatalf("the overview shows the runs %v", runs)
	}
	wantPage(t, b.get(runs[0]), http.StatusOK, "Fired: send charge to ev-charger")
	action := b.app.items("/v1/actions")[0]["id"].(string)
	wantPage(t, b.get("/sandbox/actions/"+action), http.StatusOK, `href="`+runs[0]+`"`, `href="/sandbox/rules/charge"`)
	wantPage(t, b.get("/sandbox/devices/ev-charger"), http.StatusOK, `href="`+runs[0]+`"`)
}

func TestAnEventAndARuleSayWhyItDidNotFire(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleViewer)
	b.app.createHome()
	want[object](b.app, http.StatusCreated, http.MethodPost, "/v1/rules", `{"id":"full","name":"Tell when full","on":["device.updated"],"deviceType":"battery",`+
		`"if":"state.level >= 99","then":[{"emit":{"type":"battery.full"}}]}`)
	b.app.report("battery", `{"level":90}`)
	event := b.app.report("battery", `{"level":97.5}`)["eventId"].(string)
	const why = "Did not fire: state.level is 97.5, the condition needs &gt;= 99."
	page := b.get("/sandbox/events/" + event)
	wantPage(t, page, http.StatusOK, "Tell when full", why)
	event = b.app.report("battery", `{"level":99.5}`)["eventId"].(string)
	wantPage(t, b.get("/sandbox/rules/full?decision=fired"), http.StatusOK, "Fired: make the event battery.full")
	link := regexp.MustCompile(`/sandbox/runs/run_[0-9a-f]+`).FindString(b.get("/sandbox/events/" + event).body)
	wantPage(t, b.get(link), http.StatusOK, "Fired: make the event battery.full", "state.level is 99.5", event,
		`href="http://temporal.example/run-sandbox-`+strings.TrimPrefix(link, "/sandbox/runs/")+`"`)
	idle := regexp.MustCompile(`/sandbox/runs/run_[0-9a-f]+`).FindString(b.get("/sandbox/rules/full?decision=false").body)
	if page := b.get(idle); strings.Contains(page.body, "Workflow in Temporal") {
		t.Error("a run without steps links to a workflow")
	}
	wantPage(t, b.get("/sandbox/rules/full?decision=error"), http.StatusOK, "It decided nothing of that kind.")
	wantPage(t, b.get("/sandbox/runs?decision=fired"), http.StatusOK, "Tell when full", "Fired: make the event battery.full")
	wantPage(t, b.get("/sandbox/runs?decision=held"), http.StatusOK, "No run fits these filters.")
	wantPage(t, b.get("/live/runs"), http.StatusOK, "No rule was asked yet")
}
