package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar"
)

func TestSiteFromCreationToDeletion(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	created := want[object](a, http.StatusCreated, http.MethodPost, "/v1/sites", `{"name":"Home","timezone":"Europe/Berlin","latitude":52.52,"longitude":13.405}`)
	id := created["id"].(string)
	if !strings.HasPrefix(id, "site_") || !milliseconds.MatchString(created["createdAt"].(string)) {
		t.Errorf("created: %v", created)
	}
	if diff := cmp.Diff(created, want[object](a, http.StatusOK, http.MethodGet, "/v1/sites/"+id, "")); diff != "" {
		t.Errorf("read (-created +read):\n%s", diff)
	}
	if diff := cmp.Diff([]object{created}, a.items("/v1/sites")); diff != "" {
		t.Errorf("list (-created +listed):\n%s", diff)
	}
	for _, step := range []struct{ body, field, want string }{
		{`{}`, "name", "Home"},
		{`{"name":"Hut"}`, "name", "Hut"},
		{`{"timezone":"America/New_York"}`, "timezone", "America/New_York"},
	} {
		if got := want[object](a, http.StatusOK, http.MethodPatch, "/v1/sites/"+id, step.body); got[step.field] != step.want || got["latitude"] != 52.52 {
			t.Errorf("after %s: %v", step.body, got)
		}
	}
	forgot := want[object](a, http.StatusOK, http.MethodPatch, "/v1/sites/"+id, `{"latitude":null,"longitude":null}`)
	if forgot["latitude"] != nil || forgot["longitude"] != nil {
		t.Errorf("place is still known: %v", forgot)
	}
	want[object](a, http.StatusOK, http.MethodDelete, "/v1/sites/"+id, "")
	if got := a.send(http.MethodGet, "/v1/sites/"+id, ""); got.Status != http.StatusNotFound {
		t.Errorf("a deleted site: %s", got.Body)
	}
}

func TestANameThatShowsNothingIsNone(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	for method, path := range map[string]string{http.MethodPost: "/v1/sites", http.MethodPatch: "/v1/sites/home"} {
		got := a.send(method, path, `{"name":" \u00a0 ","timezone":"UTC"}`)
		if got.Status != http.StatusUnprocessableEntity || len(got.Error.Details.Fields) != 1 || got.Error.Details.Fields[0].Path != "name" {
			t.Errorf("%s: %s", method, got.Body)
		}
	}
	if got := a.send(http.MethodPost, "/v1/api-keys", `{"name":" ","scopes":["read"]}`); got.Error.Code != busbar.CodeValidationFailed {
		t.Errorf("API key: %s", got.Body)
	}
}

func TestSitesOfTheOtherEnvironmentAreNotSeen(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	a.createHome()
	live := "x-api-key: " + liveKey
	for _, path := range []string{"/v1/sites", "/v1/devices", "/v1/battery", "/v1/actions", "/v1/simulator/faults"} {
		if n := len(a.items(path, live)); n != 0 {
			t.Errorf("%s: live sees %d", path, n)
		}
	}
	for _, path := range []string{"/v1/sites/home", "/v1/devices/battery", "/v1/battery/battery", "/v1/devices/battery/history?field=level"} {
		if got := a.send(http.MethodGet, path, "", live); got.Status != http.StatusNotFound {
			t.Errorf("%s: live sees %s", path, got.Body)
		}
	}
	// The same ids are free there.
	a.createHome(live)
}
