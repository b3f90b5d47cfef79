package store

import (
	"context"
	"fmt"

	"busbar"
)

// CancelOrphans cancels the open deliveries of endpoints that are gone: those that a crash in the middle of
// DeleteEndpoint left, and those that an attempt under way parked behind its back. Nothing else would find the parked.
func (s *Store) CancelOrphans(ctx context.Context) error {
	var ids []string
	// deliveries_open_by_endpoint, one step for each endpoint.
	err := s.read.WithContext(ctx).Raw(`WITH RECURSIVE open (id) AS (
			SELECT MIN(endpoint_id) FROM deliveries WHERE status IN ('pending', 'parked')
			UNION ALL
			SELECT (SELECT MIN(d.endpoint_id) FROM deliveries d
				WHERE d.status IN ('pending', 'parked') AND d.endpoint_id > open.id)
			FROM open WHERE open.id IS NOT NULL)
		SELECT id FROM open WHERE id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM endpoints e WHERE e.id = open.id)`).
		Scan(&ids).Error
	if err != nil {
		return fmt.Errorf("find deliveries without endpoint: %w", translate(err))
	}
	for _, id := range ids {
		if err := s.cancelOpen(ctx, busbar.EndpointID(id)); err != nil {
			return err
		}
	}
	return nil
}
