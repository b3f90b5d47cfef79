package store

import (
	"context"
	"fmt"

	"busbar"
)

// BootstrapKeyHint is the beginning of the environment's bootstrap key, empty when there is none that can be used.
func (s *Store) BootstrapKeyHint(ctx context.Context, env busbar.Environment) (string, error) {
	var hints []string
	// api_keys_list
	err := s.read.WithContext(ctx).Model(&apiKeyRow{}).
		Where("environment = ? AND name = ? AND scopes = ? AND revoked_at = 0", string(env), bootstrapName, string(busbar.ScopeAll)).
		Limit(1).Pluck("hint", &hints).Error
	if err != nil {
		return "", translate(fmt.Errorf("look for bootstrap key: %w", err))
	}
	if len(hints) == 0 {
		return "", nil
	}
	return hints[0], nil
}
