package dashboard

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"busbar"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

func siteRoutes() []Route {
	return []Route{
		get("/{env}/sites", busbar.RoleViewer, listSites),
		post("/{env}/sites", busbar.RoleOperator, createSite),
		get("/{env}/sites/{id}", busbar.RoleViewer, showSite),
		post("/{env}/sites/{id}", busbar.RoleOperator, updateSite),
		post("/{env}/sites/{id}/delete", busbar.RoleOperator, deleteSite),
	}
}

func siteFields() []string { return []string{"id", "name", "timezone", "latitude", "longitude"} }

func listSites(q *request) error {
	form := q.form()
	form.Values = url.Values{"timezone": {"Europe/Berlin"}}
	return q.showSites(http.StatusOK, form)
}

func (q *request) showSites(status int, form view.Form) error {
	_, asked, err := q.filters()
	if err != nil {
		return err
	}
	list, err := ask[api.List[api.Site]](q, http.MethodGet, "/v1/sites", args{query: asked})
	if err != nil {
		return err
	}
	return q.render(status, view.Sites(q.frame("sites", "Sites"), view.SitesPage{
		Sites: list.Items, Form: form, Pages: pages(q.at("/sites"), nil, asked.Get("cursor"), list.NextCursor),
	}))
}

// siteBody makes of a form what the API takes. A place that is left empty is forgotten.
func siteBody(form view.Form, change bool) (map[string]any, error) {
	body := map[string]any{"name": strings.TrimSpace(form.Get("name")), "timezone": strings.TrimSpace(form.Get("timezone"))}
	var wrong []busbar.FieldError
	for _, name := range []string{"latitude", "longitude"} {
		text := strings.TrimSpace(form.Get(name))
		if text == "" {
			if change {
				body[name] = nil
			}
			continue
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			wrong = append(wrong, busbar.FieldError{Path: name, Code: "format", Message: "must be a number"})
			continue
		}
		body[name] = v
	}
	return body, busbar.InvalidFields(wrong)
}

func createSite(q *request) error {
	form := q.form()
	body, err := siteBody(form, false)
	if id := strings.TrimSpace(form.Get("id")); id != "" {
		body["id"] = id
	}
	if err == nil {
		_, err = ask[api.Site](q, http.MethodPost, "/v1/sites", args{body: body, once: form.Once})
	}
	if err != nil {
		if !q.refused(err, &form, siteFields()...) {
			return err
		}
		return q.showSites(http.StatusUnprocessableEntity, form)
	}
	return q.done(q.at("/sites"), "The site was created.")
}

func (q *request) site() (api.Site, error) {
	return ask[api.Site](q, http.MethodGet, "/v1/sites/{id}", args{params: byID(q.id())})
}

func showSite(q *request) error {
	s, err := q.site()
	if err != nil {
		return err
	}
	form := view.Form{Values: url.Values{"name": {s.Name}, "timezone": {s.Timezone}}}
	for name, v := range map[string]*float64{"latitude": s.Latitude, "longitude": s.Longitude} {
		if v != nil {
			form.Values.Set(name, strconv.FormatFloat(*v, 'f', -1, 64))
		}
	}
	return q.showSite(http.StatusOK, s, form)
}

// showSite shows a site with its devices, maybe with what is wrong with a form that was sent.
func (q *request) showSite(status int, s api.Site, form view.Form) error {
	devices, err := ask[api.List[api.Device]](q, http.MethodGet, "/v1/devices", args{query: url.Values{"siteId": {string(s.ID)}, "limit": {"50"}}})
	if err != nil {
		return err
	}
	f := q.frame("sites", s.Name)
	if len(form.Errors) == 0 {
		f = q.live(f)
	}
	return q.render(status, view.Site(f, view.SitePage{
		Now: q.now(), Site: s, Devices: devices.Items, More: devices.NextCursor != nil, Form: form,
	}))
}

func updateSite(q *request) error {
	before, err := q.site()
	if err != nil {
		return err
	}
	form := q.form()
	body, err := siteBody(form, true)
	if err == nil {
		_, err = ask[api.Site](q, http.MethodPatch, "/v1/sites/{id}", args{params: byID(q.id()), body: body})
	}
	if err != nil {
		if !q.refused(err, &form, siteFields()...) {
			return err
		}
		return q.showSite(http.StatusUnprocessableEntity, before, form)
	}
	return q.done(q.at("/sites/%s", q.id()), "The site was saved.")
}

func deleteSite(q *request) error {
	if q.posted.Get("sure") != "yes" {
		q.setFlash(view.Flash{Tone: "info", Text: "Nothing was deleted: the box was not ticked."})
		q.redirect(q.at("/sites/%s", q.id()))
		return nil
	}
	_, err := ask[api.Deleted](q, http.MethodDelete, "/v1/sites/{id}", args{params: byID(q.id())})
	if err := q.conflict(err, q.at("/sites/%s", q.id())); err != nil {
		return stop(err)
	}
	return q.done(q.at("/sites"), "The site was deleted.")
}
