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

// stepActions is how many commands of a run are named; what a step told a whole list of devices is listed by id.
const stepActions = 20

// actionsOf are the commands that came of a run. One that is not kept any more is left out.
func (q *request) actionsOf(ids []busbar.ActionID) (map[busbar.ActionID]api.Action, error) {
	actions := make(map[busbar.ActionID]api.Action, len(ids))
	for _, id := range ids[:min(stepActions, len(ids))] {
		a, err := ask[api.ActionDetail](q, http.MethodGet, "/v1/actions/{id}", args{params: byID(string(id))})
		switch {
		case err == nil:
			actions[id] = a.Action
		case busbar.CodeOf(err) != busbar.CodeNotFound:
			return nil, err
		}
	}
	return actions, nil
}

// runsOf are the newest runs that sent some of these commands, which come newest first.
func (q *request) runsOf(actions []api.Action, most int) ([]api.Run, error) {
	var runs []api.Run
	seen := make(map[string]bool)
	for i := range actions {
		id := actions[i].RunID
		if id == "" || seen[id] || len(runs) == most {
			continue
		}
		seen[id] = true
		run, err := ask[api.Run](q, http.MethodGet, "/v1/runs/{id}", args{params: byID(id)})
		switch {
		case err == nil:
			runs = append(runs, run)
		case busbar.CodeOf(err) != busbar.CodeNotFound:
			return nil, err
		}
	}
	return runs, nil
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
	if p.Actions, err = q.actionsOf(run.ActionIDs); err != nil {
		return err
	}
	return q.render(http.StatusOK, view.Run(q.live(q.frame("runs", "Run")), p))
}
