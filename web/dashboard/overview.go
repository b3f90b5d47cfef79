package dashboard

import (
	"net/http"
	"net/url"
	"strconv"

	"busbar"
	"busbar/rules"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

func overviewRoutes() []Route {
	return []Route{
		get("/{env}", busbar.RoleViewer, showOverview),
		get("/{env}/feed", busbar.RoleViewer, showFeed),
	}
}

const (
	shownRetries = 5
	shownFirings = 5
	// countMost is how far pages count what could be very much.
	countMost = 10_000
)

// showOverview shows in one look how it goes.
func showOverview(q *request) error {
	o := view.OverviewPage{Now: q.now(), Most: countMost}
	var err error
	if o.Day, err = q.history.day(q.ctx(), q.env); err != nil {
		return err
	}
	if o.Endpoints, err = q.allEndpoints(); err != nil {
		return err
	}
	for status, n := range map[busbar.DeliveryStatus]*int{busbar.DeliveryPending: &o.Pending, busbar.DeliveryParked: &o.Parked} {
		if *n, err = q.cfg.Counter.CountDeliveries(q.ctx(), q.env, status, countMost); err != nil {
			return err
		}
	}
	retries, err := ask[api.List[api.Delivery]](q, http.MethodGet, "/v1/deliveries", args{query: url.Values{
		"status": {string(busbar.DeliveryPending)}, "limit": {"50"},
	}})
	if err != nil {
		return err
	}
	o.Retries = soonest(retries.Items, shownRetries)
	events, err := ask[api.List[api.Event]](q, http.MethodGet, "/v1/events", args{query: url.Values{"limit": {"6"}}})
	if err != nil {
		return err
	}
	o.Events = events.Items
	if err := q.firings(&o); err != nil {
		return err
	}
	if o.Home, err = q.home(); err != nil {
		return err
	}
	ready := q.cfg.Ready(q.ctx())
	o.Accepting, o.WorkersPolling, o.Backlog = ready.Accepting, ready.WorkersPolling, ready.Backlog
	f := q.live(q.frame("overview", "Overview"))
	// Whoever was told something by the page still reads it.
	f.AskAgain = !o.Day.Counted && f.Flash == nil
	return q.render(http.StatusOK, view.Overview(f, o))
}

// firings finds what rules did last.
func (q *request) firings(o *view.OverviewPage) error {
	list, err := ask[api.List[api.Run]](q, http.MethodGet, "/v1/runs", args{query: url.Values{
		"decision": {string(rules.DecisionFired)}, "limit": {strconv.Itoa(shownFirings)},
	}})
	if o.Firings = list.Items; err != nil || len(o.Firings) == 0 {
		return err
	}
	o.Names, err = q.runNames()
	return err
}

// soonest are the deliveries that wait for a retry, the next one first.
func soonest(list []api.Delivery, most int) []api.Delivery {
	var waiting []api.Delivery
	for _, d := range list {
		if d.AttemptCount > 0 {
			waiting = append(waiting, d)
		}
	}
	view.SortByNext(waiting)
	return waiting[:min(most, len(waiting))]
}

// allEndpoints are few: an environment has at most busbar.MaxEndpoints.
func (q *request) allEndpoints() ([]api.Endpoint, error) {
	var all []api.Endpoint
	query := url.Values{"limit": {"200"}}
	for {
		list, err := ask[api.List[api.Endpoint]](q, http.MethodGet, "/v1/endpoints", args{query: query})
		if err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if list.NextCursor == nil {
			return all, nil
		}
		query.Set("cursor", *list.NextCursor)
	}
}
