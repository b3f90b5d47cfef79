package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"busbar"
)

func TestARuleIsTriedOnWhatHasHappened(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	b.app.createHome()
	b.app.report("ev-charger", `{"isConnected":true,"status":"plugged"}`)
	for _, level := range []int{90, 97, 100, 94, 98} {
		b.app.advance(time.Minute)
		b.app.report("battery", fmt.Sprintf(`{"level":%d}`, level))
	}
	late := strings.Replace(fullBattery, `{"name"`, `{"id":"car","mode":"disabled","name"`, 1)
	want[object](b.app, http.StatusCreated, http.MethodPost, "/v1/rules", late)
	if page := b.get("/sandbox/rules/car"); strings.Contains(page.body, `name="version"`) {
		t.Error("a version can be chosen though there is only one")
	}
	page := b.get("/sandbox/rules/car/backtest")
	wantPage(t, page, http.StatusOK, "it would have fired 1 time and sent 1 command", "<dt>Events</dt><dd>6</dd>",
		"Would have fired: send charge (current 10\u202fA) to ev-charger, make the event battery.full.", `<option value="168h" selected>`)
	if strings.Contains(page.body, "which is in force") || strings.Contains(page.body, "It got no further") {
		t.Error("it was compared with itself, or cut off")
	}
	sooner := strings.NewReplacer(`level >= 99`, `level >= 97`, `"10"`, `"12"`).Replace(late)
	want[object](b.app, http.StatusOK, http.MethodPut, "/v1/rules/car", sooner)
	wantPage(t, b.get("/sandbox/rules/car"), http.StatusOK, "Try it on what has happened", "Version 2, in force", `action="/sandbox/rules/car/backtest"`)
	wantPage(t, b.get("/sandbox/rules/car/backtest?last=24h"), http.StatusOK, "it would have fired 2 times and sent 2 commands", "current 12\u202fA")
	page = b.get("/sandbox/rules/car/backtest?last=24h&version=1")
	wantPage(t, page, http.StatusOK, "Compared with version 2, which is in force", "Added commands: 1; removed: 2; changed: 0.", `<option value="24h" selected>`)
	if !regexp.MustCompile(`(?s)class="removed">.*?charge \(current 12\x{202f}A\) to ev-charger.*?class="added">.*?charge \(current 10\x{202f}A\) to ev-charger`).MatchString(page.body) {
		t.Error("the difference is not shown")
	}
	b.app.advance(25 * time.Hour)
	wantPage(t, b.get("/sandbox/rules/car/backtest?last=24h"), http.StatusOK, "it would not have fired", "It would not have been asked", "Not once.")
	if actions := b.app.items("/v1/actions"); len(actions) != 0 {
		t.Errorf("it has commanded %v", actions)
	}
	for _, path := range []string{"/none/backtest", "/car/backtest?last=soon", "/car/backtest?last=-1h", "/car/backtest?version=9", "/car/backtest?version=x"} {
		if got := b.get("/sandbox/rules" + path); got.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}

// A try that a bound ended says so, and shows some of what it found.
func TestALongTrySaysWhereItEnded(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	b.app.createHome()
	want[object](b.app, http.StatusCreated, http.MethodPost, "/v1/rules", `{"id":"each","mode":"disabled","name":"Each level","on":["device.updated"],`+
		`"deviceType":"battery","if":"state.level >= 0","edge":"every","then":[`+strings.Repeat(`{"emit":{"type":"battery.level"}},`, 9)+`{"emit":{"type":"battery.level"}}]}`)
	for i := range 101 {
		b.app.report("battery", fmt.Sprintf(`{"level":%d}`, i%100))
	}
	wantPage(t, b.get("/sandbox/rules/each/backtest"), http.StatusOK, "It got no further than", "it would have fired 100 times")
}

func TestADraftIsTriedBeforeItIsSaved(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	b.app.createHome()
	b.app.report("ev-charger", `{"isConnected":true,"status":"plugged"}`)
	for _, level := range []int{90, 97, 100} {
		b.app.advance(time.Minute)
		b.app.report("battery", fmt.Sprintf(`{"level":%d}`, level))
	}
	draft := ruleFields("do", "backtest")
	tried := b.post("/sandbox/rule-new", draft)
	wantPage(t, tried, http.StatusOK, "Tried on the last 7 days", "Would have fired: send charge (current 16\u202fA) to ev-charger.", `value="Full"`)
	if strings.Contains(tried.body, "which is in force") {
		t.Error("a new rule was compared with another")
	}
	wantPage(t, b.post("/sandbox/rule-new", ruleFields("do", "backtest", "if", "state.lvl > 1")), http.StatusUnprocessableEntity, "It was not tried", "did you mean level?")
	if n := len(b.app.items("/v1/rules")); n != 0 {
		t.Errorf("%d rules were made", n)
	}
	made := b.post("/sandbox/rule-new", ruleFields())
	draft.Set("if", "state.level >= 101")
	wantPage(t, b.post(made.path+"/edit", draft), http.StatusOK, "Compared with version 1, which is in force", "Added commands: 0; removed: 1; changed: 0.", "Not once.")
	yaml := b.post("/sandbox/rule-new", ruleFields("do", "yaml"))
	wantPage(t, yaml, http.StatusOK, `formaction="/sandbox/rule-new#tried"`)
	wantPage(t, b.post("/sandbox/rule-new", url.Values{"as": {"yaml"}, "do": {"backtest"}, "yaml": {ruleFile}}), http.StatusOK, "Tried on the last 7 days")
	if n := len(b.app.items("/v1/rules")); n != 1 {
		t.Errorf("there are %d rules", n)
	}
}
