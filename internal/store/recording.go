package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"busbar"
	"busbar/rules"
)

// Bounds of a recording.
const (
	// recordedLook is how many events are looked at for each that may be kept.
	recordedLook = 4
	recordedPage = 1000
	// maxQuiet is of how many devices that no event is about it is found out what they said then.
	maxQuiet = 200
)

// Span says what of the history is to be played again.
type Span struct {
	// Since (inclusive) and Until (exclusive) compare with the time received.
	Since, Until time.Time
	// SiteIDs are the only sites that matter; empty is all.
	SiteIDs []string
	// Wanted says which types of events matter, beside those that tell what devices report. Not wanted ones are left out.
	Wanted func(eventType string) bool
	// MaxEvents and MaxBytes are how many events are taken, and how much data they may have together.
	MaxEvents, MaxBytes int
}

// Recording gives what happened in a span, with the sites and devices that it is about. More says that there was more of it than
// the span takes: the recording then ends earlier.
func (s *Store) Recording(ctx context.Context, env busbar.Environment, span *Span) (rec *rules.Recording, more bool, err error) {
	db := s.read.WithContext(ctx)
	rec = &rules.Recording{Environment: env, Until: span.Until}
	if more, err = recordEvents(db, rec, span); err != nil {
		return nil, false, err
	}
	ids := make(map[string]bool)
	for i := range rec.Events {
		ids[string(rec.Events[i].SiteID)] = true
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(ids)), insertBatch) {
		var rows []siteRow
		// The primary key of sites.
		if err := db.Where("environment = ? AND id IN ?", string(env), part).Order("id").Find(&rows).Error; err != nil {
			return nil, false, fmt.Errorf("read sites of a recording: %w", translate(err))
		}
		for i := range rows {
			site, err := rows[i].site()
			if err != nil {
				return nil, false, err
			}
			devices, err := siteDevices(s, db, SiteRef{env, site.ID})
			if err != nil {
				return nil, false, translate(err)
			}
			rec.Sites = append(rec.Sites, &site)
			rec.Devices = append(rec.Devices, devices...)
		}
	}
	return rec, more, s.recall(db, rec, span)
}

// recordEvents reads the events that matter.
func recordEvents(db *gorm.DB, rec *rules.Recording, span *Span) (more bool, err error) {
	// events_by_site for one site, events_list otherwise
	q := between(db.Where("environment = ?", string(rec.Environment)), "received_at", span.Since, span.Until)
	if len(span.SiteIDs) > 0 {
		q = q.Where("site_id IN ?", span.SiteIDs)
	}
	q = q.Session(&gorm.Session{})
	bytes, after := 0, position{}
	cut := func(at int64) (bool, error) {
		rec.Until = fromMicros(at)
		return true, nil
	}
	for looked := 0; ; looked += recordedPage {
		if looked >= recordedLook*span.MaxEvents {
			return cut(after.at)
		}
		next := q
		if after.id != "" {
			next = next.Where("(received_at, id) > (?, ?)", after.at, after.id)
		}
		var rows []eventRow
		if err := next.Order("received_at, id").Limit(recordedPage).Find(&rows).Error; err != nil {
			return false, fmt.Errorf("read events of a recording: %w", translate(err))
		}
		for i := range rows {
			if !strings.HasPrefix(rows[i].Type, "device.") && !span.Wanted(rows[i].Type) {
				continue
			}
			if bytes += len(rows[i].Data); bytes > span.MaxBytes || len(rec.Events) == span.MaxEvents {
				return cut(rows[i].ReceivedAt)
			}
			e, err := rows[i].event()
			if err != nil {
				return false, err
			}
			rec.Events = append(rec.Events, e)
		}
		if len(rows) < recordedPage {
			return false, nil
		}
		after = rows[len(rows)-1].position()
	}
}

// recall finds out what devices said that have changed since the span, and that no event in it tells of.
func (s *Store) recall(db *gorm.DB, rec *rules.Recording, span *Span) error {
	spoke := make(map[busbar.DeviceID]bool)
	for i := range rec.Events {
		if rec.Events[i].Type == busbar.TypeDeviceUpdated {
			spoke[rec.Events[i].DeviceID] = true
		}
	}
	looked := 0
	for _, d := range rec.Devices {
		if spoke[d.ID] || d.ReportedAt.Before(span.Until) || looked == maxQuiet {
			continue
		}
		looked++
		var row eventRow
		// events_by_device: of a device that reports, most events are of this type.
		err := db.Where("environment = ? AND device_id = ? AND type = ? AND received_at < ?", string(rec.Environment), string(d.ID),
			busbar.TypeDeviceUpdated, micros(span.Since)).Order("received_at DESC, id DESC").Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read what %s said last: %w", d.ID, translate(err))
		}
		e, err := row.event()
		if err != nil {
			return err
		}
		if err := rules.Recall(d, &e); err != nil {
			return err
		}
	}
	return nil
}
