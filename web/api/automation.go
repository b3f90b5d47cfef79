package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"busbar"
	"busbar/web/strictjson"
)

// AutomationBody turns rules on or off.
type AutomationBody struct {
	Enabled strictjson.Optional[bool]   `json:"enabled" required:"true"`
	SiteID  strictjson.Optional[string] `json:"siteId" doc:"Only at this site; absent is everywhere."`
}

// Automation says whether rules may do anything.
type Automation struct {
	Enabled bool             `json:"enabled" doc:"Whether rules act: where siteId says, or wherever no stop is in force."`
	SiteID  busbar.SiteID    `json:"siteId,omitempty" doc:"The site that was asked about."`
	Stops   []AutomationStop `json:"stops" doc:"The emergency stops in force: that of all, then those of sites."`
}

// AutomationStop is an emergency stop.
type AutomationStop struct {
	SiteID busbar.SiteID `json:"siteId,omitempty" doc:"Absent when it is for all sites."`
	By     string        `json:"by" doc:"Who stopped it: the name of the API key, or of the person."`
	At     Time          `json:"at"`
}

func (a *API) getAutomation(ctx context.Context, r *Request) (*Reply, error) {
	site := busbar.SiteID(r.Query.Get("siteId"))
	if site != "" {
		if _, err := a.Store.Site(ctx, r.Env, site); err != nil {
			return nil, err
		}
	}
	return a.showAutomation(ctx, r.Env, site)
}

func (a *API) showAutomation(ctx context.Context, env busbar.Environment, site busbar.SiteID) (*Reply, error) {
	set, err := a.Store.RuleSet(ctx, env)
	if err != nil {
		return nil, err
	}
	v := Automation{Enabled: !set.Stopped(site), SiteID: site, Stops: []AutomationStop{}}
	for _, s := range set.Stops {
		if site == "" || s.SiteID == "" || s.SiteID == site {
			v.Stops = append(v.Stops, AutomationStop{s.SiteID, s.By, Time(s.At)})
		}
	}
	slices.SortFunc(v.Stops, func(a, b AutomationStop) int { return cmp.Compare(a.SiteID, b.SiteID) })
	return &Reply{http.StatusOK, v}, nil
}

// setAutomation is the emergency stop, and its end. It holds for every decision that begins after the answer.
func (a *API) setAutomation(ctx context.Context, r *Request) (*Reply, error) {
	body, err := decode[AutomationBody](r)
	if err != nil {
		return nil, err
	}
	site := busbar.SiteID(body.SiteID.Value)
	switch {
	case !body.Enabled.Has():
		return nil, busbar.Invalid("enabled", "required", "is missing")
	case body.SiteID.Has() && !busbar.ValidID(string(site)):
		return nil, busbar.Invalid("siteId", "format", "must have 1 to 64 of A-Z, a-z, 0-9, _ and -")
	case body.Enabled.Value:
		err = a.Store.ResumeAutomation(ctx, r.Env, site)
	default:
		err = a.Store.StopAutomation(ctx, &busbar.AutomationStop{
			Environment: r.Env, SiteID: site, By: cmp.Or(r.Key.Name, string(r.Key.ID)), At: a.Now(),
		})
	}
	if err != nil {
		return nil, err
	}
	return a.showAutomation(ctx, r.Env, site)
}
