package store_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"busbar"
	"busbar/internal/store"
	"busbar/internal/storetest"
)

// TestRecording holds which events are played again, in which order, and what their devices said before them.
func TestRecording(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		site := mustSite(t, s)
		away := &busbar.Site{ID: "site_away", Environment: busbar.Sandbox, Name: "Away", Timezone: "UTC"}
		if err := once(t.Context(), s.Store, func(tx *store.Tx) error { return tx.CreateSite(away) }); err != nil {
			t.Fatal(err)
		}
		for _, d := range []*busbar.Device{newDevice(s, "dev_b", site.ID), newDevice(s, "dev_a", site.ID), newDevice(s, "dev_away", away.ID)} {
			mustDevice(t, s, d)
		}
		add := func(id, eventType string, device busbar.DeviceID, at busbar.SiteID, level int) {
			s.clock.advance(time.Minute)
			e := newEvent(s, eventType)
			e.ID, e.Environment, e.DeviceID, e.SiteID = busbar.EventID(id), busbar.Sandbox, device, at
			e.Data = json.RawMessage(fmt.Sprintf(`{"state":{"level":%d},"previous":{}}`, level))
			insert(t, s, e)
		}
		start := s.clock.now()
		add("evt_z", busbar.TypeDeviceUpdated, "dev_a", site.ID, 10)
		add("evt_y", busbar.TypeDeviceUpdated, "dev_b", site.ID, 20)
		add("evt_x", "my.event", "", "", 0)
		add("evt_w", "other.event", "", "", 0)
		add("evt_v", busbar.TypeDeviceUpdated, "dev_away", away.ID, 30)
		add("evt_u", busbar.TypeDeviceDisconnected, "dev_b", site.ID, 0)
		add("evt_t", busbar.TypeDeviceUpdated, "dev_b", site.ID, 21)
		// Since then both have reported something else.
		s.clock.advance(time.Hour)
		decideSandbox(t, s.Store, func(tx *store.DecisionTx) error {
			homes, err := tx.Homes([]store.DeviceRef{{Environment: busbar.Sandbox, ID: "dev_a"}, {Environment: busbar.Sandbox, ID: "dev_b"}}, nil, false)
			if err != nil {
				return err
			}
			var devices []*busbar.Device
			for _, d := range homes.Devices {
				d.State, d.Announced = busbar.State{"level": 99.0}, busbar.State{"level": 99.0}
				d.StateAt, d.ReportedAt = s.clock.now(), s.clock.now()
				devices = append(devices, d)
			}
			return tx.SaveDevices(devices)
		})
		mine := func(eventType string) bool { return eventType == "my.event" }
		for name, c := range map[string]struct {
			span   store.Span
			events string
			said   string
		}{
			"all":            {store.Span{Since: start, Until: s.clock.now(), Wanted: mine, MaxEvents: 1000, MaxBytes: 1 << 20}, "evt_z evt_y evt_x evt_v evt_u evt_t", "dev_away: <nil>, dev_a: 99, dev_b: 99"},
			"the end":        {store.Span{Since: start.Add(3 * time.Minute), Until: start.Add(8 * time.Minute), Wanted: mine, MaxEvents: 1000, MaxBytes: 1 << 20}, "evt_x evt_v evt_u evt_t", "dev_away: <nil>, dev_a: 10, dev_b: 99"},
			"the beginning":  {store.Span{Since: start, Until: start.Add(3 * time.Minute), Wanted: mine, MaxEvents: 1000, MaxBytes: 1 << 20}, "evt_z evt_y", "dev_a: 99, dev_b: 99"},
			"of one site":    {store.Span{Since: start, Until: s.clock.now(), SiteIDs: []string{"site_home"}, Wanted: mine, MaxEvents: 1000, MaxBytes: 1 << 20}, "evt_z evt_y evt_u evt_t", "dev_a: 99, dev_b: 99"},
			"of two sites":   {store.Span{Since: start, Until: s.clock.now(), SiteIDs: []string{"site_home", "site_away"}, Wanted: mine, MaxEvents: 1000, MaxBytes: 1 << 20}, "evt_z evt_y evt_v evt_u evt_t", "dev_away: <nil>, dev_a: 99, dev_b: 99"},
			"of nothing":     {store.Span{Since: start.Add(-time.Hour), Until: start, Wanted: mine, MaxEvents: 1000, MaxBytes: 1 << 20}, "", ""},
			"of none wanted": {store.Span{Since: start.Add(3 * time.Minute), Until: start.Add(5 * time.Minute), Wanted: func(string) bool { return false }, MaxEvents: 1000, MaxBytes: 1 << 20}, "", ""},
		} {
			rec, more, err := s.Recording(t.Context(), busbar.Sandbox, &c.span)
			if err != nil || more {
				t.Fatalf("%s: more %v, error %v", name, more, err)
			}
			var events, said []string
			for i := range rec.Events {
				events = append(events, string(rec.Events[i].ID))
			}
			for _, d := range rec.Devices {
				said = append(said, fmt.Sprintf("%s: %v", d.ID, d.Announced["level"]))
			}
			if got := strings.Join(events, " "); got != c.events {
				t.Errorf("%s: events %s, want %s", name, got, c.events)
			}
			if got := strings.Join(said, ", "); got != c.said {
				t.Errorf("%s: %s, want %s", name, got, c.said)
			}
			if !rec.Until.Equal(c.span.Until) || !slices.IsSortedFunc(rec.Sites, func(a, b *busbar.Site) int { return strings.Compare(string(a.ID), string(b.ID)) }) {
				t.Errorf("%s: until %s, sites %v", name, rec.Until, rec.Sites)
			}
		}
	})
}

// TestRecordingIsBounded holds that no more is read than a back-test takes, page after page.
func TestRecordingIsBounded(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s *opened) {
		const events = 2100 // of two pages and a part
		for range events / 100 {
			decideSandbox(t, s.Store, func(tx *store.DecisionTx) error {
				accepted := make([]store.Accepted, 100)
				for i := range accepted {
					e := newEvent(s, "my.event")
					e.Environment, e.DeviceID, e.SiteID, e.Data = busbar.Sandbox, "", "", json.RawMessage(`{"n":1}`)
					accepted[i].Event = e
				}
				return storetest.Insert(tx, accepted...)
			})
		}
		for name, c := range map[string]struct {
			most, bytes, want int
			wanted, more      bool
		}{
			"all":            {events, 1 << 20, events, true, false},
			"events":         {1500, 1 << 20, 1500, true, true},
			"bytes":          {events, 7 * 1200, 1200, true, true},
			"what is looked": {500, 1 << 20, 0, false, true},
		} {
			span := store.Span{
				Since: s.clock.now().Add(-time.Hour), Until: s.clock.now().Add(time.Hour), MaxEvents: c.most, MaxBytes: c.bytes,
				Wanted: func(string) bool { return c.wanted },
			}
			rec, more, err := s.Recording(t.Context(), busbar.Sandbox, &span)
			if err != nil {
				t.Fatal(err)
			}
			if n := len(rec.Events); more != c.more || n != c.want || more != rec.Until.Equal(s.clock.now()) {
				t.Errorf("%s: %d events, more %v, until %s", name, n, more, rec.Until)
			}
		}
	})
}
