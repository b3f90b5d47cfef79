package store

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"busbar"
)

// SigningKeys gives the keys that sign for an endpoint now, oldest first, or NOT_FOUND.
func (s *Store) SigningKeys(ctx context.Context, env busbar.Environment, id busbar.EndpointID) ([]busbar.SigningKey, error) {
	db := s.read.WithContext(ctx)
	if _, err := s.takeEndpoint(db, env, id); err != nil {
		return nil, err
	}
	keys, err := s.liveKeys(db, id)
	return keys, translate(err)
}

// SigningKeys gives the keys that sign for an endpoint, as this transaction left them.
func (tx *Tx) SigningKeys(id busbar.EndpointID) ([]busbar.SigningKey, error) {
	return tx.store.liveKeys(tx.db, id)
}

func (s *Store) liveKeys(db *gorm.DB, id busbar.EndpointID) ([]busbar.SigningKey, error) {
	var rows []signingKeyRow
	// signing_keys_by_endpoint
	err := db.Where("endpoint_id = ? AND (expires_at = 0 OR expires_at > ?)", string(id), micros(s.now())).
		Order("created_at, id").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	keys := make([]busbar.SigningKey, 0, len(rows))
	for i := range rows {
		k, err := s.signingKey(&rows[i])
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// RotateKeys gives an endpoint new keys. The keys that sign now go on until overlap has passed, or end sooner if that
// was decided before; zero ends them at once. When more than 5 keys would sign then it answers CONFLICT.
func (tx *Tx) RotateKeys(env busbar.Environment, id busbar.EndpointID, overlap time.Duration, newKeys []busbar.SigningKey) error {
	if err := tx.store.raiseGeneration(tx.db, env); err != nil {
		return err
	}
	if _, err := tx.store.takeEndpoint(tx.db, env, id); err != nil {
		return err
	}
	now := tx.store.now()
	end := micros(now.Add(overlap))
	err := tx.db.Model(&signingKeyRow{}).Where("endpoint_id = ? AND (expires_at = 0 OR expires_at > ?)", string(id), end).
		Update("expires_at", end).Error
	if err != nil {
		return fmt.Errorf("expire signing keys: %w", err)
	}
	err = tx.db.Where("endpoint_id = ? AND expires_at > 0 AND expires_at < ?", string(id), micros(now.Add(-expiredKeysKept))).
		Delete(&signingKeyRow{}).Error
	if err != nil {
		return fmt.Errorf("drop expired signing keys: %w", err)
	}
	live, err := tx.store.liveKeys(tx.db, id)
	if err != nil {
		return err
	}
	if len(live)+len(newKeys) > maxLiveKeys {
		return busbar.Errorf(busbar.CodeConflict,
			"%d keys of this endpoint sign already and at most %d may; wait for an overlap to end or rotate with a shorter one",
			len(live), maxLiveKeys)
	}
	return tx.store.insertKeys(tx.db, id, newKeys)
}
