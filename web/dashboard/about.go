package dashboard

import (
	"net/http"
	"time"

	"busbar"
	"busbar/web/dashboard/view"
)

func aboutRoutes() []Route {
	return []Route{
		get("/audit", busbar.RoleAdmin, showAudit),
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

func showAudit(q *request) error {
	req := q.pageOf()
	page, err := q.cfg.Audit.Audit(q.ctx(), req)
	if err != nil {
		return err
	}
	return q.render(http.StatusOK, view.Audit(q.frame("audit", "Audit log"), view.AuditPage{
		Now: q.now(), Entries: page.Items, Pages: pages("/audit", nil, req.Cursor, next(page.NextCursor)),
	}))
}

func showAbout(q *request) error {
	ready := q.cfg.Ready(q.ctx())
	return q.render(http.StatusOK, view.About(q.frame("about", "About"), view.AboutPage{
		Accepting: ready.Accepting, WorkersPolling: ready.WorkersPolling, Backlog: ready.Backlog, Settings: q.cfg.Settings,
	}))
}
