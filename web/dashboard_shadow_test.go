package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"busbar"
)

// A rule in shadow is compared with what its devices were told: by another rule, by a person in the same words, or not at all.
func TestAShadowStandsBesideWhatWasSent(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	a := b.app
	a.createHome()
	rule := func(id, mode, command string) {
		t.Helper()
		want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", `{"id":"`+id+`","name":"The rule `+id+`","mode":"`+mode+`","on":["device.updated"],"deviceType":"battery",`+
			`"if":"state.level > 50","edge":"every","then":[{"push":{"device":"site.evChargers",`+command+`}}]}`)
	}
	rule("shadow", "shadow", `"command":"charge","parameters":{"current":{"value":"8","unit":"amps"}}`)
	page := "/sandbox/rules/shadow"
	wantPage(t, b.get(page), http.StatusOK, "What it would have sent, and what was sent", "It would not have sent anything yet.")
	a.report("battery", `{"level":60}`)
	wantPage(t, b.get(page), http.StatusOK, "charge (current 8\u202fA)", `<span class="quiet">nothing</span>`)

	a.advance(time.Hour)
	rule("other", "active", `"command":"idle"`)
	a.report("battery", `{"level":61}`)
	wantPage(t, b.get(page), http.StatusOK, "idle at the same time", "by The rule other", `<span class="quiet">nothing</span>`)

	want[object](a, http.StatusOK, http.MethodPost, "/v1/rules/other/mode", `{"mode":"disabled"}`)
	action := text(a.items("/v1/actions?ruleId=other")[0]["id"])
	want[object](a, http.StatusOK, http.MethodPost, "/v1/actions/"+action+"/cancel", "")
	a.advance(time.Hour)
	a.report("battery", `{"level":62}`)
	a.advance(time.Minute)
	want[object](a, http.StatusAccepted, http.MethodPost, "/v1/ev-charger/ev-charger",
		`{"onConflict":"cancel_and_replace","action":{"command":"charge","parameters":{"current":{"value":8,"unit":"amps"}}}}`)
	wantPage(t, b.get(page), http.StatusOK, "charge (current 8\u202fA) 1 min later", "<small>the same</small>")

	want[object](a, http.StatusOK, http.MethodPost, "/v1/rules/shadow/mode", `{"mode":"active"}`)
	if strings.Contains(b.get(page).body, "What it would have sent") {
		t.Error("a rule that acts is compared with itself")
	}
	// The device says who told it what, and why.
	device := b.get("/sandbox/devices/ev-charger")
	wantPage(t, device, http.StatusOK, "Latest firings", "The rule other", "Fired: send idle to ev-charger", "a person or program")
	wantPage(t, b.get("/sandbox/actions/"+action), http.StatusOK, "idle to ev-charger", "The rule other", "why it was sent")
}

func TestASiteShowsItsDevicesAndStopsItsAutomation(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	b.app.createHome()
	b.app.report("battery", `{"level":60}`)
	wantPage(t, b.get("/sandbox/sites/home"), http.StatusOK, "60\u202f%", "Europe/Berlin", "Save", "Stop its automation…")
	asked := b.post("/sandbox/automation", map[string][]string{"enabled": {"false"}, "siteId": {"home"}})
	wantPage(t, asked, http.StatusOK, "Stop automation?", "at Home")
	viewer := signedIn(t, busbar.RoleViewer)
	viewer.app.createHome()
	got := viewer.get("/sandbox/sites/home")
	wantPage(t, got, http.StatusOK, "Devices", "Europe/Berlin")
	for _, control := range []string{"Stop its automation", "Save", "Delete"} {
		if strings.Contains(got.body, control) {
			t.Errorf("a viewer is offered %q", control)
		}
	}
}

// Looking at a rule in the editor changes nothing, and leaves no trace among what did.
func TestTryingADraftIsNotInTheAuditLog(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleAdmin)
	b.app.createHome()
	b.app.report("battery", `{"level":60}`)
	wantPage(t, b.get("/sandbox/rule-new?from=battery-full-charge-car"), http.StatusOK, "Were it true, it would then")
	if log := b.get("/audit").body; strings.Contains(log, "rule.explain") || !strings.Contains(log, "session.create") {
		t.Errorf("the audit log has a look at a draft, or lacks a change:\n%s", log)
	}
}
