package web_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/store"
)

// audited are the entries of the audit log as action and target, oldest first.
func (a *app) audited() []busbar.AuditEntry {
	a.t.Helper()
	page, err := a.store.Audit(a.t.Context(), store.AuditFilter{}, busbar.PageRequest{Limit: 200})
	must(a.t, err)
	list := make([]busbar.AuditEntry, 0, len(page.Items))
	for i := range page.Items {
		list = append(list, page.Items[len(page.Items)-1-i])
	}
	return list
}

func TestWhatProgramsChangeIsAudited(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	id, secret := a.createEndpoint(`{"url":"http://127.0.0.1:9/hook","headers":{"Authorization":"Bearer hush"}}`, "Idempotency-Key: once")
	a.createEndpoint(`{"url":"http://127.0.0.1:9/hook","headers":{"Authorization":"Bearer hush"}}`, "Idempotency-Key: once")
	path := "/v1/endpoints/" + id
	want[object](a, http.StatusOK, http.MethodPatch, path, `{"maxInFlight":4}`)
	want[object](a, http.StatusOK, http.MethodGet, path+"/secret", "")
	want[object](a, http.StatusOK, http.MethodPost, path+"/secret/rotate", `{}`)
	want[object](a, http.StatusOK, http.MethodPost, path+"/disable", "")
	want[object](a, http.StatusOK, http.MethodPost, path+"/enable", "")
	job := want[object](a, http.StatusAccepted, http.MethodPost, path+"/recover", `{"since":"2026-01-01T00:00:00Z"}`)["jobId"].(string)
	want[object](a, http.StatusOK, http.MethodPost, "/v1/jobs/"+job+"/cancel", "")
	want[object](a, http.StatusOK, http.MethodDelete, path, "")
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/sites", `{"id":"home","name":"Home","timezone":"Europe/Berlin"}`)
	device := a.createDevice(`{"id":"gate","type":"battery","siteId":"home","driver":{"kind":"http","url":"http://127.0.0.1:9/c"}}`)
	want[object](a, http.StatusOK, http.MethodPost, "/v1/battery/gate/settings", `{"discharge_floor":{"value":10,"unit":"percent"}}`)
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/event-types", `{"name":"door.opened","schema":{"type":"object"}}`)
	keyID, key := a.createKey(busbar.ScopeDevices)
	want[object](a, http.StatusOK, http.MethodPatch, "/v1/sites/home", `{"name":"House"}`, "x-api-key: "+key)
	want[object](a, http.StatusOK, http.MethodDelete, "/v1/api-keys/"+keyID, "")
	rule := want[object](a, http.StatusCreated, http.MethodPost, "/v1/rules",
		`{"name":"Tell","on":["device.updated"],"deviceType":"battery","if":"state.level >= 99","then":[{"emit":{"type":"door.opened","data":{}}}]}`)["id"].(string)
	want[object](a, http.StatusOK, http.MethodPost, "/v1/rules/"+rule+"/mode", `{"mode":"shadow"}`)
	want[object](a, http.StatusOK, http.MethodPost, "/v1/automation", `{"enabled":true}`)
	// What is refused, reads, and traffic, are not there.
	a.send(http.MethodPatch, "/v1/sites/home", `{"name":7}`)
	a.send(http.MethodDelete, "/v1/sites/nowhere", "")
	a.send(http.MethodGet, "/v1/sites/home", "")
	a.report("gate", `{"level":50}`)
	want[object](a, http.StatusAccepted, http.MethodPost, "/v1/events", `{"type":"door.opened","data":{}}`)

	var got []string
	all := ""
	for _, e := range a.audited() {
		got = append(got, fmt.Sprintf("%s %s before:%t after:%t", e.Action, e.Target, e.Before != nil, e.After != nil))
		all += string(e.Before) + string(e.After)
		if e.Address != "192.0.2.1" || e.Environment != busbar.Sandbox || !strings.HasPrefix(e.ActorID, "key_") {
			t.Errorf("%s by %q from %q in %q", e.Action, e.ActorID, e.Address, e.Environment)
		}
	}
	wanted := []string{
		"endpoint.create " + id + " before:false after:true", "endpoint.update " + id + " before:true after:true",
		"endpoint.reveal_secret " + id + " before:false after:false", "endpoint.rotate_secret " + id + " before:false after:false",
		"endpoint.disable " + id + " before:true after:true", "endpoint.enable " + id + " before:true after:true",
		"endpoint.recover " + id + " before:false after:true", "job.cancel " + job + " before:true after:true",
		"endpoint.delete " + id + " before:true after:false", "site.create home before:false after:true",
		"device.create gate before:false after:true", "device.settings gate before:true after:true",
		"event_type.create door.opened before:false after:true", "api_key.create " + keyID + " before:false after:true",
		"site.update home before:true after:true", "api_key.revoke " + keyID + " before:true after:true",
		"rule.create " + rule + " before:false after:true", "rule.mode " + rule + " before:true after:true",
		"automation.switch  before:false after:true",
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("audit log (-want +got):\n%s", diff)
	}
	for _, hush := range []string{secret, "hush", device["driver"].(object)["secret"].(string), key} {
		if strings.Contains(all, hush) {
			t.Errorf("the audit log has %.8s…", hush)
		}
	}
	entries := a.audited()
	if by := entries[14]; by.ActorID != keyID || !regexp.MustCompile(`^test sk_test_\S+$`).MatchString(by.ActorName) || strings.Contains(key, by.ActorName) {
		t.Errorf("the key is called %q, %s", by.ActorName, by.ActorID)
	}
	if !strings.Contains(string(entries[1].Before), `"maxInFlight":16`) || !strings.Contains(string(entries[1].After), `"maxInFlight":4`) {
		t.Errorf("before %s, after %s", entries[1].Before, entries[1].After)
	}
}
