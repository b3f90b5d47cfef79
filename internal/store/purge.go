package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"busbar"
)

// Purged counts what a purge deleted.
type Purged struct {
	Events          int
	IdempotencyKeys int
	SigningKeys     int
	Readings        int
	Actions         int
	Runs            int
	Faults          int
	// Accounts counts sessions, login links and audit entries.
	Accounts int
	Jobs     int
	Hours    int
	// Days counts tables of days of which nothing was left.
	Days int
	// Expired are deliveries that were parked for too long. They have failed, and go with their events later.
	Expired int
}

// Total is how many rows' worth of things were deleted; zero means that nothing is left to purge.
func (p Purged) Total() int {
	return p.Events + p.IdempotencyKeys + p.SigningKeys + p.Readings + p.Actions + p.Runs + p.Faults + p.Accounts +
		p.Jobs + p.Hours + p.Days + p.Expired
}

// Plus adds two counts up.
func (p Purged) Plus(q Purged) Purged {
	return Purged{
		Events: p.Events + q.Events, IdempotencyKeys: p.IdempotencyKeys + q.IdempotencyKeys, SigningKeys: p.SigningKeys + q.SigningKeys,
		Readings: p.Readings + q.Readings, Actions: p.Actions + q.Actions, Runs: p.Runs + q.Runs, Faults: p.Faults + q.Faults,
		Accounts: p.Accounts + q.Accounts,
		Jobs:     p.Jobs + q.Jobs, Hours: p.Hours + q.Hours, Days: p.Days + q.Days, Expired: p.Expired + q.Expired,
	}
}

// expiredKeyGrace keeps a rotated key a while longer than it signs, for people who look into what happened.
const expiredKeyGrace = 24 * time.Hour

// Purge deletes of each environment what is older than its history is kept, oldest first: up to limit events with their ids,
// deliveries and attempts, and up to limit each of readings, runs, ended actions and jobs, and hours of endpoints. An event with
// a pending delivery, or with a run that has steps to take or holds, stays until that has come to its end. A delivery that is
// still parked fails now, and its event stays for an hour more, so that people can look at it. With them go up to limit each of
// what belongs to no environment and has expired: idempotency and signing keys, sessions, login links and audit entries. Each
// batch is a short transaction. When nothing is left to delete, the tables of days that are empty are dropped.
func (s *Store) Purge(ctx context.Context, keep busbar.Retention, limit int) (Purged, error) {
	var total Purged
	if err := s.MakeDays(ctx); err != nil {
		return total, err
	}
	for _, env := range busbar.Environments() {
		p, err := s.purgeEnvironment(ctx, env, keep, limit)
		total = total.Plus(p)
		if err != nil {
			return total, err
		}
	}
	p, err := s.purgeExpired(ctx, limit)
	total = total.Plus(p)
	if err != nil {
		return total, err
	}
	// Hours of endpoints that are gone: an attempt that was under way then has left them. endpoint_hours_age.
	n, err := s.purgeBatch(ctx, `DELETE FROM endpoint_hours WHERE (endpoint_id, hour) IN (
			SELECT endpoint_id, hour FROM endpoint_hours WHERE hour < ? ORDER BY hour LIMIT ?)`,
		micros(s.now().Add(-keep.Longest()-time.Hour)), limit)
	total.Hours += n
	if err != nil || total.Total() > 0 {
		return total, err
	}
	total.Days, err = s.dropDays(ctx)
	return total, err
}

// purgeEnvironment deletes what an environment has kept for long enough.
func (s *Store) purgeEnvironment(ctx context.Context, env busbar.Environment, keep busbar.Retention, limit int) (Purged, error) {
	var p Purged
	var err error
	before := s.now().Add(-keep.Of(env))
	if p.Expired, err = s.expireParked(ctx, env, before, limit); err != nil {
		return p, err
	}
	if p.Events, err = s.purgeEvents(ctx, env, before, s.attemptsStay(env, keep), limit); err != nil {
		return p, err
	}
	// jobs_list, backwards: what has ended before a time was made before it.
	p.Jobs, err = s.purgeBatch(ctx, `DELETE FROM jobs WHERE id IN (
			SELECT id FROM jobs WHERE environment = ? AND created_at < ? AND completed_at > 0 AND completed_at < ?
			ORDER BY created_at LIMIT ?)`, string(env), micros(before), micros(before), limit)
	if err != nil {
		return p, err
	}
	if p.Hours, err = s.purgeHours(ctx, env, before.Add(-time.Hour), limit); err != nil {
		return p, err
	}
	// device_history_age
	p.Readings, err = s.purgeBatch(ctx, `DELETE FROM device_history WHERE (environment, device_id, observed_at, received_at) IN (
			SELECT environment, device_id, observed_at, received_at FROM device_history
			WHERE environment = ? AND received_at < ? ORDER BY received_at LIMIT ?)`, string(env), micros(before), limit)
	if err != nil {
		return p, err
	}
	if p.Actions, err = s.purgeActions(ctx, env, before, limit); err != nil {
		return p, err
	}
	// runs_age; few are open for long.
	p.Runs, err = s.purgeBatch(ctx, `DELETE FROM runs WHERE (environment, id) IN (
			SELECT environment, id FROM runs WHERE environment = ? AND decided_at < ? AND status <> 'open' AND decision <> 'holding'
			ORDER BY decided_at LIMIT ?)`, string(env), micros(before), limit)
	return p, err
}

// purgeExpired deletes what lives for a time of its own, however long history is kept.
func (s *Store) purgeExpired(ctx context.Context, limit int) (Purged, error) {
	var p Purged
	var err error
	// idempotency_keys_age
	p.IdempotencyKeys, err = s.purgeBatch(ctx, `DELETE FROM idempotency_keys WHERE (api_key_id, route, key) IN (
			SELECT api_key_id, route, key FROM idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT ?)`,
		micros(s.now().Add(-busbar.IdempotencyWindow)), limit)
	if err != nil {
		return p, err
	}
	// A scan of at most five keys an endpoint.
	p.SigningKeys, err = s.purgeBatch(ctx, `DELETE FROM signing_keys WHERE id IN (
			SELECT id FROM signing_keys WHERE expires_at > 0 AND expires_at < ? LIMIT ?)`,
		micros(s.now().Add(-expiredKeyGrace)), limit)
	if err != nil {
		return p, err
	}
	// At most a few for each simulated device.
	p.Faults, err = s.purgeBatch(ctx, `DELETE FROM device_faults WHERE (environment, device_id, kind) IN (
			SELECT environment, device_id, kind FROM device_faults WHERE until < ? LIMIT ?)`,
		micros(s.now().Add(-endedFaultGrace)), limit)
	if err != nil {
		return p, err
	}
	p.Accounts, err = s.purgeAccounts(ctx, limit)
	return p, err
}

// failedGrace keeps the event of a delivery that has just failed.
const failedGrace = time.Hour

// endedFaultGrace keeps a fault that is over a while longer, for people who look into what happened.
const endedFaultGrace = 24 * time.Hour

// purgeActions deletes ended actions with their tries.
func (s *Store) purgeActions(ctx context.Context, env busbar.Environment, before time.Time, limit int) (int, error) {
	var ids []string
	// actions_ended
	err := s.read.WithContext(ctx).Raw(`SELECT id FROM actions WHERE environment = ? AND completed_at > 0 AND completed_at < ?
		ORDER BY completed_at LIMIT ?`, string(env), micros(before), min(limit, insertBatch)).Scan(&ids).Error
	if err != nil {
		return 0, fmt.Errorf("find actions to purge: %w", translate(err))
	}
	if len(ids) == 0 {
		return 0, nil
	}
	err = s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		for _, statement := range []string{
			`DELETE FROM action_tries WHERE action_id IN ?`, `DELETE FROM action_starts WHERE action_id IN ?`,
			`DELETE FROM actions WHERE id IN ?`,
		} {
			if err := tx.Exec(statement, ids).Error; err != nil {
				return fmt.Errorf("purge actions: %w", err)
			}
		}
		return nil
	})
	return len(ids), err
}

// purgeHours deletes hours of an environment's endpoints, which know where they belong.
func (s *Store) purgeHours(ctx context.Context, env busbar.Environment, before time.Time, limit int) (int, error) {
	var ids []string
	// endpoints_list, of at most 500 and some listeners; for each the first of its hours in the primary key of endpoint_hours.
	err := s.read.WithContext(ctx).Raw(`SELECT id FROM endpoints e WHERE environment = ?
			AND (SELECT MIN(hour) FROM endpoint_hours h WHERE h.endpoint_id = e.id) < ? LIMIT ?`, string(env), micros(before), limit).Scan(&ids).Error
	if err != nil {
		return 0, fmt.Errorf("find endpoint hours to purge: %w", translate(err))
	}
	if len(ids) == 0 {
		return 0, nil
	}
	var n int
	err = s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		n = 0
		for _, id := range ids {
			// The primary key of endpoint_hours.
			res := tx.Exec(`DELETE FROM endpoint_hours WHERE endpoint_id = ? AND hour IN (
					SELECT hour FROM endpoint_hours WHERE endpoint_id = ? AND hour < ? ORDER BY hour LIMIT ?)`, id, id, micros(before), limit-n)
			if res.Error != nil {
				return fmt.Errorf("purge endpoint hours: %w", res.Error)
			}
			if n += int(res.RowsAffected); n >= limit {
				return nil
			}
		}
		return nil
	})
	return n, err
}

func (s *Store) purgeBatch(ctx context.Context, statement string, args ...any) (int, error) {
	var n int64
	err := s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		res := tx.Exec(statement, args...)
		n = res.RowsAffected
		if res.Error != nil {
			return fmt.Errorf("purge: %w", res.Error)
		}
		return nil
	})
	return int(n), err
}

// attemptsStay says whether attempts are left to go with the table of their day. That stays for as long as the environment that keeps
// more has deliveries of the day: the other's attempts are deleted.
func (s *Store) attemptsStay(env busbar.Environment, keep busbar.Retention) bool {
	return !s.Embedded() && keep.Of(env) == keep.Longest()
}

func (s *Store) purgeEvents(ctx context.Context, env busbar.Environment, before time.Time, attemptsStay bool, limit int) (int, error) {
	if limit <= 0 {
		return 0, nil
	}
	var events []eventRow
	// events_list, backwards; deliveries_by_event and runs_by_event for each.
	err := s.read.WithContext(ctx).Raw(`SELECT id, received_at FROM events e WHERE environment = ? AND received_at < ?
			AND NOT EXISTS (SELECT 1 FROM deliveries d
				WHERE d.environment = e.environment AND d.event_id = e.id
					AND (d.status IN ('pending', 'parked') OR d.status = 'failed' AND d.completed_at > ?))
			AND NOT EXISTS (SELECT 1 FROM runs r
				WHERE r.environment = e.environment AND r.event_id = e.id AND r.event_id <> '' AND (r.status = 'open' OR r.decision = 'holding'))
			ORDER BY received_at, id LIMIT ?`, string(env), micros(before), micros(s.now().Add(-failedGrace)), min(limit, insertBatch)).Scan(&events).Error
	if err != nil {
		return 0, fmt.Errorf("find events to purge: %w", translate(err))
	}
	if len(events) == 0 {
		return 0, nil
	}
	ids, keys := make([]string, len(events)), make([][]any, len(events))
	for i := range events {
		ids[i], keys[i] = events[i].ID, []any{events[i].ReceivedAt, events[i].ID}
	}
	err = s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		if !attemptsStay {
			if err := deleteAttempts(tx, env, ids); err != nil {
				return err
			}
		}
		for _, statement := range []string{
			`DELETE FROM deliveries WHERE environment = ? AND event_id IN ?`,
			`DELETE FROM event_starts WHERE environment = ? AND event_id IN ?`,
			`DELETE FROM run_packs WHERE environment = ? AND event_id IN ?`,
			`DELETE FROM event_ids WHERE environment = ? AND id IN ?`,
		} {
			if err := tx.Exec(statement, string(env), ids).Error; err != nil {
				return fmt.Errorf("purge events: %w", err)
			}
		}
		if err := tx.Exec(`DELETE FROM events WHERE environment = ? AND (received_at, id) IN ?`, string(env), keys).Error; err != nil {
			return fmt.Errorf("purge events: %w", err)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return len(events), nil
}

// deleteAttempts deletes the attempts of events. PostgreSQL would look for them in the tables of all days, along each, if it were
// not given the ids of their deliveries.
func deleteAttempts(tx *gorm.DB, env busbar.Environment, events []string) error {
	var deliveries []string
	// deliveries_by_event
	err := tx.Raw("SELECT id FROM deliveries WHERE environment = ? AND event_id IN ?", string(env), events).Scan(&deliveries).Error
	if err != nil {
		return fmt.Errorf("find attempts to purge: %w", err)
	}
	for some := range slices.Chunk(deliveries, insertBatch) {
		// The primary key of attempts.
		if err := tx.Exec("DELETE FROM attempts WHERE delivery_id IN ?", some).Error; err != nil {
			return fmt.Errorf("purge attempts: %w", err)
		}
	}
	return nil
}
