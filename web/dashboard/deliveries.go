package dashboard

import (
	"errors"
	"net/http"
	"time"

	"busbar"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

func deliveryRoutes() []Route {
	return []Route{
		get("/{env}/deliveries", busbar.RoleViewer, listDeliveries),
		get("/{env}/deliveries/{id}", busbar.RoleViewer, showDelivery),
		post("/{env}/deliveries/{id}/retry", busbar.RoleOperator, retryDelivery),
		post("/{env}/deliveries/{id}/cancel", busbar.RoleOperator, cancelDelivery),
	}
}

func listDeliveries(q *request) error {
	shown, asked, err := q.filters("status", "endpointId", "eventId", "type")
	if err != nil {
		return err
	}
	filters, status := view.Form{Values: shown}, http.StatusOK
	list, err := ask[api.List[api.Delivery]](q, http.MethodGet, "/v1/deliveries", args{query: asked})
	if err != nil {
		if !q.refused(err, &filters, "type") || filters.Errors["type"] == "" {
			return err
		}
		status = http.StatusUnprocessableEntity
	}
	endpoints, err := q.allEndpoints()
	if err != nil {
		return err
	}
	cursor := asked.Get("cursor")
	f := q.frame("deliveries", "Deliveries")
	if cursor == "" && status == http.StatusOK {
		f = q.live(f)
	}
	return q.render(status, view.Deliveries(f, view.DeliveriesPage{
		Now: q.now(), Deliveries: list.Items, Endpoints: endpoints, Filters: filters,
		Pages: pages(q.at("/deliveries"), shown, cursor, list.NextCursor),
	}))
}

func showDelivery(q *request) error {
	delivery, err := ask[api.DeliveryDetail](q, http.MethodGet, "/v1/deliveries/{id}", args{params: byID(q.id())})
	if err != nil {
		return err
	}
	p := view.DeliveryPage{Now: q.now(), Delivery: delivery}
	endpoint, err := ask[api.Endpoint](q, http.MethodGet, "/v1/endpoints/{id}", args{params: byID(string(delivery.EndpointID))})
	switch {
	case err == nil:
		p.Endpoint = &endpoint
	case busbar.CodeOf(err) != busbar.CodeNotFound: // it may have been deleted since
		return err
	}
	event, err := ask[api.EventDetail](q, http.MethodGet, "/v1/events/{id}", args{params: byID(string(delivery.EventID))})
	switch {
	case err == nil:
		p.Temporal = event.Temporal.URL
		if p.Body, err = payload(q.env, &event, p.Endpoint); err != nil {
			return err
		}
	case busbar.CodeOf(err) != busbar.CodeNotFound:
		return err
	}
	return q.render(http.StatusOK, view.Delivery(q.live(q.frame("deliveries", "Delivery")), p))
}

// payload is the body that the attempts of a delivery have, as the endpoint wants it now.
func payload(env busbar.Environment, event *api.EventDetail, endpoint *api.Endpoint) ([]byte, error) {
	if endpoint == nil {
		return nil, nil
	}
	e := busbar.Event{ID: event.ID, Environment: env, Type: event.Type, Timestamp: time.Time(event.Timestamp), Data: event.Data}
	return e.Payload(endpoint.PayloadFormat)
}

func retryDelivery(q *request) error {
	return q.actOnDelivery("retry", "It is being sent again.")
}

func cancelDelivery(q *request) error {
	return q.actOnDelivery("cancel", "It is not sent any more.")
}

// actOnDelivery does what the API does at /v1/deliveries/{id}/verb. What is not possible any more is said on the page.
func (q *request) actOnDelivery(verb, said string) error {
	id := q.id()
	_, err := ask[api.Delivery](q, http.MethodPost, "/v1/deliveries/{id}/"+verb, args{params: byID(id)})
	if err := q.conflict(err, q.at("/deliveries/%s", id)); err != nil {
		return stop(err)
	}
	return q.done(q.at("/deliveries/%s", id), "%s", said)
}

// errAnswered ends a handler whose request was answered.
var errAnswered = errors.New("the request was answered")

// conflict answers a CONFLICT with the page that it is about, which says why; errAnswered when it did.
func (q *request) conflict(err error, path string) error {
	var known *busbar.Error
	if errors.As(err, &known) && known.Code == busbar.CodeConflict {
		q.setFlash(view.Flash{Tone: "bad", Text: view.Sentence(known.Message) + "."})
		q.redirect(path)
		return errAnswered
	}
	return err
}

// stop is what a handler returns after conflict.
func stop(err error) error {
	if errors.Is(err, errAnswered) {
		return nil
	}
	return err
}
