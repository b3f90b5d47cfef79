package dashboard

import (
	"maps"
	"net/http"
	"net/url"
	"time"

	"busbar"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

func eventRoutes() []Route {
	return []Route{
		get("/{env}/events", busbar.RoleViewer, listEvents),
		get("/{env}/events/{id}", busbar.RoleViewer, showEvent),
		post("/{env}/events", busbar.RoleOperator, sendEvent),
	}
}

// since reads a filter such as 1h: how far back to look.
func (q *request) since(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return "", busbar.Errorf(busbar.CodeNotFound, "there is no such stretch of time")
	}
	return q.now().Add(-d).UTC().Format("2006-01-02T15:04:05.000Z"), nil
}

// filters are those of a list, as its own address has them, and what they ask of the API.
func (q *request) filters(names ...string) (shown, asked url.Values, err error) {
	given := q.r.URL.Query()
	shown, asked = url.Values{}, url.Values{}
	for _, name := range names {
		if v := given.Get(name); v != "" {
			shown.Set(name, v)
			asked.Set(name, v)
		}
	}
	if v := given.Get("last"); v != "" {
		at, err := q.since(v)
		if err != nil {
			return nil, nil, err
		}
		shown.Set("last", v)
		asked.Set("since", at)
	}
	if v := given.Get("cursor"); v != "" {
		asked.Set("cursor", v)
	}
	return shown, asked, nil
}

// pages are the addresses of the first and the next page of a list.
func pages(path string, shown url.Values, cursor string, next *string) view.Pages {
	var p view.Pages
	if cursor != "" {
		p.First = withQuery(path, shown)
	}
	if next != nil {
		more := url.Values{"cursor": {*next}}
		maps.Copy(more, shown)
		p.Next = withQuery(path, more)
	}
	return p
}

func withQuery(path string, values url.Values) string {
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

func listEvents(q *request) error {
	shown, asked, err := q.filters("type", "deviceId", "siteId")
	if err != nil {
		return err
	}
	filters, status := view.Form{Values: shown}, http.StatusOK
	list, err := ask[api.List[api.Event]](q, http.MethodGet, "/v1/events", args{query: asked})
	if err != nil {
		if !q.refused(err, &filters, "type") || filters.Errors["type"] == "" {
			return err
		}
		status = http.StatusUnprocessableEntity
	}
	types, err := q.typeNames()
	if err != nil {
		return err
	}
	cursor := asked.Get("cursor")
	f := q.frame("events", "Events")
	if cursor == "" && status == http.StatusOK {
		f = q.live(f)
	}
	return q.render(status, view.Events(f, view.EventsPage{
		Now: q.now(), Events: list.Items, Types: types, Filters: filters,
		Pages: pages(q.at("/events"), shown, cursor, list.NextCursor),
	}))
}

// typeNames are those of the event types, for filters.
func (q *request) typeNames() ([]string, error) {
	list, err := ask[api.List[api.EventType]](q, http.MethodGet, "/v1/event-types", args{query: url.Values{"limit": {"200"}}})
	if err != nil {
		return nil, err
	}
	names := make([]string, len(list.Items))
	for i, t := range list.Items {
		names[i] = t.Name
	}
	return names, nil
}

func showEvent(q *request) error {
	event, err := ask[api.EventDetail](q, http.MethodGet, "/v1/events/{id}", args{params: byID(q.id())})
	if err != nil {
		return err
	}
	graph, err := ask[api.Graph](q, http.MethodGet, "/v1/events/{id}/graph", args{params: byID(q.id())})
	if err != nil {
		return err
	}
	endpoints, err := q.allEndpoints()
	if err != nil {
		return err
	}
	names, err := q.runNames()
	if err != nil {
		return err
	}
	return q.render(http.StatusOK, view.Event(q.live(q.frame("events", event.Type)), view.EventPage{
		Now: q.now(), Event: event, Names: names, Endpoints: endpoints,
		Graph: view.LayOut(graph, string(event.ID), view.GraphNames{Endpoints: endpoints, Rules: names.Rules}),
	}))
}

// sendEvent offers an event that somebody wrote by hand.
func sendEvent(q *request) error {
	form := q.form()
	name := form.Get("type")
	fields := []string{"type", "deviceId", "data"}
	body := map[string]any{"type": name}
	if v := form.Get("deviceId"); v != "" {
		body["deviceId"] = v
	}
	data, err := jsonField("data", form.Get("data"))
	if err == nil {
		body["data"] = data
		var accepted api.AcceptedEvent
		accepted, err = ask[api.AcceptedEvent](q, http.MethodPost, "/v1/events", args{body: body, once: form.Once})
		if err == nil {
			return q.done(q.at("/events/%s", url.PathEscape(string(accepted.EventID))), "The event was accepted.")
		}
	}
	if !q.refused(err, &form, fields...) {
		return err
	}
	return q.showType(http.StatusUnprocessableEntity, name, form)
}
