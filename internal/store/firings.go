package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"busbar"
)

// FiringBucket counts how often a rule fired in one stretch of time.
type FiringBucket struct {
	RuleID busbar.RuleID
	At     time.Time
	Count  int
}

// CountFirings counts the firings of each rule in stretches of time, those in shadow too.
func (s *Store) CountFirings(ctx context.Context, env busbar.Environment, since, until time.Time, width time.Duration) ([]FiringBucket, error) {
	var rows []struct {
		RuleID string
		Bucket int64
		Count  int
	}
	// runs_fired
	err := s.read.WithContext(ctx).Table("runs").
		Select("rule_id, decided_at / "+strconv.FormatInt(width.Microseconds(), 10)+" AS bucket, count(*) AS count").
		Where("environment = ? AND decided_at >= ? AND decided_at < ? AND number > 0", string(env), micros(since), micros(until)).
		Group("rule_id, bucket").Order("rule_id, bucket").Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("count firings: %w", translate(err))
	}
	buckets := make([]FiringBucket, len(rows))
	for i, r := range rows {
		buckets[i] = FiringBucket{busbar.RuleID(r.RuleID), fromMicros(r.Bucket * width.Microseconds()), r.Count}
	}
	return buckets, nil
}
