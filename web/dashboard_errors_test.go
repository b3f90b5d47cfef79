package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"busbar"
)

// matches fails the test when a page does not have what a pattern describes.
func matches(t *testing.T, got look, status int, patterns ...string) {
	t.Helper()
	wantPage(t, got, status)
	for _, pattern := range patterns {
		if !regexp.MustCompile(pattern).MatchString(got.body) {
			t.Errorf("%s has no %s\n%s", got.path, pattern, got.body)
		}
	}
}

func TestWhatWasTypedForADeviceIsKeptWhenItIsRefused(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	b.app.createHome()
	command := url.Values{
		"command": {"charge"}, "parameter-target": {"777"}, "parameter-power": {"2.25"}, "holdFor": {"24h"}, "onConflict": {"queue_after"}, "sure": {"yes"},
	}
	got := b.post("/sandbox/devices/battery/push", command)
	matches(t, got, http.StatusUnprocessableEntity, `<details class="attempt" open>\s*<summary>[\s\S]{0,400}<code>charge</code>`,
		`name="parameter-target"[^>]* value="777"`, `name="parameter-power"[^>]* value="2.25"`,
		`<option value="24h" selected>`, `<option value="queue_after" selected>`, `role="alert"[\s\S]*target`)
	if open := regexp.MustCompile(`<details class="attempt" open>`).FindAllString(got.body, -1); len(open) != 1 {
		t.Errorf("%d commands are open, want the one that was refused", len(open))
	}
	matches(t, b.post("/sandbox/devices/battery/settings", url.Values{"setting-backup_reserve": {"777"}}), http.StatusUnprocessableEntity,
		`name="setting-backup_reserve"[^>]* value="777"[^>]* aria-invalid="true"`, `id="setting-backup_reserve-error">Must be from 0 to 100 percent`)
}

func TestAFilterThatIsWrongIsSaidBesideItsField(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleViewer)
	for _, list := range []string{"events", "deliveries"} {
		matches(t, b.get("/sandbox/"+list+"?type=a*b&last=1h"), http.StatusUnprocessableEntity, `name="type"[^>]* value="a\*b"`, `aria-invalid="true"`,
			`id="type-error">Must be an event type`, `<option value="1h" selected>`, "These filters cannot be understood")
	}
	matches(t, b.get("/sandbox/events?cursor=rubbish"), http.StatusUnprocessableEntity, "<h1>That did not work</h1>")
	matches(t, b.get("/sandbox/devices/nowhere"), http.StatusNotFound, "<h1>Not here</h1>")
}
