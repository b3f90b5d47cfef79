package store

import (
	"context"
	"errors"
	"fmt"

	"busbar/internal/keyring"
)

// CheckKeyring opens the oldest and the newest secret that the database holds, so that a master key which was lost or
// mixed up is noticed when the program starts and not when a webhook is to be signed.
func (s *Store) CheckKeyring(ctx context.Context) error {
	for _, order := range []string{"created_at, id", "created_at DESC, id DESC"} {
		var rows []signingKeyRow
		// A scan of at most five keys an endpoint, once a start.
		if err := s.read.WithContext(ctx).Order(order).Limit(1).Find(&rows).Error; err != nil {
			return translate(fmt.Errorf("read a signing key: %w", err))
		}
		for i := range rows {
			_, err := s.signingKey(&rows[i])
			if errors.Is(err, keyring.ErrUnknownKey) {
				return fmt.Errorf("the master key is not the one that sealed the secrets in this database; add that one to BUSBAR_MASTER_KEY: %w", err)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
