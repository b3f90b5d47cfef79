package dashboard

import (
	"net/http"
	"net/url"

	"busbar"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

func automationRoutes() []Route {
	return []Route{
		get("/{env}/automation", busbar.RoleViewer, showAutomation),
		post("/{env}/automation", busbar.RoleOperator, setAutomation),
	}
}

// findStops looks whether automation is stopped, which every page says. Pages about no environment say it of the last one.
func (q *request) findStops() error {
	if q.user == nil {
		return nil
	}
	of := *q
	if of.env == "" {
		of.env = q.lastEnv()
	}
	state, err := ask[api.Automation](&of, http.MethodGet, "/v1/automation", args{})
	if err != nil {
		return err
	}
	q.stops = state.Stops
	for i := range q.stops {
		id := q.stops[i].SiteID
		if id == "" || len(q.stopSites) == namedStops {
			continue
		}
		site, err := ask[api.Site](&of, http.MethodGet, "/v1/sites/{id}", args{params: byID(string(id))})
		switch {
		case err == nil:
			q.stopSites = append(q.stopSites, site)
		case busbar.CodeOf(err) != busbar.CodeNotFound:
			return err
		}
	}
	return nil
}

// namedStops is how many of the sites whose automation is stopped every page names.
const namedStops = 5

// sitesForStops are the sites, by whose names stops are shown.
func (q *request) sitesForStops() ([]api.Site, error) {
	list, err := ask[api.List[api.Site]](q, http.MethodGet, "/v1/sites", args{query: url.Values{"limit": {"200"}}})
	return list.Items, err
}

func showAutomation(q *request) error {
	sites, err := q.sitesForStops()
	if err != nil {
		return err
	}
	return q.render(http.StatusOK, view.Automation(q.live(q.frame("automation", "Emergency stop")), view.AutomationPage{Now: q.now(), Sites: sites}))
}

// setAutomation asks whether it is meant, and stops automation or turns it on again.
func setAutomation(q *request) error {
	p := view.StopPage{On: q.posted.Get("enabled") == "true", SiteID: busbar.SiteID(q.posted.Get("siteId"))}
	if p.SiteID != "" {
		site, err := ask[api.Site](q, http.MethodGet, "/v1/sites/{id}", args{params: byID(string(p.SiteID))})
		if err != nil {
			return err
		}
		p.Site = site.Name
	}
	if q.posted.Get("sure") != "yes" {
		return q.render(http.StatusOK, view.ConfirmStop(q.frame("automation", "Emergency stop"), p))
	}
	body := map[string]any{"enabled": p.On}
	if p.SiteID != "" {
		body["siteId"] = p.SiteID
	}
	if _, err := ask[api.Automation](q, http.MethodPost, "/v1/automation", args{body: body}); err != nil {
		return err
	}
	if p.On {
		return q.done(q.at("/automation"), "Rules act again.")
	}
	return q.done(q.at("/automation"), "Automation is stopped. Commands that devices have already are not taken back.")
}
