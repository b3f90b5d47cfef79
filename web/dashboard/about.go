package dashboard

import (
	"net/http"
	"time"

	"busbar"
	"busbar/web/dashboard/view"
)

func aboutRoutes() []Route {
	return []Route{
		get("/about", busbar.RoleViewer, showAbout),
	}
}

// Settings are some of what the process was started with, under a title.
type Settings = view.Settings

// Setting is one thing that the process was told, or that never changes.
type Setting = view.Setting

// Span is a duration in words: whole days, or at most two units.
func Span(d time.Duration) string {
	if days := d / (24 * time.Hour); days >= 1 && d%(24*time.Hour) == 0 {
		return view.Plural(int(days), "day", "days")
	}
	return view.Span(d, 2)
}

func showAbout(q *request) error {
	ready := q.cfg.Ready(q.ctx())
	return q.render(http.StatusOK, view.About(q.frame("about", "About"), view.AboutPage{
		Accepting: ready.Accepting, WorkersPolling: ready.WorkersPolling, Backlog: ready.Backlog, Settings: q.cfg.Settings,
	}))
}
