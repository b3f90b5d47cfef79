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
}

// TableName names the table for gorm.
func (rateRow) TableName() string { return "endpoint_rates" }

// pace gives a delivery a place in the line of a rate-limited endpoint, and says how long it is until then; zero is now. A
// place once taken is kept, so that many who wait do not ask again and again in vain. The line is a row that all workers
// share; places are spaced evenly, so that no second sees more than the rate.
func (s *Store) pace(tx *gorm.DB, row *deliveryRow, rate float64, now time.Time) (time.Duration, error) {
	if rate <= 0 || row.Single {
		return 0, nil
	}
	if row.RateSlot > 0 {
		// It is used up when the attempt has ended.
		return max(0, fromMicros(row.RateSlot).Sub(now)), nil
	}
	line := rateRow{EndpointID: row.EndpointID}
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&line).Error; err != nil {
		return 0, fmt.Errorf("begin line of %s: %w", row.EndpointID, err)
	}
	if err := s.forUpdate(tx).Where("endpoint_id = ?", row.EndpointID).Take(&line).Error; err != nil {
		return 0, fmt.Errorf("lock line of %s: %w", row.EndpointID, err)
	}
	slot := max(micros(now), line.NextAt)
	line.NextAt = slot + int64(float64(time.Second.Microseconds())/rate)
	if err := tx.Save(&line).Error; err != nil {
		return 0, fmt.Errorf("move line of %s on: %w", row.EndpointID, err)
	}
	row.RateSlot = slot
	if err := tx.Model(&deliveryRow{}).Where("id = ?", row.ID).Update("rate_slot", slot).Error; err != nil {
		return 0, fmt.Errorf("take a place in the line of %s: %w", row.EndpointID, err)
	}
	return fromMicros(slot).Sub(now), nil
}
