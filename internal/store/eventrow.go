package store

import (
	"encoding/json"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"busbar"
)

// eventRow is a row of events.
type eventRow struct {
	Environment string `gorm:"column:environment;primaryKey"`
	ID          string `gorm:"column:id;primaryKey"`
	Type        string `gorm:"column:type"`
	DeviceID    string `gorm:"column:device_id"`
	SiteID      string `gorm:"column:site_id"`
	Seq         int64  `gorm:"column:seq"`
	Timestamp   int64  `gorm:"column:timestamp"`
	ReceivedAt  int64  `gorm:"column:received_at"`
	Data        string `gorm:"column:data"`
	// Flags are separated by commas.
	Flags string `gorm:"column:flags"`
	// Causation is JSON; empty for an event that nothing caused.
	Causation string `gorm:"column:causation"`
	// RootID is the first event of the chain; empty for that event itself.
	RootID string `gorm:"column:root_id"`
}

// TableName names the table for gorm.
func (eventRow) TableName() string { return "events" }

func (r *eventRow) position() position { return position{r.ReceivedAt, r.ID} }

func newEventRow(e *busbar.Event) (eventRow, error) {
	flags := make([]string, len(e.Flags))
	for i, f := range e.Flags {
		flags[i] = string(f)
	}
	row := eventRow{
		Environment: string(e.Environment), ID: string(e.ID), Type: e.Type,
		DeviceID: string(e.DeviceID), SiteID: string(e.SiteID), Seq: e.Seq,
		Timestamp: micros(e.Timestamp), ReceivedAt: micros(e.ReceivedAt),
		Data: string(e.Data), Flags: strings.Join(flags, ","),
	}
	if root := (busbar.Causation{RootEventID: e.ID}); e.Causation != root {
		c, err := json.Marshal(e.Causation)
		if err != nil {
			return eventRow{}, fmt.Errorf("write causation: %w", err)
		}
		row.Causation = string(c)
		if e.Causation.RootEventID != e.ID {
			row.RootID = string(e.Causation.RootEventID)
		}
	}
	return row, nil
}

func (r *eventRow) event() (busbar.Event, error) {
	e := busbar.Event{
		ID: busbar.EventID(r.ID), Environment: busbar.Environment(r.Environment), Type: r.Type,
		DeviceID: busbar.DeviceID(r.DeviceID), SiteID: busbar.SiteID(r.SiteID), Seq: r.Seq,
		Timestamp: fromMicros(r.Timestamp), ReceivedAt: fromMicros(r.ReceivedAt),
		Data: json.RawMessage(r.Data), Causation: busbar.Causation{RootEventID: busbar.EventID(r.ID)},
	}
	if r.Flags != "" {
		for f := range strings.SplitSeq(r.Flags, ",") {
			e.Flags = append(e.Flags, busbar.EventFlag(f))
		}
	}
	if r.Causation != "" {
		if err := json.Unmarshal([]byte(r.Causation), &e.Causation); err != nil {
			return e, fmt.Errorf("read causation of event %s: %w", r.ID, err)
		}
	}
	return e, nil
}

// whereEvents finds events by their ids. When one was received says in which day's table it is; an id without an event finds none.
func whereEvents(db *gorm.DB, refs []EventRef) (*gorm.DB, error) {
	pairs := make([][]any, len(refs))
	for i, ref := range refs {
		pairs[i] = ref.pair()
	}
	var ids []eventIDRow
	// The primary key of event_ids.
	if err := db.Select("environment, id, received_at").Where("(environment, id) IN ?", pairs).Find(&ids).Error; err != nil {
		return nil, fmt.Errorf("find when events were received: %w", err)
	}
	if len(ids) == 0 {
		return db.Where("1 = 0"), nil
	}
	keys := make([][]any, len(ids))
	for i := range ids {
		keys[i] = []any{ids[i].Environment, ids[i].ReceivedAt, ids[i].ID}
	}
	// The primary key of events.
	return db.Where("(environment, received_at, id) IN ?", keys), nil
}

// takeEvent gives one event, or NOT_FOUND.
func takeEvent(db *gorm.DB, env busbar.Environment, id busbar.EventID) (busbar.Event, error) {
	q, err := whereEvents(db, []EventRef{{env, id}})
	if err != nil {
		return busbar.Event{}, translate(err)
	}
	var row eventRow
	if err := q.Take(&row).Error; err != nil {
		return busbar.Event{}, notFound(err, "event", string(id))
	}
	return row.event()
}
