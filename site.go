package busbar

import "time"

// Site is a home: a place with devices, a clock and one order of what happens there.
type Site struct {
	ID          SiteID
	Environment Environment
	Name        string
	// Timezone is an IANA name; wall clocks of actions and rules are read in it.
	Timezone string
	// Latitude and Longitude are in degrees, nil when they are not known.
	Latitude, Longitude *float64
	// Seq is the number of the last change of what a rule can read here; each event of the site has one of its own.
	Seq       int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Location is the site's time zone, UTC when the name is not known to this machine.
func (s *Site) Location() *time.Location {
	loc, err := time.LoadLocation(s.Timezone)
	if err != nil {
		return time.UTC
	}
	return loc
}

// MaxDevicesPerSite bounds what one decision about a site reads.
const MaxDevicesPerSite = 200
