package web_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"busbar"
	"busbar/internal/password"
)

// browser is somebody who looks at pages, without script.
type browser struct {
	t      *testing.T
	app    *app
	server *httptest.Server
	client *http.Client
}

// look is a page as it was answered.
type look struct {
	status int
	header http.Header
	path   string
	body   string
}

func newBrowser(t *testing.T, a *app) *browser {
	t.Helper()
	server := httptest.NewServer(a.handler)
	t.Cleanup(server.Close)
	t.Cleanup(a.server.EndFeeds)
	return newBrowserOf(t, a, server)
}

func newBrowserOf(t *testing.T, a *app, server *httptest.Server) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	return &browser{t: t, app: a, server: server, client: &http.Client{Jar: jar, Timeout: time.Minute}}
}

func (b *browser) do(r *http.Request) look {
	b.t.Helper()
	r.Header.Set("Accept", "text/html")
	answer, err := b.client.Do(r)
	must(b.t, err)
	defer answer.Body.Close()
	var body strings.Builder
	buffer := make([]byte, 32<<10)
	for {
		n, err := answer.Body.Read(buffer)
		body.Write(buffer[:n])
		if err != nil {
			break
		}
	}
	return look{answer.StatusCode, answer.Header, answer.Request.URL.Path, body.String()}
}

func (b *browser) get(path string) look {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.server.URL+path, http.NoBody)
	must(b.t, err)
	return b.do(r)
}

// post sends a form as the dashboard's own page does.
func (b *browser) post(path string, form url.Values) look {
	return b.postFrom(path, form, b.server.URL)
}

func (b *browser) postFrom(path string, form url.Values, origin string) look {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.server.URL+path, strings.NewReader(form.Encode()))
	must(b.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	return b.do(r)
}

// addUser makes a person with the password "a long password".
func (a *app) addUser(name string, role busbar.Role) busbar.User {
	a.t.Helper()
	hash, err := password.Hash("a long password")
	must(a.t, err)
	u := busbar.User{ID: busbar.NewUserID(), Name: name, Role: role, PasswordHash: hash, CreatedAt: a.now()}
	must(a.t, a.store.CreateUser(a.t.Context(), &u))
	return u
}

func (b *browser) signIn(name string) {
	b.t.Helper()
	got := b.post("/login", url.Values{"name": {name}, "password": {"a long password"}})
	if got.status != http.StatusOK || got.path == "/login" {
		b.t.Fatalf("signing in as %s: %d at %s", name, got.status, got.path)
	}
}

func signedIn(t *testing.T, role busbar.Role) *browser {
	t.Helper()
	a := newApp(t, options{})
	a.addUser("root", busbar.RoleAdmin)
	a.addUser("me", role)
	b := newBrowser(t, a)
	b.signIn("me")
	return b
}

func wantPage(t *testing.T, got look, status int, texts ...string) {
	t.Helper()
	if got.status != status {
		t.Errorf("%s: status %d, want %d\n%s", got.path, got.status, status, got.body)
	}
	for _, text := range texts {
		if !strings.Contains(got.body, text) {
			t.Errorf("%s lacks %q", got.path, text)
		}
	}
}

func TestNobodySeesAPageWithoutSigningIn(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	b := newBrowser(t, a)
	for _, path := range []string{"/", "/sandbox", "/live/events", "/sandbox/endpoints", "/users", "/audit", "/about"} {
		if got := b.get(path); got.path != "/login" || got.status != http.StatusOK {
			t.Errorf("%s: %d at %s", path, got.status, got.path)
		}
	}
	for _, path := range []string{"/sandbox/endpoints", "/users", "/sandbox/api-keys", "/logout"} {
		if got := b.post(path, nil); got.status != http.StatusUnauthorized {
			t.Errorf("post %s: %d", path, got.status)
		}
	}
	wantPage(t, b.get("/nowhere"), http.StatusNotFound, "Not here")
}

func TestSigningInLeadsBackAndOut(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.addUser("Ada", busbar.RoleAdmin)
	b := newBrowser(t, a)
	got := b.post("/login", url.Values{"name": {"Ada"}, "password": {"a long password"}, "next": {"/live/events?type=push.*"}})
	wantPage(t, got, http.StatusOK, "<h1>Events</h1>", `data-env="live"`, "LIVE · Events", "Ada")
	for _, next := range []string{"//evil.example", "https://evil.example", `/\evil.example`, ""} {
		got := newBrowserOf(t, a, b.server).post("/login", url.Values{"name": {"Ada"}, "password": {"a long password"}, "next": {next}})
		wantPage(t, got, http.StatusOK, "<h1>Overview</h1>")
	}
	wantPage(t, b.post("/logout", nil), http.StatusOK, "Sign in")
	if got := b.get("/sandbox"); got.path != "/login" {
		t.Errorf("after signing out, %s answers %d", got.path, got.status)
	}
}

func TestPasswordsAreGuessedSlowly(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.addUser("Ada", busbar.RoleAdmin)
	b := newBrowser(t, a)
	wrong := url.Values{"name": {"Ada"}, "password": {"not the password"}}
	for range 5 {
		wantPage(t, b.post("/login", wrong), http.StatusUnprocessableEntity, "do not fit together")
	}
	right := url.Values{"name": {"Ada"}, "password": {"a long password"}}
	wantPage(t, b.post("/login", right), http.StatusUnprocessableEntity, "Too many attempts")
	a.advance(time.Minute)
	wantPage(t, b.post("/login", right), http.StatusOK, "<h1>Overview</h1>")
	if strings.Contains(a.logs.String(), "a long password") || strings.Contains(a.logs.String(), "not the password") {
		t.Error("the log has a password")
	}
}

func TestALinkLetsInOnceAndLooksDoNotUseItUp(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	u := busbar.User{ID: busbar.NewUserID(), Name: "admin", Role: busbar.RoleAdmin, CreatedAt: a.now()}
	must(t, a.store.CreateUser(t.Context(), &u))
	must(t, a.store.CreateLoginLink(t.Context(), busbar.HashToken("link"), u.ID, a.now().Add(time.Hour)))
	b := newBrowser(t, a)
	for range 2 {
		wantPage(t, b.get("/welcome/link"), http.StatusOK, "Welcome, admin")
	}
	wantPage(t, b.post("/welcome/link", url.Values{"password": {"short"}}), http.StatusUnprocessableEntity, "at least 10")
	wantPage(t, b.post("/welcome/link", url.Values{"password": {"a long password"}}), http.StatusOK, "<h1>Overview</h1>", "Your first webhook")
	other := newBrowserOf(t, a, b.server)
	wantPage(t, other.get("/welcome/link"), http.StatusUnauthorized, "used already")
	wantPage(t, other.post("/welcome/link", nil), http.StatusUnauthorized)
	other.signIn("admin")
}

func TestRolesHold(t *testing.T) {
	t.Parallel()
	for role, allowed := range map[busbar.Role]map[string]bool{
		busbar.RoleViewer:   {"/sandbox/endpoints": true},
		busbar.RoleOperator: {"/sandbox/endpoints": true, "/sandbox/endpoints/new": true},
		busbar.RoleAdmin:    {"/sandbox/endpoints": true, "/sandbox/endpoints/new": true, "/users": true, "/audit": true, "/sandbox/api-keys": true},
	} {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			b := signedIn(t, role)
			for _, path := range []string{"/sandbox/endpoints", "/sandbox/endpoints/new", "/users", "/audit", "/sandbox/api-keys"} {
				want := http.StatusForbidden
				if allowed[path] {
					want = http.StatusOK
				}
				wantPage(t, b.get(path), want)
			}
			got := b.post("/sandbox/endpoints", url.Values{"url": {"http://127.0.0.1:1/"}})
			if made := got.status == http.StatusOK; made != (role != busbar.RoleViewer) {
				t.Errorf("creating an endpoint: %d", got.status)
			}
			if got := b.post("/users", url.Values{"name": {"x"}, "role": {"admin"}}); (got.status == http.StatusOK) != (role == busbar.RoleAdmin) {
				t.Errorf("inviting a user: %d", got.status)
			}
		})
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleAdmin)
	got := b.postFrom("/sandbox/endpoints", url.Values{"url": {"http://127.0.0.1:1/"}}, "https://evil.example")
	wantPage(t, got, http.StatusForbidden, "not sent from the dashboard")
	page, err := b.app.store.ListEndpoints(t.Context(), busbar.Sandbox, busbar.PageRequest{Limit: 1})
	if err != nil || len(page.Items) != 0 {
		t.Errorf("endpoints: %v, %v", page.Items, err)
	}
	for _, c := range b.client.Jar.Cookies(mustURL(t, b.server.URL)) {
		if c.Name == "busbar_session" && len(c.Value) < 40 {
			t.Errorf("the session's token has %d characters", len(c.Value))
		}
	}
}

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	must(t, err)
	return u
}

var onceField = regexp.MustCompile(`name="once" value="([0-9a-f]{32})"`)

func TestAnEndpointFromItsCreationToItsEnd(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleAdmin)
	b.app.cluster.deliverAtOnce()
	once := onceField.FindStringSubmatch(b.get("/sandbox/endpoints/new").body)
	if once == nil {
		t.Fatal("the form can be sent twice")
	}
	form := url.Values{
		"once": {once[1]}, "url": {"http://127.0.0.1:9000/hook"}, "description": {"The cellar"}, "eventTypes": {"device.*\npush.failed"},
		"headers": {"Authorization: Bearer hush"}, "payloadFormat": {"flat"}, "signing": {"hmac"}, "maxInFlight": {"4"}, "timeout": {""},
	}
	created := b.post("/sandbox/endpoints", form)
	secret := regexp.MustCompile(`whsec_[A-Za-z0-9+/=]+`).FindString(created.body)
	wantPage(t, created, http.StatusOK, "The cellar", "standardwebhooks")
	if secret == "" || created.header.Get("Content-Encoding") != "" {
		t.Errorf("secret %q, encoding %q", secret, created.header.Get("Content-Encoding"))
	}
	if again := b.post("/sandbox/endpoints", form); !strings.Contains(again.body, secret) {
		t.Error("sending the form again made another endpoint")
	}
	page, err := b.app.store.ListEndpoints(t.Context(), busbar.Sandbox, busbar.PageRequest{Limit: 5})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("endpoints: %v, %v", page.Items, err)
	}
	e := page.Items[0]
	if e.Headers["Authorization"] != "Bearer hush" || e.MaxInFlight != 4 || len(e.EventTypes) != 2 {
		t.Errorf("endpoint = %+v", e)
	}
	path := "/sandbox/endpoints/" + string(e.ID)
	wantPage(t, b.get(path), http.StatusOK, "The cellar", "device.*, push.failed")
	wantPage(t, b.get("/live/endpoints/"+string(e.ID)), http.StatusNotFound)

	form.Set("description", "The attic")
	form.Set("headers", "Authorization: ••••••")
	edit := b.get(path + "/edit")
	mask := regexp.MustCompile(`Authorization: ([^<]+)</textarea>`).FindStringSubmatch(edit.body)
	if mask == nil || strings.Contains(edit.body, "hush") {
		t.Fatalf("the form does not mask the header:\n%s", edit.body)
	}
	form.Set("headers", "Authorization: "+mask[1])
	wantPage(t, b.post(path+"/edit", form), http.StatusOK, "The settings were saved.", "The attic")
	if e, err = b.app.store.Endpoint(t.Context(), busbar.Sandbox, e.ID); err != nil || e.Headers["Authorization"] != "Bearer hush" {
		t.Errorf("a header that was left alone is %q, %v", e.Headers["Authorization"], err)
	}
	form.Set("url", "ftp://nowhere")
	wantPage(t, b.post(path+"/edit", form), http.StatusUnprocessableEntity, `aria-invalid="true"`, "ftp://nowhere")

	wantPage(t, b.post(path+"/test", url.Values{"type": {"device.updated"}}), http.StatusOK, "It answered 200", "thanks")
	wantPage(t, b.post(path+"/disable", nil), http.StatusOK, "Disabled by its owner. ")
	wantPage(t, b.post(path+"/enable", nil), http.StatusOK, "The endpoint is enabled.")
	wantPage(t, b.post(path+"/secret", nil), http.StatusOK, secret)
	rotated := b.post(path+"/rotate", url.Values{"overlap": {"1h"}})
	wantPage(t, rotated, http.StatusOK, "There is a new secret.", "Signs until")
	wantPage(t, b.get(path+"/delete"), http.StatusOK, "Delete this endpoint?")
	wantPage(t, b.post(path+"/delete", nil), http.StatusOK, "was deleted")

	audit := b.get("/audit").body
	for _, action := range []string{"create", "update", "test", "disable", "enable", "reveal_secret", "rotate_secret", "delete"} {
		if !strings.Contains(audit, "endpoint."+action) {
			t.Errorf("the audit log lacks endpoint.%s", action)
		}
	}
	if strings.Contains(audit, "hush") || strings.Contains(audit, "whsec_") {
		t.Error("the audit log has a secret")
	}
}

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

func TestAKeyIsShownOnceAndRevoked(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleAdmin)
	wantPage(t, b.post("/live/api-keys", url.Values{"name": {"gateway"}}), http.StatusUnprocessableEntity, "scope")
	got := b.post("/live/api-keys", url.Values{"name": {"gateway"}, "scopes": {"read"}, "life": {"24h"}})
	wantPage(t, got, http.StatusOK, "the only time that the key is shown", "ends")
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
	feed := func(path, last string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.server.URL+path, http.NoBody)
		must(t, err)
		if last != "" {
			r.Header.Set("Last-Event-ID", last)
		}
		answer, err := b.client.Do(r)
		must(t, err)
		t.Cleanup(func() { answer.Body.Close() })
		return answer
	}
	read := func(answer *http.Response, until string) string {
		t.Helper()
		text, buffer := "", make([]byte, 4096)
		for !strings.Contains(text, until) {
			n, err := answer.Body.Read(buffer)
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
	wantPage(t, asked, http.StatusOK, "Send this command?", "charge, target 80 percent")
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
	wantPage(t, sent, http.StatusOK, "The command is on its way.", "target 80 percent")
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
