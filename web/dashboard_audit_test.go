package web_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"busbar"
)

// changed keeps an entry of the audit log.
func (a *app) changed(actor, action, target string, env busbar.Environment, at time.Time) {
	a.t.Helper()
	must(a.t, a.store.AddAudit(a.t.Context(), &busbar.AuditEntry{
		ID: busbar.NewAuditID(), At: at, ActorID: actor, ActorName: strings.ToUpper(actor), Address: "127.0.0.1",
		Environment: env, Action: action, Target: target,
	}))
}

func TestTheAuditLogIsFilteredByItsAddress(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleAdmin)
	may := func(day, hour int) time.Time { return time.Date(2026, 5, day, hour, 0, 0, 0, time.UTC) }
	b.app.changed("key_gate", "endpoint.update", "ep_1", busbar.Sandbox, may(3, 0))
	b.app.changed("user_ada", "endpoint.delete", "ep_2", busbar.Live, may(4, 23))
	b.app.changed("user_ada", "rule.update", "rule_<1>", busbar.Live, may(5, 0))
	for query, want := range map[string]string{
		"actor=user_ada":                    "rule.update endpoint.delete",
		"action=endpoint.update":            "endpoint.update",
		"action=endpoint.*":                 "endpoint.delete endpoint.update",
		"target=ep_1":                       "endpoint.update",
		"environment=live":                  "rule.update endpoint.delete",
		"environment=neither":               "session.create",
		"since=2026-05-03&until=2026-05-04": "endpoint.delete endpoint.update",
		"until=2026-05-03":                  "endpoint.update",
		"actor=user_ada&action=endpoint.*&environment=live": "endpoint.delete",
		"actor=nobody":                                             "",
		"target=" + url.QueryEscape("rule_<1>"):                    "rule.update",
		"target=" + url.QueryEscape(`"><script>alert(1)</script>`): "",
	} {
		got := b.get("/audit?" + query)
		wantPage(t, got, http.StatusOK)
		var kinds []string
		for _, match := range regexp.MustCompile(`<span><code>([a-z_.]+)</code></span>`).FindAllStringSubmatch(got.body, -1) {
			kinds = append(kinds, match[1])
		}
		if list := strings.Join(kinds, " "); list != want {
			t.Errorf("%s shows %q, want %q", query, list, want)
		}
		given, err := url.ParseQuery(query)
		must(t, err)
		for name, values := range given {
			quoted := regexp.QuoteMeta(html.EscapeString(values[0]))
			if !regexp.MustCompile(`<input[^>]* name="` + name + `"[^>]* value="` + quoted + `"|<option value="` + quoted + `" selected`).MatchString(got.body) {
				t.Errorf("%s: the form forgets %s", query, name)
			}
		}
		if want == "" && !strings.Contains(got.body, "No entry fits these filters.") {
			t.Errorf("%s does not say that it finds nothing", query)
		}
	}
}

func TestThePagesOfTheAuditLogKeepItsFilters(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleAdmin)
	for i := range busbar.DefaultPageSize + 3 {
		b.app.changed("user_ada", "rule.update", "rule_1", busbar.Live, b.app.now().Add(time.Duration(-i)*time.Hour))
		b.app.changed("user_grace", "rule.update", "rule_1", busbar.Live, b.app.now().Add(time.Duration(-i)*time.Hour))
	}
	first := b.get("/audit?actor=user_ada&target=rule_1")
	more := regexp.MustCompile(`<a href="(/audit\?[^"]+)" rel="next">`).FindStringSubmatch(first.body)
	if more == nil {
		t.Fatal("there is no way to older entries")
	}
	second := b.get(html.UnescapeString(more[1]))
	for page, n := range map[*look]int{&first: busbar.DefaultPageSize, &second: 3} {
		if ada, grace := strings.Count(page.body, `<details class="attempt">`), strings.Count(page.body, "USER_GRACE, "); ada != n || grace != 0 {
			t.Errorf("a page has %d entries, %d of them of somebody else; want %d", ada, grace, n)
		}
	}
	wantPage(t, second, http.StatusOK, `<a href="/audit?actor=user_ada&amp;target=rule_1">Newest</a>`, "That is all.")
}

func TestFiltersOfTheAuditLogThatAreWrongAreSaidBesideTheField(t *testing.T) {
	t.Parallel()
	b := signedIn(t, busbar.RoleAdmin)
	for query, want := range map[string]string{
		"since=yesterday":                   "Must be a day, as 2026-05-31.",
		"until=2026-13-01":                  "Must be a day, as 2026-05-31.",
		"environment=mars":                  "There is no such environment.",
		"since=2026-05-04&until=2026-05-03": "Is before the first day.",
	} {
		got := b.get("/audit?target=ep_1&" + query)
		wantPage(t, got, http.StatusUnprocessableEntity, want, `aria-invalid="true"`, `value="ep_1"`)
		if strings.Contains(got.body, "No entry fits") || strings.Contains(got.body, `<details class="attempt">`) {
			t.Errorf("%s is answered with entries, or with none", query)
		}
	}
	wantPage(t, b.get("/audit?cursor=rubbish"), http.StatusUnprocessableEntity, "cursor")
}
