package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"busbar"
)

// Reading is what a device reported at one time.
type Reading struct {
	Environment busbar.Environment
	DeviceID    busbar.DeviceID
	ObservedAt  time.Time
	ReceivedAt  time.Time
	// Late: it was older than what was known already.
	Late  bool
	State busbar.State
}

// readingRow is a row of device_history.
type readingRow struct {
	Environment string `gorm:"column:environment;primaryKey"`
	DeviceID    string `gorm:"column:device_id;primaryKey"`
	ObservedAt  int64  `gorm:"column:observed_at;primaryKey"`
	ReceivedAt  int64  `gorm:"column:received_at;primaryKey"`
	Late        bool   `gorm:"column:late"`
	State       string `gorm:"column:state"`
}

// TableName names the table for gorm.
func (readingRow) TableName() string { return "device_history" }

func newReadingRow(r *Reading) (readingRow, error) {
	state, err := marshalText(r.State)
	return readingRow{string(r.Environment), string(r.DeviceID), micros(r.ObservedAt), micros(r.ReceivedAt), r.Late, state}, err
}

// HistoryPoint is the value of one field at one time, as reported.
type HistoryPoint struct {
	At    time.Time
	Value any
	Late  bool
}

// historyRow is a reading with its position, for pages.
type historyRow struct {
	ObservedAt int64  `gorm:"column:observed_at"`
	Late       bool   `gorm:"column:late"`
	State      string `gorm:"column:state"`
	// ID tells readings of one moment apart.
	ID string `gorm:"column:id"`
}

func (r *historyRow) position() position { return position{r.ObservedAt, r.ID} }

// History gives what a device reported of a field, newest first. Since is inclusive, until exclusive; both compare with the
// time observed.
func (s *Store) History(
	ctx context.Context, env busbar.Environment, id busbar.DeviceID, field string, since, until time.Time, req busbar.PageRequest,
) (busbar.Page[HistoryPoint], error) {
	// The primary key of device_history, backwards. The time received tells readings of one moment apart.
	has := "json_type(state, '$.' || ?) IS NOT NULL"
	key := "printf('%016x', received_at)"
	if !s.Embedded() {
		has, key = "jsonb_exists(state::jsonb, ?)", "lpad(to_hex(received_at), 16, '0')"
	}
	inner := s.read.WithContext(ctx).Table("device_history").
		Select("observed_at, late, state, "+key+" AS id").
		Where("environment = ? AND device_id = ?", string(env), string(id)).Where(has, field)
	inner = between(inner, "observed_at", since, until)
	q := s.read.WithContext(ctx).Table("(?) AS points", inner)
	return page(q, req, "observed_at", (*historyRow).position, func(r *historyRow) (HistoryPoint, error) {
		var state busbar.State
		if err := json.Unmarshal([]byte(r.State), &state); err != nil {
			return HistoryPoint{}, fmt.Errorf("read reading of %s at %s: %w", id, strconv.FormatInt(r.ObservedAt, 10), err)
		}
		return HistoryPoint{fromMicros(r.ObservedAt), state[field], r.Late}, nil
	})
}
