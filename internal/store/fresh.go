package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"busbar"
)

// FreshClaim asks for the right to send deliveries for the first time.
type FreshClaim struct {
	Deliveries []Fresh
	Owner      string
	// For is how long the right lasts.
	For time.Duration
}

// ClaimFresh takes, in one transaction, the right to send those deliveries that are due, that nobody has or ever had the
// right to, and whose endpoints have a place left. The others are for Claim. It gives those that it has claimed, for their first attempt.
func (s *Store) ClaimFresh(ctx context.Context, req FreshClaim) ([]busbar.Delivery, error) {
	var rows []deliveryRow
	err := s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		rows = nil
		if err := s.lockPlaces(tx, req.Deliveries); err != nil {
			return err
		}
		now := s.now()
		free, err := s.withPlace(tx, req.Deliveries, now)
		if err != nil || len(free) == 0 {
			return err
		}
		ids := make([]string, len(free))
		for i, f := range free {
			ids[i] = string(f.DeliveryID)
		}
		// The primary key.
		err = tx.Raw(`UPDATE deliveries SET claim_owner = ?, claim_until = ?, claim_attempt = 1
			WHERE id IN ? AND status = 'pending' AND claim_owner = '' AND claim_attempt = 0 AND attempts = 0
				AND NOT retry_now AND next_attempt_at <= ? AND rate_slot = 0
			RETURNING *`, req.Owner, micros(now.Add(req.For)), ids, micros(now)).Scan(&rows).Error
		if err != nil {
			return fmt.Errorf("claim deliveries: %w", err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return deliveries(rows)
}

// Standing gives those of the deliveries that there are, in no order.
func (s *Store) Standing(ctx context.Context, ids []busbar.DeliveryID) ([]busbar.Delivery, error) {
	var rows []deliveryRow
	// The primary key.
	if err := s.read.WithContext(ctx).Where("id IN ?", deliveryIDs(ids)).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read deliveries: %w", translate(err))
	}
	return deliveries(rows)
}

func deliveryIDs(ids []busbar.DeliveryID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = string(id)
	}
	return texts
}
