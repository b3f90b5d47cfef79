package api

import "busbar"

// Site is a site as clients see it.
type Site struct {
	ID        busbar.SiteID `json:"id" example:"site_home"`
	Name      string        `json:"name"`
	Timezone  string        `json:"timezone" example:"Europe/Berlin"`
	Latitude  *float64      `json:"latitude"`
	Longitude *float64      `json:"longitude"`
	CreatedAt Time          `json:"createdAt"`
	UpdatedAt Time          `json:"updatedAt"`
}

func viewSite(s *busbar.Site) Site {
	return Site{s.ID, s.Name, s.Timezone, s.Latitude, s.Longitude, Time(s.CreatedAt), Time(s.UpdatedAt)}
}
