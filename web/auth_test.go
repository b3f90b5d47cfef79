package web_test

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"busbar"
	"busbar/web/api"
)

var pathParam = regexp.MustCompile(`\{[a-z]+\}`)

func TestEveryRouteNeedsAKey(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	public := 0
	for _, r := range api.Routes() {
		path := pathParam.ReplaceAllString(r.Path, "x")
		got := a.send(r.Method, path, "{}", "x-api-key: ")
		if r.Public {
			public++
			continue
		}
		if got.Status != http.StatusUnauthorized || got.Error.Code != busbar.CodeUnauthorized || got.Meta.Environment != nil {
			t.Errorf("%s %s without a key: %d %s", r.Method, r.Path, got.Status, got.Body)
		}
		if got.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s %s: no WWW-Authenticate", r.Method, r.Path)
		}
	}
	if public != 1 {
		t.Errorf("%d routes are public, want the description only", public)
	}
}

func TestEveryRouteNeedsAScope(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	keys := map[busbar.Scope]string{}
	for _, scope := range []busbar.Scope{
		busbar.ScopeEventsWrite, busbar.ScopeEndpoints, busbar.ScopeRules, busbar.ScopeDevices, busbar.ScopeActions, busbar.ScopeRead,
	} {
		_, keys[scope] = a.createKey(scope)
	}
	for _, r := range api.Routes() {
		if r.Public {
			continue
		}
		for scope, key := range keys {
			allowed := (&busbar.APIKey{Scopes: []busbar.Scope{scope}}).Allows(r.Scopes...)
			got := a.send(r.Method, pathParam.ReplaceAllString(r.Path, "x"), "{}", "x-api-key: "+key)
			if refused := got.Status == http.StatusForbidden; refused == allowed {
				t.Errorf("%s %s with %s: %d %s", r.Method, r.Path, scope, got.Status, got.Body)
			}
			if !allowed && r.Scopes[0] != busbar.ScopeAll && !strings.Contains(got.Error.Message, string(r.Scopes[0])) {
				t.Errorf("%s %s with %s: %q does not name %s", r.Method, r.Path, scope, got.Error.Message, r.Scopes[0])
			}
			if r.Method != http.MethodGet && scope == busbar.ScopeRead && got.Status != http.StatusForbidden {
				t.Errorf("%s %s: a reader may write", r.Method, r.Path)
			}
		}
	}
}

func TestKeyIsTakenFromEitherHeader(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	for _, headers := range [][]string{
		{"x-api-key: " + sandboxKey},
		{"x-api-key: ", "authorization: Bearer " + sandboxKey},
		{"x-api-key: ", "authorization: bearer  " + sandboxKey},
		{"authorization: Bearer " + sandboxKey},
		{"authorization: Basic eDp5"},
	} {
		if got := a.send(http.MethodGet, "/v1/events", "", headers...); got.Status != http.StatusOK {
			t.Errorf("%q: %d %s", headers, got.Status, got.Body)
		}
	}
}

func TestKeySelectsTheEnvironment(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	want[object](a, http.StatusAccepted, http.MethodPost, "/v1/events", `{"eventId":"same","type":"device.connected","data":{}}`)
	live := want[object](a, http.StatusAccepted, http.MethodPost, "/v1/events", `{"eventId":"same","type":"device.disconnected","data":{}}`, "x-api-key: "+liveKey)
	if live["status"] != "accepted" || live["workflowId"] != "event-live-same" {
		t.Errorf("the same id in the other environment: %v", live)
	}
	for key, eventType := range map[string]string{sandboxKey: "device.connected", liveKey: "device.disconnected"} {
		list := a.items("/v1/events", "x-api-key: "+key)
		if len(list) != 1 || list[0]["type"] != eventType {
			t.Errorf("events of %.7s: %v", key, list)
		}
	}
	got := a.send(http.MethodGet, "/v1/events", "", "x-api-key: "+liveKey)
	if got.Meta.Environment == nil || *got.Meta.Environment != "live" {
		t.Errorf("environment in meta: %v", got.Meta.Environment)
	}
}

func TestRevokedAndExpiredKeysAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	id, key := a.createKey(busbar.ScopeRead)
	use := func(key string) answer { return a.send(http.MethodGet, "/v1/events", "", "x-api-key: "+key) }
	if got := use(key); got.Status != http.StatusOK {
		t.Fatalf("fresh key: %s", got.Body)
	}
	revoked := want[object](a, http.StatusOK, http.MethodDelete, "/v1/api-keys/"+id, "")
	if revoked["revokedAt"] == nil || revoked["lastUsedAt"] == nil {
		t.Errorf("revoked key: %v", revoked)
	}
	if got := use(key); got.Error.Code != busbar.CodeInvalidAPIKey {
		t.Errorf("revoked key: %s", got.Body)
	}
	expiry := a.now().Add(time.Hour).UTC().Format(time.RFC3339)
	short := want[object](a, http.StatusCreated, http.MethodPost, "/v1/api-keys", `{"name":"short","scopes":["read","read"],"expiresAt":"`+expiry+`"}`)
	if len(short["scopes"].([]any)) != 1 {
		t.Errorf("scopes: %v", short["scopes"])
	}
	if got := use(short["key"].(string)); got.Status != http.StatusOK {
		t.Errorf("key before it expires: %s", got.Body)
	}
	a.advance(time.Hour)
	if got := use(short["key"].(string)); got.Error.Code != busbar.CodeInvalidAPIKey {
		t.Errorf("expired key: %s", got.Body)
	}
}

func TestKeysAreShownOnce(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	id, key := a.createKey(busbar.ScopeRead)
	for _, path := range []string{"/v1/api-keys", "/v1/api-keys/" + id} {
		if got := a.send(http.MethodGet, path, ""); got.Status != http.StatusOK || strings.Contains(got.Body, key[12:]) {
			t.Errorf("%s: %d, with the key: %s", path, got.Status, got.Body)
		}
	}
	if strings.Contains(a.logs.String(), key[12:]) {
		t.Error("the key is in the log")
	}
}

func TestRateLimitIsPerKey(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{rateLimit: 0.5})
	get := func(key string) answer { return a.send(http.MethodGet, "/v1/events", "", "x-api-key: "+key) }
	if got := get(sandboxKey); got.Status != http.StatusOK {
		t.Fatalf("first request: %s", got.Body)
	}
	got := get(sandboxKey)
	if got.Status != http.StatusTooManyRequests || got.Error.Code != busbar.CodeRateLimitExceeded {
		t.Fatalf("second request: %d %s", got.Status, got.Body)
	}
	if wait, err := strconv.Atoi(got.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 2 {
		t.Errorf("Retry-After: %q", got.Header.Get("Retry-After"))
	}
	if got := get(liveKey); got.Status != http.StatusOK {
		t.Errorf("another key: %s", got.Body)
	}
	a.advance(2 * time.Second)
	if got := get(sandboxKey); got.Status != http.StatusOK {
		t.Errorf("after the wait: %s", got.Body)
	}
}
