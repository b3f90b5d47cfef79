package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"busbar"
)

const (
	// maxLiveKeys is how many keys of one endpoint may sign at a time: each adds a signature to every request.
	maxLiveKeys = 5
	// cancelBatch bounds how long cancelling the deliveries of a deleted endpoint holds the writer at a time.
	cancelBatch = 500
	// expiredKeysKept is how long an expired signing key can still be looked into.
	expiredKeysKept = 24 * time.Hour
)

// ListEndpoints gives the endpoints of an environment, newest first.
func (s *Store) ListEndpoints(ctx context.Context, env busbar.Environment, req busbar.PageRequest) (busbar.Page[busbar.Endpoint], error) {
	// endpoints_list
	q := s.read.WithContext(ctx).Where("environment = ?", string(env))
	list, err := page(q, req, "created_at", (*endpointRow).position, s.endpoint)
	if err != nil {
		return list, err
	}
	all := make([]*busbar.Endpoint, len(list.Items))
	for i := range list.Items {
		all[i] = &list.Items[i]
	}
	return list, translate(addCircuits(s.read.WithContext(ctx), all...))
}

// Endpoint gives one endpoint, or NOT_FOUND.
func (s *Store) Endpoint(ctx context.Context, env busbar.Environment, id busbar.EndpointID) (busbar.Endpoint, error) {
	return s.takeEndpoint(s.read.WithContext(ctx), env, id)
}

func (s *Store) takeEndpoint(db *gorm.DB, env busbar.Environment, id busbar.EndpointID) (busbar.Endpoint, error) {
	var row endpointRow
	if err := db.Where("id = ? AND environment = ?", string(id), string(env)).Take(&row).Error; err != nil {
		return busbar.Endpoint{}, notFound(err, "endpoint", string(id))
	}
	e, err := s.endpoint(&row)
	if err != nil {
		return e, err
	}
	err = addCircuits(db, &e)
	return e, translate(err)
}

// CreateEndpoint adds an endpoint with the keys that sign for it. An environment that has busbar.MaxEndpoints of them
// answers CONFLICT.
func (tx *Tx) CreateEndpoint(e *busbar.Endpoint, keys []busbar.SigningKey) error {
	if err := tx.store.raiseGeneration(tx.db, e.Environment); err != nil {
		return err
	}
	var have int64
	err := tx.db.Model(&endpointRow{}).Where("environment = ?", string(e.Environment)).Count(&have).Error
	if err != nil {
		return fmt.Errorf("count endpoints: %w", err)
	}
	if have >= busbar.MaxEndpoints {
		return busbar.Errorf(busbar.CodeConflict, "an environment has at most %d endpoints; delete one first", busbar.MaxEndpoints)
	}
	row, err := tx.store.newEndpointRow(e)
	if err != nil {
		return err
	}
	if err := tx.db.Create(&row).Error; err != nil {
		return fmt.Errorf("insert endpoint: %w", err)
	}
	return tx.store.insertKeys(tx.db, e.ID, keys)
}

// insertKeys adds keys to an endpoint, whatever endpoint they name.
func (s *Store) insertKeys(db *gorm.DB, id busbar.EndpointID, keys []busbar.SigningKey) error {
	for _, k := range keys {
		k.EndpointID = id
		row, err := s.newSigningKeyRow(&k)
		if err != nil {
			return err
		}
		if err := db.Create(&row).Error; err != nil {
			return fmt.Errorf("insert signing key: %w", err)
		}
	}
	return nil
}

// UpdateEndpoint changes an endpoint and returns it as it then is. When the change asks for another kind of signing,
// keys of kinds that no longer sign are deleted and generate makes the first key of a kind that is new. One that is enabled
// again, or has another URL while its circuit is open, is tried at once. An error of change or generate leaves everything
// as it was.
func (s *Store) UpdateEndpoint(
	ctx context.Context, env busbar.Environment, id busbar.EndpointID,
	change func(*busbar.Endpoint) error, generate func(busbar.KeyKind) (busbar.SigningKey, error),
) (busbar.Endpoint, error) {
	var e busbar.Endpoint
	err := s.saveEndpoints(ctx, env, func(db *gorm.DB) error {
		was, err := s.takeEndpoint(db, env, id)
		if err != nil {
			return err
		}
		e = was
		if err := change(&e); err != nil {
			return err
		}
		e.ID, e.Environment, e.CreatedAt, e.UpdatedAt = was.ID, was.Environment, was.CreatedAt, s.now()
		row, err := s.newEndpointRow(&e)
		if err != nil {
			return err
		}
		if err := db.Save(&row).Error; err != nil {
			return fmt.Errorf("save endpoint: %w", err)
		}
		if err := s.afterChange(db, &was, &e); err != nil {
			return err
		}
		if e.Signing == was.Signing {
			return nil
		}
		return s.alignKeys(db, &e, generate)
	})
	return e, err
}

// afterChange forgets what a change has made untrue.
func (s *Store) afterChange(db *gorm.DB, was, e *busbar.Endpoint) error {
	if e.RateLimit != was.RateLimit {
		// The line was made for the old rate.
		if err := db.Exec("DELETE FROM endpoint_rates WHERE endpoint_id = ?", string(e.ID)).Error; err != nil {
			return fmt.Errorf("forget line of %s: %w", e.ID, err)
		}
	}
	if !e.Enabled || was.Enabled && (e.URL == was.URL || !was.Shut()) {
		return nil
	}
	if err := s.reopened(db, e.Environment, e.ID); err != nil {
		return err
	}
	return addCircuits(db, e)
}

// alignKeys makes the kinds of an endpoint's keys those that its Signing names.
func (s *Store) alignKeys(db *gorm.DB, e *busbar.Endpoint, generate func(busbar.KeyKind) (busbar.SigningKey, error)) error {
	live, err := s.liveKeys(db, e.ID)
	if err != nil {
		return err
	}
	for kind, wanted := range map[busbar.KeyKind]bool{
		busbar.KeyHMAC: e.Signing.HMAC(), busbar.KeyEd25519: e.Signing.Ed25519(),
	} {
		if !wanted {
			// signing_keys_by_endpoint
			err := db.Where("endpoint_id = ? AND kind = ?", string(e.ID), string(kind)).Delete(&signingKeyRow{}).Error
			if err != nil {
				return fmt.Errorf("delete signing keys: %w", err)
			}
			continue
		}
		if hasKind(live, kind) {
			continue
		}
		key, err := generate(kind)
		if err != nil {
			return err
		}
		if err := s.insertKeys(db, e.ID, []busbar.SigningKey{key}); err != nil {
			return err
		}
	}
	return nil
}

func hasKind(keys []busbar.SigningKey, kind busbar.KeyKind) bool {
	for _, k := range keys {
		if k.Kind == kind && k.ExpiresAt.IsZero() {
			return true
		}
	}
	return false
}

// endpointGone is what deliveries and jobs have for a reason whose endpoint was deleted.
const endpointGone = "the endpoint was deleted"

// DeleteEndpoint removes an endpoint and its keys and ends its jobs, then cancels its open deliveries. Should the process end between
// the two, the deliveries that are left are cancelled when they are next tried.
func (s *Store) DeleteEndpoint(ctx context.Context, env busbar.Environment, id busbar.EndpointID) error {
	err := s.saveEndpoints(ctx, env, func(db *gorm.DB) error {
		if _, err := s.takeEndpoint(db, env, id); err != nil {
			return err
		}
		if err := db.Where("endpoint_id = ?", string(id)).Delete(&signingKeyRow{}).Error; err != nil {
			return fmt.Errorf("delete signing keys: %w", err)
		}
		if err := db.Where("id = ?", string(id)).Delete(&endpointRow{}).Error; err != nil {
			return fmt.Errorf("delete endpoint: %w", err)
		}
		if err := s.failJobs(db, id); err != nil {
			return err
		}
		for _, table := range []string{"endpoint_health", "endpoint_rates", "endpoint_hours"} {
			if err := db.Exec("DELETE FROM "+table+" WHERE endpoint_id = ?", string(id)).Error; err != nil {
				return fmt.Errorf("delete from %s: %w", table, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	// The endpoint is gone whether or not the caller still waits.
	return s.cancelOpen(context.WithoutCancel(ctx), id)
}

// cancelOpen cancels the open deliveries of an endpoint that gets no new ones.
func (s *Store) cancelOpen(ctx context.Context, id busbar.EndpointID) error {
	for {
		var cancelled int64
		err := s.write(ctx, s.relaxed, func(db *gorm.DB) error {
			// deliveries_open_by_endpoint
			res := db.Exec(`UPDATE deliveries
				SET status = ?, completed_at = ?, next_attempt_at = 0, retry_now = FALSE, last_error = ?
				WHERE id IN (SELECT id FROM deliveries WHERE endpoint_id = ? AND status IN ('pending', 'parked')
					ORDER BY id LIMIT ?) AND status IN ('pending', 'parked')`,
				string(busbar.DeliveryCancelled), micros(s.now()), endpointGone, string(id), cancelBatch)
			cancelled = res.RowsAffected
			return res.Error
		})
		if err != nil {
			return fmt.Errorf("cancel deliveries of %s: %w", id, err)
		}
		if cancelled == 0 {
			return nil
		}
	}
}

// DisableEndpoint stops deliveries to an endpoint, keeps why, and notes it unless it is to be quiet. It does nothing when
// the endpoint is disabled already or gone.
func (s *Store) DisableEndpoint(ctx context.Context, env busbar.Environment, id busbar.EndpointID, reason string, quiet bool) error {
	e, err := s.Endpoint(ctx, env, id)
	if busbar.CodeOf(err) == busbar.CodeNotFound {
		return nil
	}
	if err != nil || !e.Enabled {
		return err
	}
	return s.saveEndpoints(ctx, env, func(db *gorm.DB) error {
		now := s.now()
		res := db.Model(&endpointRow{}).Where("id = ? AND environment = ? AND enabled", string(id), string(env)).
			Updates(map[string]any{
				"enabled": false, "disabled_reason": reason, "disabled_at": micros(now), "updated_at": micros(now),
			})
		if res.Error != nil {
			return fmt.Errorf("disable endpoint: %w", res.Error)
		}
		if res.RowsAffected == 0 {
			return nil
		}
		row, ok, err := s.lockHealth(db, string(env), string(id))
		if err != nil || !ok || quiet {
			return err
		}
		since := fromMicros(row.FailingSince)
		if since.IsZero() {
			since = now
		}
		if err := s.noteEndpoint(db, &row, busbar.TypeEndpointDisabled, micros(now), since, reason); err != nil {
			return err
		}
		if row.ToldAt == 0 {
			row.ToldAt = micros(now)
		}
		return saveHealth(db, &row)
	})
}
