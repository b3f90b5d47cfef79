package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"busbar"
	"busbar/migrations"
)

// Finished is an attempt that was made, with what it makes of its delivery.
type Finished struct {
	Attempt busbar.Attempt
	// Status is pending when the schedule goes on.
	Status        busbar.DeliveryStatus
	Step          int
	NextAttemptAt time.Time
	// Exhausted: the status is failed because the retry schedule is used up.
	Exhausted bool
	// Job, if set, is the job that had it sent.
	Job busbar.JobID
	// Opened is set by Finish when the endpoint's circuit has opened by these attempts.
	Opened bool
}

func (f *Finished) ok() bool { return f.Attempt.ErrorClass == "" }

// Finish records attempts and moves their deliveries on, all in one transaction, with what they say about their endpoints.
// A delivery that was cancelled while its attempt was under way stays so, unless the attempt delivered it after all; the
// attempt counts either way.
func (s *Store) Finish(ctx context.Context, finished []*Finished) error {
	attempts := make([]attemptRow, 0, len(finished))
	values := make([]any, 0, 9*len(finished))
	byID := make(map[string]*Finished, len(finished))
	now := micros(s.now())
	for _, f := range finished {
		row, err := newAttemptRow(&f.Attempt)
		if err != nil {
			return err
		}
		attempts = append(attempts, row)
		byID[row.DeliveryID] = f
		completed := int64(0)
		if f.Status != busbar.DeliveryPending && f.Status != busbar.DeliveryParked {
			completed = now
		}
		values = append(values, row.DeliveryID, string(f.Status), row.Number, f.Step, micros(f.NextAttemptAt),
			row.StatusCode, row.Error, completed, string(f.Job))
	}
	days, err := attemptDays(attempts)
	if err != nil {
		return err
	}
	var trips []trip
	var byEndpoint map[string][]*Finished
	err = s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		if err := s.needDays(tx, days...); err != nil {
			return err
		}
		// The same attempt may be finished twice when its activity was repeated after a lost answer.
		err := tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(&attempts, insertBatch).Error
		if err != nil {
			return fmt.Errorf("record attempts: %w", err)
		}
		// It tells of those that were not finished before.
		var moved []recorded
		if err := tx.Raw(s.finishSQL(len(finished)), values...).Scan(&moved).Error; err != nil {
			return fmt.Errorf("move deliveries on: %w", err)
		}
		byEndpoint = make(map[string][]*Finished)
		for i := range moved {
			m := &moved[i]
			m.finished = byID[m.ID]
			byEndpoint[m.EndpointID] = append(byEndpoint[m.EndpointID], m.finished)
		}
		if err := s.rollUp(tx, moved); err != nil {
			return err
		}
		if err := countJobs(tx, moved); err != nil {
			return err
		}
		trips, err = s.watch(tx, moved)
		return err
	})
	if err != nil {
		return err
	}
	return s.carryOut(ctx, trips, byEndpoint)
}

// finishSQL updates n deliveries by one statement.
func (s *Store) finishSQL(n int) string {
	row := "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
	if s.dialect == migrations.Postgres {
		row = "(?, ?, ?::bigint, ?::bigint, ?::bigint, ?::bigint, ?, ?::bigint, ?)"
	}
	// A closed delivery keeps its state, but its attempts count.
	const open = "(deliveries.status IN ('pending', 'parked') OR f.status = 'delivered')"
	keep := func(column, value string) string {
		return column + " = CASE WHEN " + open + " THEN " + value + " ELSE deliveries." + column + " END"
	}
	return `WITH f (id, status, number, step, next_attempt_at, status_code, error, completed_at, job) AS (VALUES ` +
		strings.TrimSuffix(strings.Repeat(row+", ", n), ", ") + `)
	UPDATE deliveries SET ` + strings.Join([]string{
		keep("status", "f.status"), keep("step", "f.step"), keep("next_attempt_at", "f.next_attempt_at"),
		keep("last_error", "f.error"), keep("completed_at", "f.completed_at"),
	}, ", ") + `, attempts = f.number, last_status_code = f.status_code, retry_now = FALSE,
		claim_owner = '', claim_until = 0, claim_attempt = f.number, rate_slot = 0,
		resent_by = CASE WHEN f.job > deliveries.resent_by THEN f.job ELSE deliveries.resent_by END, kept_for = ''
	FROM f WHERE deliveries.id = f.id AND deliveries.attempts < f.number
	RETURNING deliveries.id, deliveries.endpoint_id, deliveries.environment, deliveries.event_id, deliveries.event_type,
		deliveries.single, deliveries.status`
}
