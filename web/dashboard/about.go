package dashboard

import (
	"net/http"

	"busbar"
	"busbar/web/dashboard/view"
)

func aboutRoutes() []Route {
	return []Route{
		get("/audit", busbar.RoleAdmin, showAudit),
		get("/about", busbar.RoleViewer, showAbout),
	}
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
		Accepting: ready.Accepting, WorkersPolling: ready.WorkersPolling, Backlog: ready.Backlog,
	}))
}
