package dashboard

import (
	"net/http"
	"net/url"
	"time"

	"busbar"
	"busbar/internal/store"
	"busbar/web/dashboard/view"
)

func auditRoutes() []Route {
	return []Route{get("/audit", busbar.RoleAdmin, showAudit)}
}

// showAudit shows who changed what. Its filters are in its address, so that what was found can be passed on.
func showAudit(q *request) error {
	p := view.AuditPage{Now: q.now(), Filters: view.Form{Values: url.Values{}, Errors: map[string]string{}}}
	filter := q.auditFilter(&p.Filters)
	var err error
	if p.Actors, err = q.cfg.Audit.AuditActors(q.ctx()); err != nil {
		return err
	}
	if p.Actions, err = q.cfg.Audit.AuditActions(q.ctx()); err != nil {
		return err
	}
	status := http.StatusUnprocessableEntity
	if len(p.Filters.Errors) == 0 {
		req := q.pageOf()
		page, err := q.cfg.Audit.Audit(q.ctx(), filter, req)
		if err != nil {
			return err
		}
		status, p.Entries = http.StatusOK, page.Items
		p.Pages = pages("/audit", p.Filters.Values, req.Cursor, next(page.NextCursor))
	}
	return q.render(status, view.Audit(q.frame("audit", "Audit log"), p))
}

// auditFilter reads the filters of the address, and keeps in the form what is wrong with them.
func (q *request) auditFilter(form *view.Form) store.AuditFilter {
	given := q.r.URL.Query()
	for _, name := range []string{"actor", "action", "target", "environment", "since", "until"} {
		if v := given.Get(name); v != "" {
			form.Values.Set(name, v)
		}
	}
	f := store.AuditFilter{ActorID: form.Get("actor"), Action: form.Get("action"), Target: form.Get("target")}
	switch env := form.Get("environment"); env {
	case "":
	case view.NeitherEnvironment:
		f.Shared = true
	default:
		var err error
		if f.Environment, err = busbar.ParseEnvironment(env); err != nil {
			form.Errors["environment"] = "There is no such environment."
		}
	}
	f.Since = dayOf(form, "since")
	if f.Until = dayOf(form, "until"); !f.Until.IsZero() {
		f.Until = f.Until.AddDate(0, 0, 1) // the day itself is meant, too
	}
	if !f.Until.IsZero() && !f.Since.Before(f.Until) {
		form.Errors["until"] = "Is before the first day."
	}
	return f
}

// dayOf is the beginning of a day, in UTC; zero when there is none, or none can be read.
func dayOf(form *view.Form, name string) time.Time {
	text := form.Get(name)
	if text == "" {
		return time.Time{}
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		form.Errors[name] = "Must be a day, as 2026-05-31."
	}
	return day
}
