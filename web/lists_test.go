package web_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/web/api"
)

// routesWith are the routes that take a query parameter.
func routesWith(name string) []api.Route {
	return slices.DeleteFunc(api.Routes(), func(r api.Route) bool {
		return !slices.ContainsFunc(r.Query, func(p api.Param) bool { return p.Name == name })
	})
}

// cursorOf is the cursor that the first page of a list ends with.
func (a *app) cursorOf(path string) string {
	a.t.Helper()
	page := want[struct{ NextCursor *string }](a, http.StatusOK, http.MethodGet, path, "")
	if page.NextCursor == nil {
		a.t.Fatalf("%s has one page only", path)
	}
	return *page.NextCursor
}

const battery = `{"type":"battery","siteId":"home","driver":{"kind":"manual"},"id":"%s"}`

func TestCursorIsGoodForItsListOnly(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/sites", `{"id":"home","name":"Home","timezone":"UTC"}`)
	for _, id := range []string{"one", "two"} {
		want[object](a, http.StatusCreated, http.MethodPost, "/v1/devices", fmt.Sprintf(battery, id))
		for range 3 {
			a.createEndpoint(plainEndpoint)
			for _, key := range []string{sandboxKey, liveKey} {
				want[object](a, http.StatusAccepted, http.MethodPost, "/v1/events", `{"type":"device.connected","data":{}}`, "x-api-key: "+key)
			}
		}
	}
	wrong := func(path string, headers ...string) {
		t.Helper()
		got := a.send(http.MethodGet, path, "", headers...)
		fields := []busbar.FieldError{{Path: "cursor", Code: "invalid", Message: "is none that this list gave with these filters; start again without it"}}
		if got.Status != http.StatusUnprocessableEntity || got.Error.Code != busbar.CodeValidationFailed || !cmp.Equal(fields, got.Error.Details.Fields) {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}

	events := a.cursorOf("/v1/events?limit=1")
	for _, r := range routesWith("cursor") {
		if r.Path != "/v1/events" {
			wrong(strings.NewReplacer("{id}", "one").Replace(r.Path) + "?cursor=" + events)
		}
	}
	// The types that are built in have cursors of another make.
	wrong("/v1/events?cursor=" + a.cursorOf("/v1/event-types?limit=1"))
	wrong("/v1/events?cursor="+events, "x-api-key: "+liveKey)
	wrong("/v1/events?type=device.connected&cursor=" + events)
	wrong("/v1/events?cursor=" + a.cursorOf("/v1/events?limit=1&type=device.connected"))
	wrong("/v1/events?cursor=" + events[:len(events)-1])
	wrong("/v1/events?cursor=" + events + "~" + events)

	for _, level := range []string{"1", "2"} {
		want[object](a, http.StatusAccepted, http.MethodPost, "/v1/devices/one/state", `{"state":{"level":`+level+`0}}`)
	}
	history := a.cursorOf("/v1/devices/one/history?field=level&limit=1")
	wrong("/v1/devices/two/history?field=level&cursor=" + history)
	wrong("/v1/devices/one/history?field=temperature&cursor=" + history)
	if n := len(a.items("/v1/devices/one/history?field=level&cursor=" + history)); n != 1 {
		t.Errorf("the second page of the history has %d points, want 1", n)
	}
}

func TestCursorGoesOnWithAnotherLimitAndPeriod(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	for range 4 {
		want[object](a, http.StatusAccepted, http.MethodPost, "/v1/events", `{"type":"device.connected","data":{}}`)
	}
	all := a.items("/v1/events?type=device.*")
	marked := a.cursorOf("/v1/events?limit=1&type=device.*&since=2026-01-01T00:00:00Z")
	// As they were before a cursor named its list.
	plain, _, _ := strings.Cut(marked, "~")
	for _, query := range []string{
		"&cursor=" + marked, "&deviceId=&cursor=" + marked, "&limit=3&since=2026-01-02T00:00:00Z&until=2999-01-01T00:00:00Z&cursor=" + marked,
		"&cursor=" + plain,
	} {
		if diff := cmp.Diff(all[1:], a.items("/v1/events?type=device.*"+query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

func TestPeriodThatEndsBeforeItBeginsIsRefused(t *testing.T) {
	t.Parallel()
	a := newApp(t, options{})
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/sites", `{"id":"home","name":"Home","timezone":"UTC"}`)
	want[object](a, http.StatusCreated, http.MethodPost, "/v1/devices", fmt.Sprintf(battery, "one"))
	endpoint, _ := a.createEndpoint(plainEndpoint)
	refused := func(want, method, path, body string) {
		t.Helper()
		got := a.send(method, path, body)
		fields := []busbar.FieldError{{Path: "since", Code: "out_of_range", Message: want}}
		if got.Status != http.StatusUnprocessableEntity || got.Error.Code != busbar.CodeValidationFailed || !cmp.Equal(fields, got.Error.Details.Fields) {
			t.Errorf("%s %s %s: %d %s", method, path, body, got.Status, got.Body)
		}
	}
	backwards := []string{"2026-01-02T00:00:00Z", "2026-01-01T23:59:59.999Z"}
	empty := []string{"2026-01-02T00:00:00Z", "2026-01-02T01:00:00+01:00"}
	for _, r := range routesWith("since") {
		for _, p := range [][]string{backwards, empty} {
			path := strings.NewReplacer("{id}", "one").Replace(r.Path) + "?since=" + p[0] + "&until=" + strings.ReplaceAll(p[1], "+", "%2B")
			if strings.HasSuffix(r.Path, "/history") {
				path += "&field=level"
			}
			refused("must be before until", http.MethodGet, path, "")
		}
	}
	for _, path := range []string{"/v1/endpoints/" + endpoint + "/recover", "/v1/endpoints/" + endpoint + "/replay", "/v1/rules/backtest"} {
		for _, p := range [][]string{backwards, empty} {
			refused("must be before until", http.MethodPost, path, fmt.Sprintf(`{"since":%q,"until":%q}`, p[0], p[1]))
		}
		refused("must be in the past", http.MethodPost, path, `{"since":"2999-01-01T00:00:00Z"}`)
		refused("must be in the past", http.MethodPost, path, `{"since":"2999-01-01T00:00:00Z","until":"2999-01-02T00:00:00Z"}`)
	}
	refused("must be in the past", http.MethodGet, "/v1/endpoints/"+endpoint+"/stats?since=2999-01-01T00:00:00Z", "")
	refused("must be at most 31 days before until", http.MethodGet, "/v1/endpoints/"+endpoint+"/stats?since=2025-01-01T00:00:00Z", "")
	if jobs := a.items("/v1/jobs"); len(jobs) != 0 {
		t.Errorf("there are jobs: %v", jobs)
	}
}
