package dashboard

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"busbar"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

func eventTypeRoutes() []Route {
	return []Route{
		get("/{env}/event-types", busbar.RoleViewer, listTypes),
		get("/{env}/event-types/new", busbar.RoleOperator, newType),
		post("/{env}/event-types", busbar.RoleOperator, createType),
		get("/{env}/event-types/{name}", busbar.RoleViewer, showType),
	}
}

func listTypes(q *request) error {
	var all []api.EventType
	query := url.Values{"limit": {"200"}}
	for {
		list, err := ask[api.List[api.EventType]](q, http.MethodGet, "/v1/event-types", args{query: query})
		if err != nil {
			return err
		}
		all = append(all, list.Items...)
		if list.NextCursor == nil {
			break
		}
		query.Set("cursor", *list.NextCursor)
	}
	return q.render(http.StatusOK, view.EventTypes(q.frame("event-types", "Event types"), all))
}

func showType(q *request) error {
	form := q.form()
	return q.showType(http.StatusOK, q.call.Params["name"], form)
}

// showType shows a type with the form that sends an event of it.
func (q *request) showType(status int, name string, form view.Form) error {
	t, err := ask[api.EventType](q, http.MethodGet, "/v1/event-types/{name}", args{params: map[string]string{"name": name}})
	if err != nil {
		return err
	}
	if len(form.Values) == 0 {
		form.Values = url.Values{"data": {example(t.Example)}}
	}
	return q.render(status, view.EventType(q.frame("event-types", t.Name), t, form))
}

// example is what the form begins with.
func example(raw json.RawMessage) string {
	if raw == nil {
		return "{\n  \n}"
	}
	text, _ := view.Indent(raw)
	return text
}

func newType(q *request) error {
	form := q.form()
	form.Values = url.Values{"schema": {"{\n  \"type\": \"object\",\n  \"required\": [\"level\"],\n  \"properties\": {\n    \"level\": {\"type\": \"number\"}\n  }\n}"}}
	return q.render(http.StatusOK, view.EventTypeForm(q.frame("event-types", "New event type"), form))
}

func createType(q *request) error {
	form := q.form()
	body := map[string]any{"name": strings.TrimSpace(form.Get("name"))}
	if v := strings.TrimSpace(form.Get("description")); v != "" {
		body["description"] = v
	}
	schema, err := jsonField("schema", form.Get("schema"))
	body["schema"] = schema
	if err == nil && strings.TrimSpace(form.Get("example")) != "" {
		body["example"], err = jsonField("example", form.Get("example"))
	}
	if err == nil {
		var created api.EventType
		created, err = ask[api.EventType](q, http.MethodPost, "/v1/event-types", args{body: body, once: form.Once})
		if err == nil {
			return q.done(q.at("/event-types/%s", created.Name), "The event type was registered. It never changes from now on.")
		}
	}
	if !q.refused(err, &form, "name", "description", "schema", "example") {
		return err
	}
	return q.render(http.StatusUnprocessableEntity, view.EventTypeForm(q.frame("event-types", "New event type"), form))
}
