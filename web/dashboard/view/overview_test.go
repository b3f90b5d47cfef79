package view_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"busbar"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

func TestWhatIsNotCountedYetIsNotShownAsNothing(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	o := view.OverviewPage{
		Now: now, Day: view.NewDay(now.Add(-24*time.Hour), 24), Endpoints: []api.Endpoint{{ID: "ep_1", Enabled: true}},
		Accepting: true, WorkersPolling: true,
	}
	o.Day.Counting = true
	f := view.Frame{Title: "Overview", Env: busbar.Sandbox, User: &busbar.User{Name: "Ada", Role: busbar.RoleAdmin}, Now: now, AskAgain: true}
	show := func() string {
		t.Helper()
		var page bytes.Buffer
		if err := view.Overview(f, o).Render(t.Context(), &page); err != nil {
			t.Fatal(err)
		}
		return page.String()
	}
	text := show()
	for _, want := range []string{
		"The last 24 hours are being counted", "by result: being counted", `<noscript><meta http-equiv="refresh" content="2"></noscript>`, "data-counting",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	zero := regexp.MustCompile(`(Events, 24 h|Delivered|Failed, 24 h)</dt>\s*<dd>(<a[^>]*>)?\s*0`)
	if zero.MatchString(text) || strings.Contains(text, "All is well") || strings.Contains(text, "No endpoint does.") {
		t.Errorf("the page says what it does not know:\n%s", text)
	}
	o.Day.Counting, o.Day.Counted, f.AskAgain = false, true, false
	text = show()
	if got := len(zero.FindAllString(text, -1)); got != 3 || !strings.Contains(text, "All is well") || strings.Contains(text, "http-equiv") || strings.Contains(text, "being counted") {
		t.Errorf("with counts the page has %d of them:\n%s", got, text)
	}
}
