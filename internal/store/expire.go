package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"busbar"
)

// expiredError is what a delivery has for a reason that was parked for longer than events are kept.
const expiredError = "it was parked for longer than events are kept"

// expireParked fails up to limit deliveries that are still parked though their time is over, and notes it.
func (s *Store) expireParked(ctx context.Context, env busbar.Environment, before time.Time, limit int) (int, error) {
	var gone []recorded
	err := s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		// deliveries_by_status
		err := tx.Raw(`UPDATE deliveries SET status = 'failed', completed_at = ?, last_error = ?, kept_for = ''
			WHERE id IN (SELECT id FROM deliveries WHERE environment = ? AND status = 'parked' AND status <> 'delivered'
					AND created_at < ? AND claim_until <= ? ORDER BY created_at, id LIMIT ?)
				AND status = 'parked'
			RETURNING id, endpoint_id, environment, event_id, event_type, single, status, attempts, last_status_code`,
			micros(s.now()), expiredError, string(env), micros(before), micros(s.now()), limit).Scan(&gone).Error
		if err != nil {
			return fmt.Errorf("fail expired deliveries: %w", err)
		}
		for i := range gone {
			r := &gone[i]
			if r.operational() {
				continue
			}
			if err := s.noteExhausted(tx, r, r.Attempts, r.LastStatusCode); err != nil {
				return err
			}
		}
		return nil
	})
	return len(gone), err
}
