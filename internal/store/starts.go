package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"busbar"
	"busbar/migrations"
)

// StartClaim is how long the process that accepted an event has to start its workflow before others try.
const StartClaim = 5 * time.Second

// ClaimStarts gives up to limit events whose workflow has not been seen to start, oldest first, and keeps other
// processes off them for StartClaim. Claims on deliveries of these events that no attempt has followed are released.
func (s *Store) ClaimStarts(ctx context.Context, limit int) ([]EventRef, error) {
	var rows []eventStartRow
	now := s.now()
	lock := ""
	if s.dialect == migrations.Postgres {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	err := s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		// event_starts_due
		err := tx.Raw(`UPDATE event_starts SET claim_until = ? WHERE (environment, event_id) IN (
				SELECT environment, event_id FROM event_starts WHERE claim_until <= ?
				ORDER BY claim_until, created_at LIMIT ?`+lock+`)
			RETURNING environment, event_id`, micros(now.Add(StartClaim)), micros(now), limit).Scan(&rows).Error
		if err != nil {
			return fmt.Errorf("claim starts: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		// deliveries_by_event
		err = tx.Exec(`UPDATE deliveries SET claim_owner = '', claim_until = 0, claim_attempt = 0
			WHERE (environment, event_id) IN ? AND status = 'pending' AND attempts = 0`, startPairs(rows)).Error
		if err != nil {
			return fmt.Errorf("release claims: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	refs := make([]EventRef, len(rows))
	for i, r := range rows {
		refs[i] = EventRef{busbar.Environment(r.Environment), busbar.EventID(r.EventID)}
	}
	return refs, nil
}

func startPairs(rows []eventStartRow) [][]any {
	pairs := make([][]any, len(rows))
	for i, r := range rows {
		pairs[i] = []any{r.Environment, r.EventID}
	}
	return pairs
}

// Started forgets events whose workflow has started.
func (s *Store) Started(ctx context.Context, refs []EventRef) error {
	pairs := make([][]any, len(refs))
	for i, r := range refs {
		pairs[i] = r.pair()
	}
	return s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		err := tx.Exec("DELETE FROM event_starts WHERE (environment, event_id) IN ?", pairs).Error
		if err != nil {
			return fmt.Errorf("forget starts: %w", err)
		}
		return nil
	})
}

// ReleaseStarts ends all claims on starts. Only the one process of an embedded database may call it, before it works.
func (s *Store) ReleaseStarts(ctx context.Context) error {
	return s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		for _, statement := range []string{
			"UPDATE event_starts SET claim_until = 0", "UPDATE action_starts SET claim_until = 0", "UPDATE rule_starts SET claim_until = 0",
		} {
			if err := tx.Exec(statement).Error; err != nil {
				return fmt.Errorf("release starts: %w", err)
			}
		}
		return nil
	})
}

// Backlog is what waits to be started.
type Backlog struct {
	// Count is exact up to BacklogLimit and BacklogLimit beyond it.
	Count  int
	Oldest time.Time
}

// BacklogLimit is the number of unstarted events over which no more are accepted.
const BacklogLimit = 100_000

// Backlog counts the events whose workflow has not been seen to start.
func (s *Store) Backlog(ctx context.Context) (Backlog, error) {
	var row struct {
		Count  int
		Oldest int64
	}
	// event_starts_age
	err := s.read.WithContext(ctx).Raw(`SELECT COUNT(*) AS count, COALESCE(MIN(created_at), 0) AS oldest
		FROM (SELECT created_at FROM event_starts ORDER BY created_at LIMIT ?) AS waiting`, BacklogLimit).Scan(&row).Error
	if err != nil {
		return Backlog{}, fmt.Errorf("count backlog: %w", translate(err))
	}
	return Backlog{Count: row.Count, Oldest: fromMicros(row.Oldest)}, nil
}

// DeliveryRef names a delivery with what its workflow needs to know of it.
type DeliveryRef struct {
	EventRef   `gorm:"-"`
	DeliveryID busbar.DeliveryID
	EndpointID busbar.EndpointID
}

// PendingDeliveries gives the pending deliveries of one event in the order of their ids, after an id.
func (s *Store) PendingDeliveries(ctx context.Context, ref EventRef, after busbar.DeliveryID, limit int) ([]DeliveryRef, error) {
	var rows []deliveryRow
	// deliveries_by_event
	err := s.read.WithContext(ctx).Select("id", "endpoint_id").
		Where("environment = ? AND event_id = ? AND status = 'pending' AND id > ?", string(ref.Environment), string(ref.ID), string(after)).
		Order("id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read pending deliveries: %w", translate(err))
	}
	refs := make([]DeliveryRef, len(rows))
	for i, r := range rows {
		refs[i] = DeliveryRef{ref, busbar.DeliveryID(r.ID), busbar.EndpointID(r.EndpointID)}
	}
	return refs, nil
}
