package web_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"busbar"
)

func TestHostileTextIsShownAsText(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	deep := strings.Repeat(`{"a":`, 60) + "1" + strings.Repeat("}", 60)
	for i, data := range []string{
		`{"x":"<script>alert(1)</script><img src=x onerror=alert(1)>"}`, `{"x":"\u202egnp.exe\u2066 \u0000"}`,
		`{"</pre><h1>":"` + strings.Repeat("🔌", 20000) + `"}`, `{"deep":` + deep + `}`,
	} {
		got := b.post("/sandbox/events", url.Values{"type": {"device.updated"}, "data": {`{"state":{},"hostile":` + data + `}`}})
		wantPage(t, got, http.StatusOK, "The event was accepted.")
		for _, raw := range []string{"<script>alert", "<img src=x", "\u202e", "</pre><h1>"} {
			if strings.Contains(got.body, raw) {
				t.Errorf("payload %d is not text: the page has %q", i, raw)
			}
		}
		if len(got.body) > 1<<20 {
			t.Errorf("payload %d makes a page of %d bytes", i, len(got.body))
		}
	}
	wantPage(t, b.get("/sandbox/events"), http.StatusOK, "&lt;script&gt;")
	bad := b.post("/sandbox/events", url.Values{"type": {"device.updated"}, "data": {"{\n\"state\": <b>}"}})
	wantPage(t, bad, http.StatusUnprocessableEntity, "Is not JSON at line 2", "&lt;b&gt;")
}

func TestWhatIsKeptIsSaidWithItsVariable(t *testing.T) {
	t.Parallel()
	wantPage(t, signedIn(t, busbar.RoleViewer).get("/about"), http.StatusOK, "1.2.3", "What is kept", "Events, deliveries and runs", "30 days", "BUSBAR_RETENTION")
}

func TestAKeyIsShownOnceAndRevoked(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleAdmin)
	wantPage(t, b.post("/live/api-keys", url.Values{"name": {"gateway"}}), http.StatusUnprocessableEntity, "scope")
	got := b.post("/live/api-keys", url.Values{"name": {"gateway"}, "scopes": {"read"}, "life": {"24h"}})
	wantPage(t, got, http.StatusOK, "the only time that the key is shown", "ends", "never expires", "made")
	key := regexp.MustCompile(`sk_live_[A-Za-z0-9_-]{40,}`).FindString(got.body)
	if key == "" || b.app.send(http.MethodGet, "/v1/events", "", "x-api-key: "+key).Status != http.StatusOK {
		t.Fatalf("the key %q does not work", key)
	}
	list := b.get("/live/api-keys").body
	if strings.Contains(list, key) {
		t.Error("the key is shown again")
	}
	id := regexp.MustCompile(`/live/api-keys/(key_[0-9a-f]+)/revoke"[^>]*>\s*<button[^>]*aria-label="Revoke gateway`).FindStringSubmatch(list)
	if id == nil {
		t.Fatal("the key cannot be revoked")
	}
	wantPage(t, b.post("/live/api-keys/"+id[1]+"/revoke", nil), http.StatusOK, "The key was revoked.")
	if got := b.app.send(http.MethodGet, "/v1/events", "", "x-api-key: "+key); got.Status != http.StatusUnauthorized {
		t.Errorf("a revoked key: %d", got.Status)
	}
}

func TestPeopleAreInvitedAndShutOut(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleAdmin)
	got := b.post("/users", url.Values{"name": {"Grace"}, "role": {"operator"}})
	link := regexp.MustCompile(`http://busbar.example(/welcome/[A-Za-z0-9_-]+)`).FindStringSubmatch(got.body)
	if link == nil {
		t.Fatalf("no link:\n%s", got.body)
	}
	grace := newBrowserOf(t, b.app, b.server)
	wantPage(t, grace.post(link[1], url.Values{"password": {"another password"}}), http.StatusOK, "Grace")
	u, err := b.app.store.UserByName(t.Context(), "Grace")
	must(t, err)
	wantPage(t, grace.post("/account/password", url.Values{"current": {"wrong"}, "password": {"a long password"}}), http.StatusUnprocessableEntity, "Is not your password")
	wantPage(t, grace.post("/account/password", url.Values{"current": {"another password"}, "password": {"a long password"}}), http.StatusOK, "The password was saved.")
	wantPage(t, b.post("/users/"+string(u.ID)+"/role", url.Values{"role": {"viewer"}}), http.StatusOK, "The role was saved.")
	wantPage(t, grace.get("/sandbox/endpoints/new"), http.StatusForbidden, "yours is viewer")
	wantPage(t, b.post("/users/"+string(u.ID)+"/disable", nil), http.StatusOK, "disabled")
	if got := grace.get("/sandbox"); got.path != "/login" {
		t.Errorf("a disabled person sees %s", got.path)
	}
	wantPage(t, b.post("/users/"+string(u.ID)+"/delete", nil), http.StatusOK, "Nothing was deleted")
	wantPage(t, b.post("/users/"+string(u.ID)+"/delete", url.Values{"sure": {"yes"}}), http.StatusOK, "Grace was deleted.")
}

func TestPagesAreSafeAndCalm(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleAdmin)
	for _, path := range []string{
		"/sandbox", "/live", "/sandbox/events", "/sandbox/deliveries", "/sandbox/endpoints", "/sandbox/endpoints/new", "/sandbox/event-types",
		"/sandbox/event-types/device.updated", "/sandbox/event-types/push.failed", "/sandbox/event-types/new", "/sandbox/api-keys", "/users",
		"/audit", "/about", "/account",
	} {
		got := b.get(path)
		wantPage(t, got, http.StatusOK, "<h1", "Skip to the content", "<title>")
		policy := got.header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
		for _, inline := range []string{"style=", "<style", "onclick", "javascript:"} {
			if strings.Contains(got.body, inline) {
				t.Errorf("%s has %s", path, inline)
			}
		}
		if strings.Count(got.body, "<h1") != 1 {
			t.Errorf("%s has %d main headings", path, strings.Count(got.body, "<h1"))
		}
	}
}

func TestTheThemeIsKept(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleViewer)
	if got := b.get("/sandbox"); strings.Contains(got.body, "data-theme") {
		t.Error("without a choice the page has a theme of its own")
	}
	wantPage(t, b.post("/theme", url.Values{"theme": {"dark"}, "back": {"/sandbox/events"}}), http.StatusOK, `data-theme="dark"`, "<h1>Events</h1>")
	wantPage(t, b.post("/theme", url.Values{"theme": {"<x>"}, "back": {"//evil.example"}}), http.StatusOK, "<h1>Overview</h1>")
}

func TestALivePageHearsOfChangesAndOfWhatItMissed(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleViewer)
	seen := func() string {
		t.Helper()
		return regexp.MustCompile(`/sandbox/feed\?seen=[0-9a-f]+`).FindString(b.get("/sandbox/events").body)
	}
	feed := func(path, last string) io.Reader {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+path, http.NoBody)
		must(t, err)
		if last != "" {
			r.Header.Set("Last-Event-ID", last)
		}
		answer, err := b.client.Do(r)
		must(t, err)
		t.Cleanup(func() { answer.Body.Close() })
		return answer.Body
	}
	read := func(feed io.Reader, until string) string {
		t.Helper()
		text, buffer := "", make([]byte, 4096)
		for !strings.Contains(text, until) {
			n, err := feed.Read(buffer)
			text += string(buffer[:n])
			if err != nil {
				t.Fatalf("the feed ended with %v after %q", err, text)
			}
		}
		return text
	}
	send := func() {
		t.Helper()
		if got := b.app.send(http.MethodPost, "/v1/events", `{"type":"device.updated","data":{"state":{}}}`); got.Status != http.StatusAccepted {
			t.Fatal(got.Body)
		}
	}
	path := seen()
	open := feed(path, "")
	if hello := read(open, ": hello"); strings.Contains(hello, "changed") {
		t.Errorf("a page that shows what is now is told of changes: %q", hello)
	}
	send()
	told := regexp.MustCompile(`id: ([0-9a-f]+)\nevent: changed`).FindStringSubmatch(read(open, "changed"))
	if told == nil {
		t.Fatal("the change has no id")
	}
	// What happened between the page and its feed.
	read(feed(path, ""), "event: changed")
	// What happened while a page was away.
	send()
	read(feed(path, told[1]), "event: changed")
	if again := seen(); again == path {
		t.Error("a page that is read again has seen no more than before")
	}
}

func TestADeviceIsAskedBeforeItIsTold(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	wantPage(t, b.post("/sandbox/sites", url.Values{"id": {"site_home"}, "name": {"Home"}, "timezone": {"Mars/Olympus"}}), http.StatusUnprocessableEntity, `aria-invalid="true"`)
	wantPage(t, b.post("/sandbox/sites", url.Values{"id": {"site_home"}, "name": {"Home"}, "timezone": {"Europe/Berlin"}}), http.StatusOK, "The site was created.")
	for id, driver := range map[string]string{"dev_battery": "manual", "sim_battery": "simulator"} {
		got := b.app.send(http.MethodPost, "/v1/devices", `{"id":"`+id+`","type":"battery","siteId":"site_home","name":"Cellar <b>","driver":{"kind":"`+driver+`"}}`)
		if got.Status != http.StatusCreated {
			t.Fatal(got.Body)
		}
	}
	if got := b.app.send(http.MethodPost, "/v1/devices/dev_battery/state", `{"state":{"level":55.5,"status":"idle"}}`); got.Status != http.StatusAccepted {
		t.Fatal(got.Body)
	}
	wantPage(t, b.get("/sandbox/devices?siteId=site_home"), http.StatusOK, "Cellar &lt;b&gt;", "55.5")
	wantPage(t, b.get("/sandbox/devices/dev_battery"), http.StatusOK, "Level", "auto.balanced")
	wantPage(t, b.post("/sandbox/sites/site_home/delete", url.Values{"sure": {"yes"}}), http.StatusOK, "Delete this site.")

	command := url.Values{"command": {"charge"}, "parameter-target": {"80"}, "holdFor": {"2h"}}
	asked := b.post("/sandbox/devices/dev_battery/push", command)
	wantPage(t, asked, http.StatusOK, "Send this command?", "charge, target 80\u202f%")
	if got := b.app.send(http.MethodGet, "/v1/actions", ""); strings.Contains(string(got.Data), "act_") {
		t.Fatal("the command was sent before it was confirmed")
	}
	once := onceField.FindStringSubmatch(asked.body)
	if once == nil {
		t.Fatal("the confirmed form can be sent twice")
	}
	command.Set("sure", "yes")
	command.Set("once", once[1])
	sent := b.post("/sandbox/devices/dev_battery/push", command)
	wantPage(t, sent, http.StatusOK, "The command is on its way.", "target 80\u202f%")
	if again := b.post("/sandbox/devices/dev_battery/push", command); again.path != sent.path {
		t.Errorf("sent twice, it made %s and %s", sent.path, again.path)
	}
	wantPage(t, b.post("/sandbox/devices/dev_battery/push", url.Values{"command": {"charge"}, "parameter-target": {"800"}, "sure": {"yes"}}), http.StatusUnprocessableEntity, "target")
	wantPage(t, b.get("/sandbox/devices/dev_battery"), http.StatusOK, "A person keeps rules off this device")
	wantPage(t, b.post("/sandbox/devices/dev_battery/hold/end", nil), http.StatusOK, "Rules may act on the device again.")
	wantPage(t, b.post(sent.path+"/cancel", nil), http.StatusOK, "The command was taken back.")
	wantPage(t, b.post(sent.path+"/cancel", nil), http.StatusOK, "has ended")

	wantPage(t, b.post("/sandbox/devices/dev_battery/settings", url.Values{"setting-backup_reserve": {"20"}}), http.StatusOK, "The settings were saved.")
	wantPage(t, b.post("/sandbox/devices/sim_battery/fault", url.Values{"kind": {"offline"}, "for": {"1m"}}), http.StatusOK, "Offline: this simulated device misbehaves")
	wantPage(t, b.post("/sandbox/devices/sim_battery/faults/clear", nil), http.StatusOK, "The device behaves again.")
	wantPage(t, b.post("/sandbox/devices/dev_battery/fault", url.Values{"kind": {"offline"}}), http.StatusUnprocessableEntity)
}

// Nothing is wrong with an endpoint that takes what it gets, only slower than it comes.
func TestABusyEndpointIsShownAsBusy(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleOperator)
	wantPage(t, b.post("/sandbox/endpoints", url.Values{"url": {"http://127.0.0.1:9000/hook"}, "maxInFlight": {"3"}}), http.StatusOK)
	page, err := b.app.store.ListEndpoints(t.Context(), busbar.Sandbox, busbar.PageRequest{Limit: 1})
	must(t, err)
	id := page.Items[0].ID
	begun, err := b.app.store.Crowd(t.Context(), busbar.Sandbox, id)
	if must(t, err); !begun {
		t.Fatal("no line was begun")
	}
	wantPage(t, b.get("/sandbox/endpoints/"+string(id)), http.StatusOK, "More comes for it than it takes.", "3 deliveries at once")
	wantPage(t, b.get("/sandbox/endpoints"), http.StatusOK, "busy")
}
