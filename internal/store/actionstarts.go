package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"busbar"
	"busbar/migrations"
)

// actionStartRow is a row of action_starts: the workflow of an action has yet to be started, or to be told that the
// action has moved on.
type actionStartRow struct {
	ActionID   string `gorm:"column:action_id;primaryKey"`
	CreatedAt  int64  `gorm:"column:created_at;autoCreateTime:false"`
	ClaimUntil int64  `gorm:"column:claim_until"`
}

// TableName names the table for gorm.
func (actionStartRow) TableName() string { return "action_starts" }

// WakeAction notes that the workflow of an action has to look at it again, as of its UpdatedAt. For StartClaim that is left
// to the process that commits this.
func (t *DecisionTx) WakeAction(a *busbar.Action) error {
	start := actionStartRow{string(a.ID), micros(a.UpdatedAt), micros(t.store.now().Add(StartClaim))}
	err := t.db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "action_id"}}, UpdateAll: true}).Create(&start).Error
	if err != nil {
		return fmt.Errorf("note that an action has moved on: %w", err)
	}
	return nil
}

// ActionStart is an action whose workflow is to be started or woken.
type ActionStart struct {
	busbar.Action
	// Noted is when that was noted: what is noted later has to be done again.
	Noted time.Time
}

// ClaimActionStarts gives up to limit actions whose workflow has not been seen to start, or to have been told, oldest first,
// and keeps other processes off them for StartClaim.
func (s *Store) ClaimActionStarts(ctx context.Context, limit int) ([]ActionStart, error) {
	var rows []actionStartRow
	now := s.now()
	lock := ""
	if s.dialect == migrations.Postgres {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	due, err := s.actionStartsDue(ctx, now)
	if err != nil || !due {
		return nil, err
	}
	err = s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		// action_starts_due
		return tx.Raw(`UPDATE action_starts SET claim_until = ? WHERE action_id IN (
				SELECT action_id FROM action_starts WHERE claim_until <= ? ORDER BY claim_until, created_at LIMIT ?`+lock+`)
			RETURNING action_id, created_at`, micros(now.Add(StartClaim)), micros(now), limit).Scan(&rows).Error
	})
	if err != nil {
		return nil, fmt.Errorf("claim starts of actions: %w", err)
	}
	noted := make(map[string]int64, len(rows))
	ids := make([]string, 0, len(rows))
	for _, r := range rows {
		noted[r.ActionID] = r.CreatedAt
		ids = append(ids, r.ActionID)
	}
	starts := make([]ActionStart, 0, len(ids))
	for part := range slices.Chunk(ids, insertBatch) {
		var found []actionRow
		// The primary key of actions.
		if err := s.read.WithContext(ctx).Where("id IN ?", part).Find(&found).Error; err != nil {
			return nil, fmt.Errorf("read unstarted actions: %w", translate(err))
		}
		for i := range found {
			a, err := found[i].action()
			if err != nil {
				return nil, err
			}
			starts = append(starts, ActionStart{a, fromMicros(noted[found[i].ID])})
		}
	}
	return starts, nil
}

// actionStartsDue keeps a sweep that finds nothing from waiting for the writer.
func (s *Store) actionStartsDue(ctx context.Context, now time.Time) (bool, error) {
	var due bool
	// action_starts_due
	err := s.read.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM action_starts WHERE claim_until <= ?)", micros(now)).Scan(&due).Error
	if err != nil {
		return false, fmt.Errorf("look for unstarted actions: %w", translate(err))
	}
	return due, nil
}

// ActionStarted forgets that the workflow of an action had to be started or woken, unless that was noted again since.
func (s *Store) ActionStarted(ctx context.Context, id busbar.ActionID, noted time.Time) error {
	return s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		err := tx.Exec("DELETE FROM action_starts WHERE action_id = ? AND created_at <= ?", string(id), micros(noted)).Error
		if err != nil {
			return fmt.Errorf("forget start of action: %w", err)
		}
		return nil
	})
}

// OpenPosition is where a walk over open actions has come to.
type OpenPosition struct {
	environment, device, slot string
}

// OpenActions gives a page of the open actions that have not moved since a time, after a position, and the position of its
// end.
func (s *Store) OpenActions(
	ctx context.Context, before time.Time, after OpenPosition, limit int,
) ([]busbar.Action, OpenPosition, error) {
	var rows []actionRow
	// actions_slot
	err := s.read.WithContext(ctx).
		Where("slot <> '' AND updated_at < ? AND (environment, device_id, slot) > (?, ?, ?)", micros(before), after.environment, after.device, after.slot).
		Order("environment, device_id, slot").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, after, fmt.Errorf("read open actions: %w", translate(err))
	}
	list := make([]busbar.Action, len(rows))
	for i := range rows {
		if list[i], err = rows[i].action(); err != nil {
			return nil, after, err
		}
		after = OpenPosition{rows[i].Environment, rows[i].DeviceID, rows[i].Slot}
	}
	return list, after, nil
}
