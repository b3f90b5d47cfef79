package web_test

import (
	"fmt"
	"net/http"
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
		"Would have fired: send charge (current 10 amps) to ev-charger, make the event battery.full.", `<option value="168h" selected>`)
	if strings.Contains(page.body, "which is in force") || strings.Contains(page.body, "It got no further") {
		t.Error("it was compared with itself, or cut off")
	}
	sooner := strings.NewReplacer(`level >= 99`, `level >= 97`, `"10"`, `"12"`).Replace(late)
	want[object](b.app, http.StatusOK, http.MethodPut, "/v1/rules/car", sooner)
	wantPage(t, b.get("/sandbox/rules/car"), http.StatusOK, "Try it on what has happened", "Version 2, in force", `action="/sandbox/rules/car/backtest"`)
	wantPage(t, b.get("/sandbox/rules/car/backtest?last=24h"), http.StatusOK, "it would have fired 2 times and sent 2 commands", "current 12 amps")
	page = b.get("/sandbox/rules/car/backtest?last=24h&version=1")
	wantPage(t, page, http.StatusOK, "Compared with version 2, which is in force", "Added commands: 1; removed: 2; changed: 0.", `<option value="24h" selected>`)
	if !regexp.MustCompile(`(?s)class="removed">.*?charge \(current 12 amps\) to ev-charger.*?class="added">.*?charge \(current 10 amps\) to ev-charger`).MatchString(page.body) {
		t.Error("the difference is not shown")
	}
	b.app.advance(25 * time.Hour)
	wantPage(t, b.get("/sandbox/rules/car/backtest?last=24h"), http.StatusOK, "it would have fired 0 times", "It would not have been asked", "Not once.")
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
