package dashboard

import (
	"net/http"
	"net/url"

	"busbar"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

func runRoutes() []Route {
	return []Route{
		get("/{env}/runs", busbar.RoleViewer, listRuns),
		get("/{env}/runs/{id}", busbar.RoleViewer, showRun),
	}
}

// runNames are the names of the devices and rules that runs are about.
func (q *request) runNames() (view.Names, error) {
	n := view.Names{Devices: make(map[busbar.DeviceID]string), Rules: make(map[busbar.RuleID]string)}
	devices, err := q.devicesByID()
	if err != nil {
		return n, err
	}
	for id, d := range devices {
		n.Devices[id] = d.Name
	}
	list, err := ask[api.List[api.Rule]](q, http.MethodGet, "/v1/rules", args{query: url.Values{"limit": {"200"}}})
	for i := range list.Items {
		n.Rules[list.Items[i].ID] = list.Items[i].Name
	}
	return n, err
}

func listRuns(q *request) error {
	shown, asked, err := q.filters("decision", "ruleId", "siteId")
	if err != nil {
		return err
	}
	list, err := ask[api.List[api.Run]](q, http.MethodGet, "/v1/runs", args{query: asked})
	if err != nil {
		return err
	}
	p := view.RunsPage{
		Now: q.now(), Runs: list.Items, Filters: view.Form{Values: shown}, Pages: pages(q.at("/runs"), shown, asked.Get("cursor"), list.NextCursor),
	}
	if p.Names, err = q.runNames(); err != nil {
		return err
	}
	f := q.frame("runs", "Runs")
	if asked.Get("cursor") == "" {
		f = q.live(f)
	}
	return q.render(http.StatusOK, view.Runs(f, p))
}

func showRun(q *request) error {
	run, err := ask[api.Run](q, http.MethodGet, "/v1/runs/{id}", args{params: byID(q.id())})
	if err != nil {
		return err
	}
	p := view.RunPage{Now: q.now(), Run: run}
	if p.Names, err = q.runNames(); err != nil {
		return err
	}
	return q.render(http.StatusOK, view.Run(q.live(q.frame("runs", "Run")), p))
}
