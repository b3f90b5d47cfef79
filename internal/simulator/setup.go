package simulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"busbar"
	"busbar/internal/home"
)

// Site is the id of the simulated home.
const Site busbar.SiteID = "sim_home"

// The devices of the simulated home.
const (
	Battery busbar.DeviceID = "sim_battery"
	Charger busbar.DeviceID = "sim_charger"
	Vehicle busbar.DeviceID = "sim_vehicle"
	HVAC    busbar.DeviceID = "sim_hvac"
	Solar   busbar.DeviceID = "sim_solar"
	Meter   busbar.DeviceID = "sim_meter"
)

// site is a site of the API.
type site struct {
	ID        busbar.SiteID `json:"id"`
	Name      string        `json:"name"`
	Timezone  string        `json:"timezone"`
	Latitude  *float64      `json:"latitude,omitempty"`
	Longitude *float64      `json:"longitude,omitempty"`
	CreatedAt *time.Time    `json:"createdAt,omitempty"`
}

// The home stands in Berlin until someone changes its site.
const (
	siteName      = "Simulated home"
	siteZone      = "Europe/Berlin"
	siteLatitude  = 52.52
	siteLongitude = 13.405
)

// newDevice is what a device is created with.
type newDevice struct {
	ID     busbar.DeviceID `json:"id"`
	Type   busbar.Family   `json:"type"`
	SiteID busbar.SiteID   `json:"siteId"`
	Name   string          `json:"name"`
	Vendor string          `json:"vendor"`
	Model  string          `json:"model"`
	Driver driver          `json:"driver"`
}

type driver struct {
	Kind busbar.DriverKind `json:"kind"`
}

// vendor marks what is not real.
const vendor = "Busbar"

// connection is what a device's connection is set to.
type connection struct {
	Status busbar.Connection `json:"status"`
	Reason string            `json:"reason,omitempty"`
}

// setUp makes sure that site and devices exist, and goes on from what they reported last.
func (s *Simulator) setUp(ctx context.Context) error {
	latitude, longitude := siteLatitude, siteLongitude
	err := s.create(ctx, "/v1/sites", site{ID: Site, Name: siteName, Timezone: siteZone, Latitude: &latitude, Longitude: &longitude})
	if err != nil {
		return fmt.Errorf("create site: %w", err)
	}
	var at site
	if err := s.client.do(ctx, http.MethodGet, "/v1/sites/"+string(Site), nil, &at); err != nil {
		return fmt.Errorf("read site: %w", err)
	}
	if err := s.build(&at); err != nil {
		return err
	}
	for _, d := range s.devices {
		err := s.create(ctx, "/v1/devices", newDevice{
			ID: d.id, Type: d.family, SiteID: Site, Name: d.name, Vendor: vendor, Model: d.model, Driver: driver{busbar.DriverSimulator},
		})
		if err != nil {
			return fmt.Errorf("create device %s: %w", d.id, err)
		}
		var is struct {
			State busbar.State `json:"state"`
		}
		if err := s.client.do(ctx, http.MethodGet, "/v1/"+d.family.Segment()+"/"+string(d.id), nil, &is); err != nil {
			return fmt.Errorf("read device %s: %w", d.id, err)
		}
		s.mu.Lock()
		s.home.Restore(d.family, is.State)
		d.begin()
		s.mu.Unlock()
	}
	return nil
}

// create makes something that may be there already.
func (s *Simulator) create(ctx context.Context, path string, body any) error {
	err := s.client.do(ctx, http.MethodPost, path, body, nil)
	if answer, ok := errors.AsType[*answerError](err); ok && answer.status == http.StatusConflict {
		return nil
	}
	return err
}

// build makes the home that stands at a site. Its clock began when the site was created, so it goes on over restarts.
func (s *Simulator) build(at *site) error {
	zone, err := time.LoadLocation(at.Timezone)
	if err != nil {
		return fmt.Errorf("time zone of site: %w", err)
	}
	place := placeOf(at.Latitude, at.Longitude, zone)
	origin := s.cfg.Now()
	if at.CreatedAt != nil {
		origin = *at.CreatedAt
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = home.NewClock(origin, place, s.cfg.Speed)
	// One tick earlier, so that the first reading is of a tick that was.
	begin := s.clock.At(s.cfg.Now()).Add(-home.Tick)
	if s.home, err = home.New(home.Config{Place: place, Start: begin, Seed: s.cfg.Seed}); err != nil {
		return err
	}
	clear(s.returns)
	return nil
}

func placeOf(latitude, longitude *float64, zone *time.Location) home.Place {
	if latitude == nil || longitude == nil {
		return home.Place{Latitude: siteLatitude, Longitude: siteLongitude, Zone: zone}
	}
	return home.Place{Latitude: *latitude, Longitude: *longitude, Zone: zone}
}

// Clock gives the clock of the simulated home when a site is that, at the speed at which it lives; ok is false for other sites.
func Clock(at *busbar.Site, speed float64) (clock home.Clock, ok bool) {
	if at.Environment != busbar.Sandbox || at.ID != Site {
		return home.Clock{}, false
	}
	return home.NewClock(at.CreatedAt, placeOf(at.Latitude, at.Longitude, at.Location()), speed), true
}
