package web_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"busbar"
)

// What a request is about may be gone when it comes again, or what it asks for be allowed no longer: it has been carried out all
// the same, and its sender is to learn that.
func TestARepeatedRequestIsAnsweredAsBeforeWhateverHasChanged(t *testing.T) {
	t.Parallel()
	const rule = `{"id":"%s","name":"x","on":["device.updated"],"deviceType":"battery","if":"state.level > 99","then":[{"push":{"device":"device","command":"idle"}}]}`
	drop := func(path string) func(*app) {
		return func(a *app) { want[object](a, http.StatusOK, http.MethodDelete, path, "") }
	}
	endpoint := func(a *app) string {
		id, _ := a.createEndpoint(plainEndpoint)
		return "/v1/endpoints/" + id
	}
	site := func(a *app) {
		want[object](a, http.StatusCreated, http.MethodPost, "/v1/sites", `{"id":"home","name":"Home","timezone":"UTC"}`)
	}
	for name, c := range map[string]struct {
		// prepare gives the path, and what is done between the two requests.
		prepare func(a *app) (path string, between func(*app))
		body    string
	}{
		"recover, and the endpoint is disabled": {func(a *app) (string, func(*app)) {
			path := endpoint(a)
			return path + "/recover", func(a *app) { want[object](a, http.StatusOK, http.MethodPost, path+"/disable", "") }
		}, `{"since":"2026-01-01T00:00:00Z"}`},
		"replay, and the endpoint is deleted": {func(a *app) (string, func(*app)) {
			path := endpoint(a)
			return path + "/replay", drop(path)
		}, `{"since":"2026-01-01T00:00:00Z"}`},
		"a new secret, and the endpoint is deleted": {func(a *app) (string, func(*app)) {
			path := endpoint(a)
			return path + "/secret/rotate", drop(path)
		}, `{}`},
		"a key that has expired": {func(*app) (string, func(*app)) {
			return "/v1/api-keys", func(a *app) { a.advance(2 * time.Hour) }
		}, fmt.Sprintf(`{"name":"x","scopes":["read"],"expiresAt":%q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))},
		"a version restored, and the rule is deleted": {func(a *app) (string, func(*app)) {
			want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules", fmt.Sprintf(rule, "mine"))
			return "/v1/rules/mine/versions/1/restore", drop("/v1/rules/mine")
		}, `{}`},
		"a rule, and it is deleted": {func(*app) (string, func(*app)) { return "/v1/rules", drop("/v1/rules/other") }, fmt.Sprintf(rule, "other")},
		"a device, and its site is deleted": {func(a *app) (string, func(*app)) {
			site(a)
			return "/v1/devices", func(a *app) { drop("/v1/devices/one")(a); drop("/v1/sites/home")(a) }
		}, fmt.Sprintf(battery, "one")},
		"an endpoint": {func(*app) (string, func(*app)) { return "/v1/endpoints", func(*app) {} }, plainEndpoint},
		"a listener":  {func(*app) (string, func(*app)) { return "/v1/listeners", func(*app) {} }, `{"description":"mine"}`},
		"a type":      {func(*app) (string, func(*app)) { return "/v1/event-types", func(*app) {} }, `{"name":"my.type","schema":{"type":"object"}}`},
		"a site":      {func(*app) (string, func(*app)) { return "/v1/sites", func(*app) {} }, `{"name":"Home","timezone":"UTC"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, options{})
			path, between := c.prepare(a)
			const key = "idempotency-key: once"
			first := a.send(http.MethodPost, path, c.body, key)
			if !first.Success {
				t.Fatalf("%d %s", first.Status, first.Body)
			}
			between(a)
			asked := len(a.cluster.asked)
			again := a.send(http.MethodPost, path, c.body, key)
			if again.Status != first.Status || string(again.Data) != string(first.Data) {
				t.Errorf("first %d %s\nagain %d %s", first.Status, first.Data, again.Status, again.Body)
			}
			if n := len(a.cluster.asked); n != asked {
				t.Errorf("the second request was carried out: %v", a.cluster.asked)
			}
			// Whether or not another body would be taken.
			other := a.send(http.MethodPost, path, `{"nothing":"of the kind"}`, key)
			if other.Status != http.StatusConflict || other.Error.Code != busbar.CodeIdempotencyConflict {
				t.Errorf("another body: %d %s", other.Status, other.Body)
			}
		})
	}
}
