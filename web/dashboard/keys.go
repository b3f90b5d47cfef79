package dashboard

import (
	"net/http"
	"strings"
	"time"

	"busbar"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

func keyRoutes() []Route {
	return []Route{
		get("/{env}/api-keys", busbar.RoleAdmin, listKeys),
		post("/{env}/api-keys", busbar.RoleAdmin, createKey),
		post("/{env}/api-keys/{id}/revoke", busbar.RoleAdmin, revokeKey),
	}
}

func listKeys(q *request) error {
	return q.showKeys(http.StatusOK, q.form(), nil)
}

// showKeys shows the keys, and maybe one that was just made.
func (q *request) showKeys(status int, form view.Form, created *api.CreatedAPIKey) error {
	_, asked, err := q.filters()
	if err != nil {
		return err
	}
	list, err := ask[api.List[api.APIKey]](q, http.MethodGet, "/v1/api-keys", args{query: asked})
	if err != nil {
		return err
	}
	return q.render(status, view.APIKeys(q.frame("api-keys", "API keys"), view.APIKeysPage{
		Now: q.now(), Keys: list.Items, Form: form, Created: created,
		Pages: pages(q.at("/api-keys"), nil, asked.Get("cursor"), list.NextCursor),
	}))
}

func createKey(q *request) error {
	form := q.form()
	body := map[string]any{"name": strings.TrimSpace(form.Get("name")), "scopes": form.Values["scopes"]}
	if text := form.Get("life"); text != "" {
		life, err := time.ParseDuration(text)
		if err != nil || life <= 0 {
			return busbar.Errorf(busbar.CodeNotFound, "there is no such stretch of time")
		}
		// The same to the minute, so that sending the form twice is the same request.
		body["expiresAt"] = q.now().Add(life).UTC().Truncate(time.Minute).Format(time.RFC3339)
	}
	created, err := ask[api.CreatedAPIKey](q, http.MethodPost, "/v1/api-keys", args{body: body, once: form.Once})
	if err != nil {
		if !q.refused(err, &form, "name", "scopes", "life") {
			return err
		}
		return q.showKeys(http.StatusUnprocessableEntity, form, nil)
	}
	q.private()
	q.posted = nil
	return q.showKeys(http.StatusOK, q.form(), &created)
}

func revokeKey(q *request) error {
	if _, err := ask[api.APIKey](q, http.MethodDelete, "/v1/api-keys/{id}", args{params: byID(q.id())}); err != nil {
		return err
	}
	return q.done(q.at("/api-keys"), "The key was revoked. From this moment on it lets nobody in.")
}
