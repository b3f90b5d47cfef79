package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"busbar"
	"busbar/migrations"
)

// carryOut changes endpoints as their attempts call for, and tells the attempts' owners of circuits that have opened.
func (s *Store) carryOut(ctx context.Context, trips []trip, byEndpoint map[string][]*Finished) error {
	for _, t := range trips {
		if t.disable {
			reason := "no delivery succeeded for " + s.care.DisableAfter.String() + ": " + t.reason
			if err := s.DisableEndpoint(ctx, t.env, t.id, reason, t.quiet); err != nil {
				return err
			}
			continue
		}
		opened, err := s.openCircuit(ctx, t.env, t.id)
		if err != nil {
			return err
		}
		for _, f := range byEndpoint[string(t.id)] {
			f.Opened = opened
		}
	}
	return nil
}

// openCircuit opens the circuit of an endpoint whose window still says so.
func (s *Store) openCircuit(ctx context.Context, env busbar.Environment, id busbar.EndpointID) (opened bool, err error) {
	err = s.saveEndpoints(ctx, env, func(tx *gorm.DB) error {
		row, ok, err := s.lockHealth(tx, string(env), string(id))
		if opened = ok && row.Circuit == string(busbar.CircuitClosed) && row.tripped(); err != nil || !opened {
			return err
		}
		now := s.now()
		row.Circuit, row.CircuitSince = string(busbar.CircuitOpen), micros(now)
		row.ProbeAt, row.ProbeWait = micros(now.Add(busbar.FirstProbe)), busbar.FirstProbe.Microseconds()
		return saveHealth(tx, &row)
	})
	if err != nil {
		return false, fmt.Errorf("open circuit of %s: %w", id, err)
	}
	return opened, nil
}

func saveHealth(tx *gorm.DB, row *healthRow) error {
	if err := tx.Save(row).Error; err != nil {
		return fmt.Errorf("save health of %s: %w", row.EndpointID, err)
	}
	return nil
}

// reopened forgets what is known of an endpoint that its owner has enabled or pointed elsewhere. What is parked goes out
// before anything new does.
func (s *Store) reopened(tx *gorm.DB, env busbar.Environment, id busbar.EndpointID) error {
	row, ok, err := s.lockHealth(tx, string(env), string(id))
	if err != nil || !ok {
		return err
	}
	parked, err := hasParked(tx, id)
	if err != nil {
		return err
	}
	now := micros(s.now())
	row.Recent, row.FailingSince, row.Failures, row.LastError, row.ProbeWait = "", 0, 0, "", 0
	switch {
	case parked:
		row.Circuit, row.CircuitSince, row.ProbeAt = string(busbar.CircuitOpen), now, now
	case row.Circuit != string(busbar.CircuitClosed):
		row.Circuit, row.CircuitSince, row.ProbeAt = string(busbar.CircuitClosed), now, 0
	}
	return saveHealth(tx, &row)
}

func hasParked(tx *gorm.DB, id busbar.EndpointID) (bool, error) {
	var parked bool
	// deliveries_parked
	err := tx.Raw(`SELECT EXISTS (SELECT 1 FROM deliveries WHERE endpoint_id = ? AND status = 'parked' AND kept_for = '')`,
		string(id)).Scan(&parked).Error
	if err != nil {
		return false, fmt.Errorf("look for parked deliveries: %w", err)
	}
	return parked, nil
}

// ProbeNow has an endpoint whose circuit is open tried without waiting for its time.
func (s *Store) ProbeNow(ctx context.Context, id busbar.EndpointID) error {
	return s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		err := tx.Exec(`UPDATE endpoint_health SET probe_at = ?, probe_wait = 0 WHERE endpoint_id = ? AND circuit = 'open'`,
			micros(s.now()), string(id)).Error
		if err != nil {
			return fmt.Errorf("hurry the probe of %s: %w", id, err)
		}
		return nil
	})
}

// ShutAgain opens a circuit that was half open, because the tries have failed. After a probe the waits get longer.
func (s *Store) ShutAgain(ctx context.Context, id busbar.EndpointID) error {
	return s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		var row healthRow
		if err := s.forUpdate(tx).Where("endpoint_id = ?", string(id)).Take(&row).Error; err != nil {
			return notFound(err, "endpoint", string(id))
		}
		if row.Circuit != string(busbar.CircuitHalfOpen) {
			return nil
		}
		now := s.now()
		wait := busbar.NextProbe(microsToDuration(row.ProbeWait))
		row.Circuit, row.CircuitSince = string(busbar.CircuitOpen), micros(now)
		row.ProbeAt, row.ProbeWait = micros(now.Add(wait)), wait.Microseconds()
		return saveHealth(tx, &row)
	})
}

// TryCircuit takes the one probe of an open circuit whose time has come: it is half open then. It reports false when
// somebody else was first, or when its time has not come.
func (s *Store) TryCircuit(ctx context.Context, id busbar.EndpointID) (bool, error) {
	var taken bool
	err := s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		now := micros(s.now())
		res := tx.Exec(`UPDATE endpoint_health SET circuit = 'half_open', circuit_since = ?
			WHERE endpoint_id = ? AND circuit = 'open' AND probe_at <= ?`, now, string(id), now)
		taken = res.RowsAffected == 1
		if res.Error != nil {
			return fmt.Errorf("try circuit of %s: %w", id, res.Error)
		}
		return nil
	})
	return taken, err
}

// QueueUp opens a closed circuit, so that what is parked for its endpoint goes out before anything new does. It is tried
// at once.
func (s *Store) QueueUp(ctx context.Context, env busbar.Environment, id busbar.EndpointID) error {
	return s.saveEndpoints(ctx, env, func(tx *gorm.DB) error {
		row, ok, err := s.lockHealth(tx, string(env), string(id))
		if err != nil || !ok || row.Circuit != string(busbar.CircuitClosed) {
			return err
		}
		now := micros(s.now())
		row.Circuit, row.CircuitSince, row.ProbeAt, row.ProbeWait = string(busbar.CircuitOpen), now, now, 0
		return saveHealth(tx, &row)
	})
}

// Crowd half opens a closed circuit without a try: the endpoint takes deliveries, but more come than it takes at once, and as
// rows in one line they cost next to nothing. It reports whether it was closed.
func (s *Store) Crowd(ctx context.Context, env busbar.Environment, id busbar.EndpointID) (bool, error) {
	var begun bool
	err := s.saveEndpoints(ctx, env, func(tx *gorm.DB) error {
		row, ok, err := s.lockHealth(tx, string(env), string(id))
		if begun = ok && row.Circuit == string(busbar.CircuitClosed); err != nil || !begun {
			return err
		}
		row.Circuit, row.CircuitSince = string(busbar.CircuitHalfOpen), micros(s.now())
		return saveHealth(tx, &row)
	})
	return begun, err
}

// CloseCircuit ends draining, if nothing is parked any more. Decisions and parking are kept out meanwhile, so that nothing
// can be parked behind its back. It reports whether it is closed.
func (s *Store) CloseCircuit(ctx context.Context, env busbar.Environment, id busbar.EndpointID) (bool, error) {
	var closed bool
	err := s.saveEndpoints(ctx, env, func(tx *gorm.DB) error {
		parked, err := hasParked(tx, id)
		if closed = !parked; err != nil || parked {
			return err
		}
		err = tx.Exec(`UPDATE endpoint_health SET circuit = 'closed', circuit_since = ?, recent = '', probe_at = 0, probe_wait = 0
			WHERE endpoint_id = ? AND circuit <> 'closed'`, micros(s.now()), string(id)).Error
		if err != nil {
			return fmt.Errorf("close circuit of %s: %w", id, err)
		}
		return nil
	})
	return closed, err
}

// ParkShut parks a pending delivery if its endpoint is disabled or its circuit is not closed, and nobody else is sending it.
// It shares the lock of decisions, so that CloseCircuit cannot be between the look at the endpoint and the parking. What a
// person wants tried now goes through an open circuit, what was tried before through a half-open one. It reports whether
// the delivery was parked.
//
// An owner that has claimed the delivery and sent nothing is unsent; its claim stays when the delivery is not parked.
func (s *Store) ParkShut(ctx context.Context, env busbar.Environment, id busbar.DeliveryID, owner string, unsent bool) (bool, error) {
	var parked bool
	err := s.write(ctx, s.durable, func(tx *gorm.DB) error {
		if err := s.shareDecisions(tx, env); err != nil {
			return err
		}
		claimed := "claim_attempt"
		if unsent {
			claimed = "attempts"
		}
		res := tx.Exec(`UPDATE deliveries SET status = 'parked', retry_now = FALSE, rate_slot = 0,
				claim_owner = '', claim_until = 0, claim_attempt = `+claimed+`
			WHERE id = ? AND environment = ? AND status = 'pending' AND NOT single
				AND (claim_owner IN ('', ?) OR claim_until <= ?) AND `+takesNone,
			string(id), string(env), owner, micros(s.now()))
		parked = res.RowsAffected == 1
		if res.Error != nil {
			return fmt.Errorf("park delivery: %w", res.Error)
		}
		return nil
	})
	return parked, err
}

// ParkAll parks those pending deliveries that nobody is sending and whose endpoints take none now, as ParkShut does, and gives
// them.
func (s *Store) ParkAll(ctx context.Context, env busbar.Environment, ids []busbar.DeliveryID) ([]busbar.DeliveryID, error) {
	var parked []busbar.DeliveryID
	err := s.write(ctx, s.durable, func(tx *gorm.DB) error {
		parked = nil
		if err := s.shareDecisions(tx, env); err != nil {
			return err
		}
		// The primary key.
		err := tx.Raw(`UPDATE deliveries SET status = 'parked', retry_now = FALSE, rate_slot = 0
			WHERE id IN ? AND environment = ? AND status = 'pending' AND NOT single AND claim_owner = '' AND `+takesNone+`
			RETURNING id`, deliveryIDs(ids), string(env)).Scan(&parked).Error
		if err != nil {
			return fmt.Errorf("park deliveries: %w", err)
		}
		return nil
	})
	return parked, err
}

// takesNone is true of a delivery whose endpoint is disabled, or has a circuit that it may not go through.
const takesNone = `EXISTS (SELECT 1 FROM endpoints e LEFT JOIN endpoint_health h ON h.endpoint_id = e.id
	WHERE e.id = deliveries.endpoint_id AND (NOT e.enabled OR NOT deliveries.retry_now
		AND (h.circuit = 'open' OR h.circuit = 'half_open' AND deliveries.attempts = 0)))`

// shareDecisions keeps saves out, as a decision does.
func (s *Store) shareDecisions(tx *gorm.DB, env busbar.Environment) error {
	if s.dialect != migrations.Postgres {
		return nil
	}
	err := tx.Exec("SELECT pg_advisory_xact_lock_shared(?, ?)", decisionLock, environmentLock(env)).Error
	if err != nil {
		return fmt.Errorf("wait for saves: %w", err)
	}
	return nil
}

// ParkWaiting parks up to limit pending deliveries of an endpoint that wait for a retry or for room, while the endpoint is
// disabled or its circuit open. It gives those that it parked, so that their workflows can end.
func (s *Store) ParkWaiting(ctx context.Context, env busbar.Environment, id busbar.EndpointID, limit int) ([]busbar.Delivery, error) {
	var rows []deliveryRow
	err := s.write(ctx, s.durable, func(tx *gorm.DB) error {
		if err := s.shareDecisions(tx, env); err != nil {
			return err
		}
		// deliveries_open_by_endpoint. An event whose workflow has not started yet finds its delivery parked.
		err := tx.Raw(`UPDATE deliveries SET status = 'parked', rate_slot = 0, claim_owner = '', claim_until = 0
			WHERE id IN (SELECT id FROM deliveries WHERE endpoint_id = ? AND status IN ('pending', 'parked')
					AND status = 'pending' AND NOT single AND NOT retry_now AND claim_until <= ? ORDER BY id LIMIT ?)
				AND status = 'pending' AND claim_until <= ?
				AND EXISTS (SELECT 1 FROM endpoints e LEFT JOIN endpoint_health h ON h.endpoint_id = e.id
					WHERE e.id = deliveries.endpoint_id AND (NOT e.enabled OR h.circuit = 'open'))
			RETURNING *`, string(id), micros(s.now()), limit, micros(s.now())).Scan(&rows).Error
		if err != nil {
			return fmt.Errorf("park deliveries of %s: %w", id, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return deliveries(rows)
}

// Parked gives parked deliveries of an endpoint, in the order in which their events happened.
func (s *Store) Parked(ctx context.Context, id busbar.EndpointID, limit int) ([]busbar.Delivery, error) {
	var rows []deliveryRow
	// deliveries_parked
	err := s.read.WithContext(ctx).Where("endpoint_id = ? AND status = 'parked' AND kept_for = ''", string(id)).
		Order("event_at, id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read parked deliveries: %w", translate(err))
	}
	return deliveries(rows)
}

// Release gives a parked delivery back to the retry schedule, under a workflow of its own. It reports false when the
// delivery is not parked any more.
func (s *Store) Release(ctx context.Context, d busbar.Delivery) (bool, error) {
	var released bool
	err := s.write(ctx, s.durable, func(tx *gorm.DB) error {
		res := tx.Exec(`UPDATE deliveries SET status = 'pending', step = ?, next_attempt_at = ?, workflow_id = ?
			WHERE id = ? AND status = 'parked'`, d.Step, micros(d.NextAttemptAt), d.WorkflowID, string(d.ID))
		released = res.RowsAffected == 1
		if res.Error != nil {
			return fmt.Errorf("release delivery: %w", res.Error)
		}
		return nil
	})
	return released, err
}

// EndpointRef names an endpoint.
type EndpointRef struct {
	Environment busbar.Environment
	ID          busbar.EndpointID
}

// Undrained gives the enabled endpoints that have something parked or whose circuit is not closed: a drain should be at
// work for each of them.
func (s *Store) Undrained(ctx context.Context) ([]EndpointRef, error) {
	var refs []EndpointRef
	// A scan of the endpoints; deliveries_parked for each.
	err := s.read.WithContext(ctx).Raw(`SELECT e.environment, e.id FROM endpoints e
		LEFT JOIN endpoint_health h ON h.endpoint_id = e.id
		WHERE e.enabled AND (h.circuit <> 'closed' OR EXISTS (SELECT 1 FROM deliveries d
			WHERE d.endpoint_id = e.id AND d.status = 'parked' AND d.kept_for = ''))
		ORDER BY e.id`).Scan(&refs).Error
	if err != nil {
		return nil, fmt.Errorf("find endpoints to drain: %w", translate(err))
	}
	return refs, nil
}
