package api

import (
	"strings"
	"time"

	"busbar"
	"busbar/web/strictjson"
)

// SiteBody creates or changes a site. In a change, what is absent stays.
type SiteBody struct {
	ID        strictjson.Optional[string]  `json:"id" doc:"Chosen by the caller, only at creation; [A-Za-z0-9_-]{1,64}." example:"site_home"`
	Name      strictjson.Optional[string]  `json:"name" doc:"Required at creation." example:"Home"`
	Timezone  strictjson.Optional[string]  `json:"timezone" doc:"An IANA name, required at creation. Wall clocks of actions and rules are read in it." example:"Europe/Berlin"`
	Latitude  strictjson.Optional[float64] `json:"latitude" doc:"Degrees, -90 to 90; together with longitude."`
	Longitude strictjson.Optional[float64] `json:"longitude" doc:"Degrees, -180 to 180; together with latitude."`
}

// check says what is wrong with the body of a site.
func (b *SiteBody) check(fresh bool) error {
	var p problems
	p.chosenID(b.ID, fresh)
	p.required("name", b.Name, fresh)
	p.text("name", b.Name.Value, maxName)
	p.required("timezone", b.Timezone, fresh)
	if zone := b.Timezone.Value; zone != "" && !validZone(zone) {
		p.add("timezone", "unknown", "%q is not an IANA time zone, as Europe/Berlin", shorten(zone))
	}
	degrees := func(path string, given strictjson.Optional[float64], most float64) {
		if given.Value < -most || given.Value > most {
			p.add(path, "out_of_range", "must be from %v to %v", -most, most)
		}
	}
	degrees("latitude", b.Latitude, 90)
	degrees("longitude", b.Longitude, 180)
	return p.err()
}

// validZone reports whether wall clocks can be read in a time zone. Local is the server's own, and the zones under right/
// count leap seconds: neither is what a home's clock shows.
func validZone(name string) bool {
	if name == "Local" || strings.HasPrefix(name, "right/") || strings.HasPrefix(name, "posix/") {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

// apply changes a site. The body was checked.
func (b *SiteBody) apply(s *busbar.Site) error {
	s.Name = b.Name.Or(s.Name)
	s.Timezone = b.Timezone.Or(s.Timezone)
	place := func(have *float64, given strictjson.Optional[float64]) *float64 {
		switch {
		case given.Has():
			return &given.Value
		case given.Null:
			return nil
		default:
			return have
		}
	}
	s.Latitude, s.Longitude = place(s.Latitude, b.Latitude), place(s.Longitude, b.Longitude)
	if s.Latitude == nil && s.Longitude != nil {
		return busbar.Invalid("latitude", "required", "must be there when longitude is")
	}
	if s.Latitude != nil && s.Longitude == nil {
		return busbar.Invalid("longitude", "required", "must be there when latitude is")
	}
	return nil
}
