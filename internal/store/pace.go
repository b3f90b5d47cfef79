package store

import (
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// rateRow is a row of endpoint_rates.
type rateRow struct {
	EndpointID string `gorm:"column:endpoint_id;primaryKey"`
	NextAt     int64  `gorm:"column:next_at"`
	SentAt     int64  `gorm:"column:sent_at"`
}

// TableName names the table for gorm.
func (rateRow) TableName() string { return "endpoint_rates" }

// pace says how long a delivery to a rate-limited endpoint has to wait; zero is not at all. Who has to wait gets a place in
// the line and keeps it, so that many do not ask again and again in vain. The line is a row that all workers share. Places
// are spaced evenly, and those who come late to theirs keep the same distance, so that no second sees more than the rate.
func (s *Store) pace(tx *gorm.DB, row *deliveryRow, rate float64, now time.Time) (time.Duration, error) {
	if rate <= 0 || row.Single {
		return 0, nil
	}
	at := micros(now)
	if row.RateSlot > at {
		return fromMicros(row.RateSlot).Sub(now), nil
	}
	line := rateRow{EndpointID: row.EndpointID}
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&line).Error; err != nil {
		return 0, fmt.Errorf("begin line of %s: %w", row.EndpointID, err)
	}
	if err := s.forUpdate(tx).Where("endpoint_id = ?", row.EndpointID).Take(&line).Error; err != nil {
		return 0, fmt.Errorf("lock line of %s: %w", row.EndpointID, err)
	}
	apart := int64(float64(time.Second.Microseconds()) / rate)
	if row.RateSlot == 0 {
		row.RateSlot = max(at, line.NextAt)
		line.NextAt = row.RateSlot + apart
		if err := tx.Model(&deliveryRow{}).Where("id = ?", row.ID).Update("rate_slot", row.RateSlot).Error; err != nil {
			return 0, fmt.Errorf("take a place in the line of %s: %w", row.EndpointID, err)
		}
	}
	wait := max(row.RateSlot, line.SentAt+apart) - at
	if wait <= 0 {
		line.SentAt = at
	}
	if err := tx.Save(&line).Error; err != nil {
		return 0, fmt.Errorf("move line of %s on: %w", row.EndpointID, err)
	}
	return microsToDuration(max(0, wait)), nil
}
