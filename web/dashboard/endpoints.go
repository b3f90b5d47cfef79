package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"busbar"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

func endpointRoutes() []Route {
	return []Route{
		get("/{env}/endpoints", busbar.RoleViewer, listEndpoints),
		get("/{env}/endpoints/new", busbar.RoleOperator, newEndpoint),
		post("/{env}/endpoints", busbar.RoleOperator, createEndpoint),
		get("/{env}/endpoints/{id}", busbar.RoleViewer, showEndpoint),
		get("/{env}/endpoints/{id}/edit", busbar.RoleOperator, editEndpoint),
		post("/{env}/endpoints/{id}/edit", busbar.RoleOperator, updateEndpoint),
		post("/{env}/endpoints/{id}/enable", busbar.RoleOperator, enableEndpoint),
		post("/{env}/endpoints/{id}/disable", busbar.RoleOperator, disableEndpoint),
		post("/{env}/endpoints/{id}/test", busbar.RoleOperator, testEndpoint),
		post("/{env}/endpoints/{id}/secret", busbar.RoleOperator, revealSecret),
		post("/{env}/endpoints/{id}/rotate", busbar.RoleOperator, rotateSecret),
		get("/{env}/endpoints/{id}/delete", busbar.RoleOperator, confirmDeleteEndpoint),
		post("/{env}/endpoints/{id}/delete", busbar.RoleOperator, deleteEndpoint),
	}
}

func endpointFields() []string {
	return []string{"url", "description", "eventTypes", "headers", "payloadFormat", "filter", "rateLimit", "maxInFlight", "timeout", "signing"}
}

func listEndpoints(q *request) error {
	list, err := q.allEndpoints()
	if err != nil {
		return err
	}
	day, err := q.history.day(q.ctx(), q.env)
	if err != nil {
		return err
	}
	return q.render(http.StatusOK, view.Endpoints(q.live(q.frame("endpoints", "Endpoints")), view.EndpointsPage{
		Now: q.now(), Endpoints: list, Day: day,
	}))
}

func (q *request) endpoint() (api.Endpoint, error) {
	return ask[api.Endpoint](q, http.MethodGet, "/v1/endpoints/{id}", args{params: byID(q.id())})
}

func newEndpoint(q *request) error {
	form := q.form()
	form.Values = url.Values{
		"payloadFormat": {string(busbar.Enveloped)}, "signing": {string(busbar.SigningHMAC)},
		"maxInFlight": {strconv.Itoa(busbar.DefaultMaxInFlight)},
	}
	return q.endpointForm(http.StatusOK, nil, form)
}

func (q *request) endpointForm(status int, e *api.Endpoint, form view.Form) error {
	types, err := q.typeNames()
	if err != nil {
		return err
	}
	title := "New endpoint"
	if e != nil {
		title = "Settings of an endpoint"
	}
	return q.render(status, view.EndpointForm(q.frame("endpoints", title), view.EndpointFormPage{Endpoint: e, Form: form, Types: types}))
}

// endpointBody makes of a form what the API takes.
func endpointBody(form view.Form, was *api.Endpoint) (map[string]any, error) {
	body := map[string]any{
		"url": strings.TrimSpace(form.Get("url")), "description": strings.TrimSpace(form.Get("description")),
		"eventTypes": lines(form.Get("eventTypes")),
	}
	for _, name := range []string{"payloadFormat", "signing"} {
		if v := form.Get(name); v != "" {
			body[name] = v
		}
	}
	var fields []busbar.FieldError
	if text := strings.TrimSpace(form.Get("maxInFlight")); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			fields = append(fields, busbar.FieldError{Path: "maxInFlight", Code: "format", Message: "must be a whole number"})
		}
		body["maxInFlight"] = n
	}
	if text := strings.TrimSpace(form.Get("rateLimit")); text != "" {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			fields = append(fields, busbar.FieldError{Path: "rateLimit", Code: "format", Message: "must be a number"})
		}
		body["rateLimit"] = n
	} else if was != nil {
		body["rateLimit"] = nil
	}
	for _, name := range []string{"timeout", "filter"} {
		if text := strings.TrimSpace(form.Get(name)); text != "" {
			body[name] = text
		} else if was != nil {
			body[name] = nil
		}
	}
	headers, err := headersOf(form.Get("headers"), was)
	if err != nil {
		fields = append(fields, *err)
	}
	if len(headers) > 0 {
		body["headers"] = headers
	}
	return body, busbar.InvalidFields(fields)
}

// headersOf reads one header a line. Those that the endpoint had and that are not there any more are taken away.
func headersOf(text string, was *api.Endpoint) (map[string]any, *busbar.FieldError) {
	headers := map[string]any{}
	if was != nil {
		for name := range was.Headers {
			headers[name] = nil
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, &busbar.FieldError{Path: "headers", Code: "format", Message: "must be one a line, as Name: value"}
		}
		headers[http.CanonicalHeaderKey(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	return headers, nil
}

func createEndpoint(q *request) error {
	form := q.form()
	body, err := endpointBody(form, nil)
	var created api.CreatedEndpoint
	if err == nil {
		created, err = ask[api.CreatedEndpoint](q, http.MethodPost, "/v1/endpoints", args{body: body, once: form.Once})
	}
	if err != nil {
		if !q.refused(err, &form, endpointFields()...) {
			return err
		}
		return q.endpointForm(http.StatusUnprocessableEntity, nil, form)
	}
	q.private()
	f := q.frame("endpoints", "Endpoint created")
	f.Flash = &view.Flash{Tone: "good", Text: "The endpoint was created. From now on it gets the events that it wants."}
	return q.render(http.StatusOK, view.Secret(f, view.SecretPage{
		Endpoint: created.Endpoint, Secrets: api.Secrets{Secret: created.Secret, PublicKey: created.PublicKey}, Created: true, Now: q.now(),
	}))
}

func showEndpoint(q *request) error {
	e, err := q.endpoint()
	if err != nil {
		return err
	}
	return q.showEndpoint(http.StatusOK, e, nil)
}

// showEndpoint shows an endpoint, maybe with the attempt of a test send.
func (q *request) showEndpoint(status int, e api.Endpoint, test *view.TestSend) error {
	day, err := q.history.day(q.ctx(), q.env)
	if err != nil {
		return err
	}
	list, err := ask[api.List[api.Delivery]](q, http.MethodGet, "/v1/deliveries", args{query: url.Values{
		"endpointId": {string(e.ID)}, "limit": {"10"},
	}})
	if err != nil {
		return err
	}
	jobs, err := ask[api.List[api.Job]](q, http.MethodGet, "/v1/jobs", args{query: url.Values{"endpointId": {string(e.ID)}, "limit": {"5"}}})
	if err != nil {
		return err
	}
	stats, err := ask[api.Stats](q, http.MethodGet, "/v1/endpoints/{id}/stats", args{params: byID(string(e.ID))})
	if err != nil {
		return err
	}
	types, err := q.typeNames()
	if err != nil {
		return err
	}
	f := q.frame("endpoints", "Endpoint")
	if test == nil {
		f = q.live(f)
	}
	form := q.form()
	return q.render(status, view.Endpoint(f, view.EndpointPage{
		Now: q.now(), Endpoint: e, Day: day, Deliveries: list.Items, Jobs: jobs.Items, Stats: stats.Counts, Types: types,
		Form: form, Test: test,
	}))
}

func editEndpoint(q *request) error {
	e, err := q.endpoint()
	if err != nil {
		return err
	}
	form := q.form()
	var headers []string
	for name, value := range e.Headers {
		headers = append(headers, name+": "+value)
	}
	slices.Sort(headers)
	form.Values = url.Values{
		"url": {e.URL}, "description": {e.Description}, "eventTypes": {strings.Join(e.EventTypes, "\n")},
		"headers": {strings.Join(headers, "\n")}, "payloadFormat": {string(e.PayloadFormat)}, "signing": {string(e.Signing)},
		"maxInFlight": {strconv.Itoa(e.MaxInFlight)}, "timeout": {e.Timeout},
	}
	if e.Filter != nil {
		form.Values.Set("filter", *e.Filter)
	}
	if e.RateLimit != nil {
		form.Values.Set("rateLimit", strconv.FormatFloat(*e.RateLimit, 'f', -1, 64))
	}
	return q.endpointForm(http.StatusOK, &e, form)
}

func updateEndpoint(q *request) error {
	before, err := q.endpoint()
	if err != nil {
		return err
	}
	form := q.form()
	body, err := endpointBody(form, &before)
	if err == nil {
		_, err = ask[api.Endpoint](q, http.MethodPatch, "/v1/endpoints/{id}", args{params: byID(q.id()), body: body})
	}
	if err != nil {
		if !q.refused(err, &form, endpointFields()...) {
			return err
		}
		return q.endpointForm(http.StatusUnprocessableEntity, &before, form)
	}
	return q.done(q.at("/endpoints/%s", q.id()), "The settings were saved.")
}

func enableEndpoint(q *request) error {
	return q.switchEndpoint("enable", "The endpoint is enabled.")
}

func disableEndpoint(q *request) error {
	return q.switchEndpoint("disable", "The endpoint is disabled. What it would have got is kept.")
}

func (q *request) switchEndpoint(verb, said string) error {
	if _, err := ask[api.Endpoint](q, http.MethodPost, "/v1/endpoints/{id}/"+verb, args{params: byID(q.id())}); err != nil {
		return err
	}
	return q.done(q.at("/endpoints/%s", q.id()), "%s", said)
}

// testEndpoint sends an example and shows the attempt.
func testEndpoint(q *request) error {
	e, err := q.endpoint()
	if err != nil {
		return err
	}
	form := q.form()
	body := map[string]any{}
	if name := form.Get("type"); name != "" {
		body["type"] = name
	}
	result, err := ask[api.TestResult](q, http.MethodPost, "/v1/endpoints/{id}/test", args{
		params: byID(q.id()), body: body, once: form.Once, extend: q.extend,
	})
	test := &view.TestSend{}
	if err != nil {
		var known *busbar.Error
		if !errors.As(err, &known) || known.Code == busbar.CodeInternal || known.Code == busbar.CodeNotFound {
			return err
		}
		test.Problem = known.Message
	} else {
		test.Result = &result
	}
	return q.showEndpoint(http.StatusOK, e, test)
}

// extend gives the answer more time than the server usually does.
func (q *request) extend(d time.Duration) error {
	err := http.NewResponseController(q.w).SetWriteDeadline(time.Now().Add(d))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err //nolint:wrapcheck // it says what it is about
}

// revealSecret is a form, so that no link, and no browser that loads pages ahead, shows a secret.
func revealSecret(q *request) error {
	e, err := q.endpoint()
	if err != nil {
		return err
	}
	secrets, err := ask[api.Secrets](q, http.MethodGet, "/v1/endpoints/{id}/secret", args{params: byID(q.id())})
	if err != nil {
		return err
	}
	q.private()
	return q.render(http.StatusOK, view.Secret(q.frame("endpoints", "Secret"), view.SecretPage{Endpoint: e, Secrets: secrets, Now: q.now()}))
}

func rotateSecret(q *request) error {
	e, err := q.endpoint()
	if err != nil {
		return err
	}
	form := q.form()
	body := map[string]any{}
	if overlap := form.Get("overlap"); overlap != "" {
		body["overlap"] = overlap
	}
	secrets, err := ask[api.Secrets](q, http.MethodPost, "/v1/endpoints/{id}/secret/rotate", args{params: byID(q.id()), body: body, once: form.Once})
	if err := q.conflict(err, q.at("/endpoints/%s", q.id())); err != nil {
		return stop(err)
	}
	q.private()
	f := q.frame("endpoints", "Secret")
	f.Flash = &view.Flash{Tone: "good", Text: "There is a new secret. The one before goes on signing beside it until it expires."}
	return q.render(http.StatusOK, view.Secret(f, view.SecretPage{Endpoint: e, Secrets: secrets, Now: q.now()}))
}

func confirmDeleteEndpoint(q *request) error {
	e, err := q.endpoint()
	if err != nil {
		return err
	}
	return q.render(http.StatusOK, view.DeleteEndpoint(q.frame("endpoints", "Delete an endpoint"), e))
}

func deleteEndpoint(q *request) error {
	if _, err := ask[api.Deleted](q, http.MethodDelete, "/v1/endpoints/{id}", args{params: byID(q.id())}); err != nil {
		return err
	}
	return q.done(q.at("/endpoints"), "The endpoint was deleted, and its open deliveries were cancelled.")
}
