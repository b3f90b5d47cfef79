package view

import (
	"time"

	"busbar"
	"busbar/web/api"
)

// AutomationPage is where automation is stopped and turned on again.
type AutomationPage struct {
	Now   time.Time
	Sites []api.Site
}

// StopPage asks whether a stop, or its end, is meant.
type StopPage struct {
	// On: it is about turning automation on again.
	On bool
	// SiteID is empty for all sites.
	SiteID busbar.SiteID
	Site   string
}

// where names what a stop is about.
func (p StopPage) where(f Frame) string {
	if p.SiteID == "" {
		return "everywhere in " + string(f.env())
	}
	return "at " + Plain(p.Site)
}

// stopOfAll is the stop of the whole environment; nil when there is none.
func (f Frame) stopOfAll() *api.AutomationStop {
	for i := range f.Stops {
		if f.Stops[i].SiteID == "" {
			return &f.Stops[i]
		}
	}
	return nil
}

// stopWhere names where a stop is in force.
func stopWhere(s *api.AutomationStop, sites []api.Site) string {
	if s.SiteID == "" {
		return "All automation is stopped"
	}
	return "Automation is stopped at " + Plain(siteName(sites, s.SiteID))
}
