package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
)

const (
	plainRule = `{"id":"car","name":"Charge the car","on":["device.updated"],"deviceType":"battery","if":"state.level >= 99",
		"then":[{"push":{"device":"find(site.evChargers, .state.isConnected)","command":"charge"}}]}`
	ruleFile = `# what the family wants
name: Charge the car
on:   [ device.updated ]
deviceType: battery
if: state.level >= 99   # nearly
then:
  - push: {device: "find(site.evChargers, .state.isConnected)", command: charge}
`
	isYAML    = "Content-Type: application/yaml"
	wantsYAML = "Accept: application/yaml"
)

// testedRule has a test that fails unless the condition is the one that is expected.
func testedRule(id, condition string) string {
	return `{"id":` + strconv.Quote(id) + `,"name":"Tested","on":["device.updated"],"deviceType":"battery","if":` + strconv.Quote(condition) + `,
		"then":[{"push":{"device":"find(site.evChargers, .state.isConnected)","command":"charge"}}],
		"tests":[{"name":"fires at full","given":[{"device":"battery","state":{"level":98}},{"after":"1m","state":{"level":100}}],
			"expect":[{"push":{"deviceType":"ev_charger","command":"charge"}}]}]}`
}

func TestRuleFromCreationToDeletion(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	created := want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", plainRule)
	delete(created, "warnings")
	delete(created, "testResults")
	for name, value := range map[string]any{
		"id": "car", "mode": "active", "edge": "rising", "actWithin": "15m", "priority": 50.0, "version": 1.0, "if": "state.level >= 99", "deviceType": "battery",
	} {
		if created[name] != value {
			t.Errorf("%s of a new rule is %v, want %v", name, created[name], value)
		}
	}
	for _, name := range []string{"paused", "lastFiredAt", "cooldown", "scope"} {
		if v, there := created[name]; there {
			t.Errorf("a new rule has %s %v", name, v)
		}
	}
	if diff := cmp.Diff(created, want[object](a, http.StatusOK, http.MethodGet, "/v1/rules/car", "")); diff != "" {
		t.Errorf("read (-created +read):\n%s", diff)
	}
	if diff := cmp.Diff([]object{created}, a.items("/v1/rules")); diff != "" {
		t.Errorf("list (-created +listed):\n%s", diff)
	}
	if n := len(a.items("/v1/rules", "x-api-key: "+liveKey)); n != 0 {
		t.Errorf("live sees %d rules of the sandbox", n)
	}
	a.advance(time.Second)
	changed := want[object](a, http.StatusOK, http.MethodPatch, "/v1/rules/car", `{"cooldown":"30m","name":"Car"}`)
	if changed["cooldown"] != "30m" || changed["name"] != "Car" || changed["if"] != created["if"] || changed["version"] != 2.0 || changed["createdAt"] != created["createdAt"] || changed["updatedAt"] == created["updatedAt"] {
		t.Errorf("after a change: %v", changed)
	}
	if back := want[object](a, http.StatusOK, http.MethodPatch, "/v1/rules/car", `{"cooldown":null}`); back["cooldown"] != nil || back["name"] != "Car" {
		t.Errorf("after null: %v", back)
	}
	replaced := want[object](a, http.StatusOK, http.MethodPut, "/v1/rules/car", strings.Replace(plainRule, `"id":"car",`, "", 1))
	if replaced["name"] != "Charge the car" || replaced["version"] != 4.0 {
		t.Errorf("replaced: %v", replaced)
	}
	want[object](a, http.StatusOK, http.MethodDelete, "/v1/rules/car", "")
	for _, path := range []string{"/v1/rules/car", "/v1/rules/car/versions", "/v1/rules/car/versions/1"} {
		if got := a.send(http.MethodGet, path, ""); got.Status != http.StatusNotFound {
			t.Errorf("%s after its end: %s", path, got.Body)
		}
	}
	if id := want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", strings.Replace(plainRule, `"id":"car",`, "", 1))["id"].(string); !strings.HasPrefix(id, "rule_") {
		t.Errorf("the server gave the id %s", id)
	}
}

func TestRulesThatCannotBeSaved(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", plainRule)
	before := a.state()
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		code               busbar.Code
		field              string
	}{
		"taken id":                       {path: "/v1/rules", body: plainRule, status: http.StatusConflict, code: busbar.CodeConflict},
		"bad id":                         {path: "/v1/rules", body: strings.Replace(plainRule, `"car"`, `"a b"`, 1), status: 422, code: busbar.CodeValidationFailed, field: "id"},
		"id of a route":                  {path: "/v1/rules", body: strings.Replace(plainRule, `"car"`, `"schema"`, 1), status: 422, code: busbar.CodeValidationFailed, field: "id"},
		"two ids":                        {path: "/v1/rules?id=other", body: plainRule, status: 422, code: busbar.CodeValidationFailed, field: "id"},
		"bad id asked for":               {path: "/v1/rules?id=a.b", body: ruleFile, headers: []string{isYAML}, status: 422, code: busbar.CodeValidationFailed, field: "id"},
		"other id":                       {method: http.MethodPut, path: "/v1/rules/car", body: strings.Replace(plainRule, `"car"`, `"bus"`, 1), status: 422, code: busbar.CodeValidationFailed, field: "id"},
		"id in a change":                 {method: http.MethodPatch, path: "/v1/rules/car", body: `{"id":"bus"}`, status: 422, code: busbar.CodeValidationFailed, field: "id"},
		"no JSON":                        {path: "/v1/rules", body: `{"name":`, status: 400, code: busbar.CodeInvalidJSON},
		"YAML without its type":          {path: "/v1/rules", body: ruleFile, status: 400, code: busbar.CodeInvalidJSON},
		"no YAML":                        {path: "/v1/rules", body: "a: [", headers: []string{isYAML}, status: 422, code: busbar.CodeValidationFailed},
		"unknown field":                  {path: "/v1/rules", body: `{"name":"x","iff":"true"}`, status: 422, code: busbar.CodeUnknownField, field: "iff"},
		"unknown in a change":            {method: http.MethodPatch, path: "/v1/rules/car", body: `{"iff":"true"}`, status: 422, code: busbar.CodeUnknownField, field: "iff"},
		"unknown in a file":              {path: "/v1/rules", body: ruleFile + "iff: true\n", headers: []string{isYAML}, status: 422, code: busbar.CodeUnknownField, field: "iff"},
		"a change to nothing":            {method: http.MethodPatch, path: "/v1/rules/car", body: `{"if":null}`, status: 422, code: busbar.CodeValidationFailed, field: "if"},
		"a change of a list":             {method: http.MethodPatch, path: "/v1/rules/car", body: `[]`, status: 422, code: busbar.CodeValidationFailed, field: "body"},
		"zero byte":                      {method: http.MethodPatch, path: "/v1/rules/car", body: `{"name":"a\u0000b"}`, status: 422, code: busbar.CodeValidationFailed, field: "name"},
		"does not compile":               {method: http.MethodPatch, path: "/v1/rules/car", body: `{"if":"state.lvl > 1"}`, status: 422, code: busbar.CodeInvalidExpression},
		"disabled, but does not compile": {path: "/v1/rules", body: `{"name":"x","mode":"disabled","on":["device.updated"],"if":"1 +","then":[{"push":{"device":"device","command":"idle"}}]}`, status: 422, code: busbar.CodeInvalidExpression},
		"not there":                      {method: http.MethodPut, path: "/v1/rules/bus", body: plainRule, status: 404, code: busbar.CodeNotFound},
		"no such version":                {path: "/v1/rules/car/versions/2/restore", status: 404, code: busbar.CodeNotFound},
		"no version":                     {path: "/v1/rules/car/versions/first/restore", status: 404, code: busbar.CodeNotFound},
		"no mode":                        {path: "/v1/rules/car/mode", body: `{}`, status: 422, code: busbar.CodeValidationFailed, field: "mode"},
		"unknown mode":                   {path: "/v1/rules/car/mode", body: `{"mode":"on"}`, status: 422, code: busbar.CodeValidationFailed, field: "mode"},
		"stop of nothing":                {path: "/v1/automation", body: `{"siteId":"home"}`, status: 422, code: busbar.CodeValidationFailed, field: "enabled"},
		"stop at no site":                {path: "/v1/automation", body: `{"enabled":false,"siteId":"home"}`, status: 404, code: busbar.CodeNotFound},
		"a failing test":                 {path: "/v1/rules", body: testedRule("tested", "state.level > 100"), status: 422, code: busbar.CodeValidationFailed, field: "tests[0]"},
		"too long":                       {path: "/v1/rules", body: ruleFile + "#" + strings.Repeat("x", 64<<10), headers: []string{isYAML}, status: 422, code: busbar.CodeValidationFailed},
	} {
		if c.method == "" {
			c.method = http.MethodPost
		}
		got := a.send(c.method, c.path, c.body, c.headers...)
		if got.Status != c.status || got.Error.Code != c.code {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
			continue
		}
		if c.field != "" && (len(got.Error.Details.Fields) == 0 || got.Error.Details.Fields[0].Path != c.field) {
			t.Errorf("%s: fields %+v, want %s", name, got.Error.Details.Fields, c.field)
		}
	}
	if diff := cmp.Diff(before, a.state()); diff != "" {
		t.Errorf("what was refused left traces:\n%s", diff)
	}
}

func TestARuleThatDoesNotCompileIsRefusedWithDiagnostics(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	got := a.send(http.MethodPost, "/v1/rules", strings.Replace(plainRule, "state.level >= 99", "state.lvl >= 99", 1))
	var body struct {
		Error struct {
			Details struct{ Diagnostics []object }
		}
	}
	must(t, json.Unmarshal([]byte(got.Body), &body))
	want := []object{{"field": "if", "severity": "error", "message": "the state of a battery has no lvl; did you mean level?", "from": 6.0, "to": 9.0}}
	if diff := cmp.Diff(want, body.Error.Details.Diagnostics); diff != "" {
		t.Errorf("diagnostics (-want +got):\n%s", diff)
	}
}

func TestAFailingTestKeepsARuleFromBeingActive(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	failing := testedRule("tested", "state.level > 100")
	got := a.send(http.MethodPost, "/v1/rules", failing)
	if m := got.Error.Message; !strings.Contains(m, `"fires at full"`) || !strings.Contains(m, "no command came") {
		t.Errorf("message %q names neither the test nor what came", m)
	}
	saved := want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", strings.Replace(failing, "{", `{"mode":"shadow",`, 1))
	results := saved["testResults"].([]any)
	if len(results) != 1 || results[0].(object)["passed"] != false {
		t.Errorf("results %v", results)
	}
	for _, refused := range []struct{ method, path, body string }{
		{http.MethodPost, "/v1/rules/tested/mode", `{"mode":"active"}`},
		{http.MethodPatch, "/v1/rules/tested", `{"mode":"active"}`},
		{http.MethodPut, "/v1/rules/tested", strings.Replace(failing, "{", `{"mode":"active",`, 1)},
	} {
		if got := a.send(refused.method, refused.path, refused.body); got.Error.Code != busbar.CodeValidationFailed || got.Error.Details.Fields[0].Code != "test_failed" {
			t.Errorf("%s %s: %s", refused.method, refused.path, got.Body)
		}
	}
	// A file that does not say what it may do leaves it as it is.
	if kept := want[object](a, http.StatusOK, http.MethodPut, "/v1/rules/tested", failing); kept["mode"] != "shadow" {
		t.Errorf("mode %v", kept["mode"])
	}
	good := want[object](a, http.StatusOK, http.MethodPatch, "/v1/rules/tested", `{"if":"state.level >= 99"}`)
	if results := good["testResults"].([]any); results[0].(object)["passed"] != true {
		t.Errorf("results %v", results)
	}
	if on := want[object](a, http.StatusOK, http.MethodPost, "/v1/rules/tested/mode", `{"mode":"active"}`); on["mode"] != "active" || on["version"] != good["version"] {
		t.Errorf("turned on: %v", on)
	}
	if got := a.send(http.MethodPost, "/v1/rules/tested/versions/1/restore", ""); got.Error.Code != busbar.CodeValidationFailed {
		t.Errorf("restoring a version whose test fails: %s", got.Body)
	}
}

func TestARuleFileIsGivenBackWordByWord(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	created := want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules?id=from-a-file", ruleFile, isYAML)
	if created["id"] != "from-a-file" || created["if"] != "state.level >= 99" {
		t.Errorf("created: %v", created)
	}
	file := func(path string) string {
		t.Helper()
		got := a.send(http.MethodGet, path, "", wantsYAML)
		if got.Status != http.StatusOK || got.Header.Get("Content-Type") != "application/yaml; charset=utf-8" {
			t.Errorf("%s: %d %s", path, got.Status, got.Header.Get("Content-Type"))
		}
		return got.Body
	}
	if diff := cmp.Diff(ruleFile, file("/v1/rules/from-a-file")); diff != "" {
		t.Errorf("the file came back changed:\n%s", diff)
	}
	changed := strings.Replace(ruleFile, "99", "98", 1)
	want[object](a, http.StatusOK, http.MethodPut, "/v1/rules/from-a-file", changed, "Content-Type: text/yaml; charset=utf-8")
	if file("/v1/rules/from-a-file") != changed || file("/v1/rules/from-a-file/versions/1") != ruleFile {
		t.Error("versions do not keep their files apart")
	}
	version := want[object](a, http.StatusOK, http.MethodGet, "/v1/rules/from-a-file/versions/2", "")
	if version["yaml"] != changed || version["rule"].(object)["if"] != "state.level >= 98" {
		t.Errorf("version: %v", version)
	}
	restored := want[object](a, http.StatusOK, http.MethodPost, "/v1/rules/from-a-file/versions/1/restore", "")
	if restored["version"] != 3.0 || restored["if"] != "state.level >= 99" || file("/v1/rules/from-a-file") != ruleFile {
		t.Errorf("restored: %v", restored)
	}
	var numbers []any
	for _, v := range a.items("/v1/rules/from-a-file/versions") {
		numbers = append(numbers, v["number"], v["restored"])
	}
	if diff := cmp.Diff([]any{3.0, 1.0, 2.0, nil, 1.0, nil}, numbers); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	// Of a rule that was changed by hand there is no file any more.
	want[object](a, http.StatusOK, http.MethodPatch, "/v1/rules/from-a-file", `{"mode":"shadow"}`)
	canonical := file("/v1/rules/from-a-file")
	if !strings.Contains(canonical, "id: from-a-file\n") || !strings.Contains(canonical, "mode: shadow\n") {
		t.Errorf("canonical file:\n%s", canonical)
	}
	again := want[object](a, http.StatusOK, http.MethodPut, "/v1/rules/from-a-file", canonical, isYAML)
	if again["mode"] != "shadow" || again["if"] != restored["if"] {
		t.Errorf("the canonical file says something else: %v", again)
	}
}

func TestNumbersOfARuleComeBackAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	const then = `[{"push":{"device":"device","command":"charge","parameters":{"power":{"value":%s,"unit":"kw"},"reserve":{"value":%s}}}}]`
	const rule = `{"id":"numbers","name":"x","on":["device.updated"],"deviceType":"battery","if":"state.level < 50","then":%s}`
	written := fmt.Sprintf(then, `2.5`, `"20"`)
	parts := func(data object) object { return object{"then": data["then"], "if": data["if"]} }
	said := object{"if": "state.level < 50"}
	var tree any
	must(t, json.Unmarshal([]byte(written), &tree))
	said["then"] = tree
	check := func(what string, data object) {
		t.Helper()
		if diff := cmp.Diff(said, parts(data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("created", want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", fmt.Sprintf(rule, written)))
	got := want[object](a, http.StatusOK, http.MethodGet, "/v1/rules/numbers", "")
	check("read", got)
	again, err := json.Marshal(got["then"])
	must(t, err)
	check("replaced by what was read", want[object](a, http.StatusOK, http.MethodPut, "/v1/rules/numbers", fmt.Sprintf(rule, again)))
	check("changed elsewhere", want[object](a, http.StatusOK, http.MethodPatch, "/v1/rules/numbers", `{"priority":60}`))
	check("in its version", want[object](a, http.StatusOK, http.MethodGet, "/v1/rules/numbers/versions/2", "")["rule"].(object))
	check("restored", want[object](a, http.StatusOK, http.MethodPost, "/v1/rules/numbers/versions/1/restore", ""))
	file := a.send(http.MethodGet, "/v1/rules/numbers", "", wantsYAML).Body
	if !strings.Contains(file, "value: 2.5\n") || !strings.Contains(file, `value: "20"`) {
		t.Errorf("as a file:\n%s", file)
	}
	check("applied as a file", want[object](a, http.StatusOK, http.MethodPut, "/v1/rules/numbers", file, isYAML))
}

func TestSavingARuleWarns(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	rule := strings.Replace(plainRule, `"on"`, `"siteIds":["home","hut"],"on"`, 1)
	warned := want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", strings.Replace(rule, `"then":[`, `"then":[{"emit":{"type":"car.charged"}},`, 1))
	var fields []any
	for _, w := range warned["warnings"].([]any) {
		fields = append(fields, w.(object)["field"], w.(object)["severity"])
	}
	if diff := cmp.Diff([]any{"then[0].emit.type", "warning", "siteIds[1]", "warning"}, fields); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestCreatingARuleTwiceWithOneIdempotencyKeyCreatesItOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	first := want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", plainRule, "Idempotency-Key: k")
	if diff := cmp.Diff(first, want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", plainRule, "Idempotency-Key: k")); diff != "" {
		t.Errorf("second answer:\n%s", diff)
	}
	for range 2 {
		want[object](a, http.StatusOK, http.MethodPost, "/v1/rules/car/versions/1/restore", "", "Idempotency-Key: r")
	}
	if n := len(a.items("/v1/rules/car/versions")); n != 2 {
		t.Errorf("restored twice under one key: %d versions", n)
	}
}

func TestRulesNeedTheirScope(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", plainRule)
	_, reader := a.createKey(busbar.ScopeRead)
	_, writer := a.createKey(busbar.ScopeRules)
	_, other := a.createKey(busbar.ScopeEventsWrite)
	for _, c := range []struct {
		key, method, path, body string
		status                  int
	}{
		{reader, http.MethodGet, "/v1/rules/car", "", 200},
		{reader, http.MethodGet, "/v1/automation", "", 200},
		{reader, http.MethodPost, "/v1/automation", `{"enabled":false}`, 403},
		{reader, http.MethodPut, "/v1/rules/car", plainRule, 403},
		{writer, http.MethodPut, "/v1/rules/car", plainRule, 200},
		{writer, http.MethodGet, "/v1/rules/car/versions", "", 200},
		{other, http.MethodGet, "/v1/rules", "", 403},
	} {
		if got := a.send(c.method, c.path, c.body, "x-api-key: "+c.key); got.Status != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, got.Status, c.status)
		}
	}
}

func TestTheEmergencyStop(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	_, key := a.createKey(busbar.ScopeRules)
	ask := func(path string) (bool, []any) {
		t.Helper()
		got := want[object](a, http.StatusOK, http.MethodGet, path, "")
		return got["enabled"].(bool), got["stops"].([]any)
	}
	if on, stops := ask("/v1/automation"); !on || len(stops) != 0 {
		t.Errorf("at first: %v %v", on, stops)
	}
	stopped := want[object](a, http.StatusOK, http.MethodPost, "/v1/automation", `{"enabled":false,"siteId":"home"}`, "x-api-key: "+key)
	if stopped["enabled"] != false || stopped["siteId"] != "home" {
		t.Errorf("stopped: %v", stopped)
	}
	on, stops := ask("/v1/automation")
	if !on || len(stops) != 1 || stops[0].(object)["siteId"] != "home" || stops[0].(object)["by"] == "" || !milliseconds.MatchString(stops[0].(object)["at"].(string)) {
		t.Errorf("everywhere: %v %v", on, stops)
	}
	want[object](a, http.StatusOK, http.MethodPost, "/v1/automation", `{"enabled":false}`)
	if on, stops := ask("/v1/automation?siteId=home"); on || len(stops) != 2 {
		t.Errorf("at home: %v %v", on, stops)
	}
	want[object](a, http.StatusOK, http.MethodPost, "/v1/automation", `{"enabled":true}`)
	if on, stops := ask("/v1/automation?siteId=home"); on || len(stops) != 1 {
		t.Errorf("at home, when all others are on: %v %v", on, stops)
	}
	want[object](a, http.StatusOK, http.MethodPost, "/v1/automation", `{"enabled":true,"siteId":"home"}`)
	if on, stops := ask("/v1/automation?siteId=home"); !on || len(stops) != 0 {
		t.Errorf("at the end: %v %v", on, stops)
	}
	if got := a.send(http.MethodGet, "/v1/automation?siteId=hut", ""); got.Status != http.StatusNotFound {
		t.Errorf("at no site: %s", got.Body)
	}
}
