package store

import (
	"fmt"
	"time"

	"gorm.io/gorm"

	"busbar"
)

// addCircuits reads the circuits of endpoints that have ever failed.
func addCircuits(db *gorm.DB, endpoints ...*busbar.Endpoint) error {
	ids := make([]string, len(endpoints))
	for i, e := range endpoints {
		ids[i] = string(e.ID)
	}
	known, err := readHealth(db, ids)
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		row, ok := known[string(e.ID)]
		if !ok {
			continue
		}
		if e.Circuit, err = row.circuit(); err != nil {
			return fmt.Errorf("read endpoint %s: %w", e.ID, err)
		}
	}
	return nil
}

func microsToDuration(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
