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
	wantPage(t, b.post("/login", right), http.StatusTooManyRequests, "Too many attempts")
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
