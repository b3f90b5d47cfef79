package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"busbar"
)

// listenerRow is a row of listeners.
type listenerRow struct {
	EndpointID  string `gorm:"column:endpoint_id;primaryKey"`
	Environment string `gorm:"column:environment"`
	APIKeyID    string `gorm:"column:api_key_id"`
	CreatedAt   int64  `gorm:"column:created_at"`
	SeenAt      int64  `gorm:"column:seen_at"`
}

// TableName names the table for gorm.
func (listenerRow) TableName() string { return "listeners" }

func (r *listenerRow) listener() busbar.Listener {
	return busbar.Listener{
		EndpointID: busbar.EndpointID(r.EndpointID), Environment: busbar.Environment(r.Environment),
		APIKeyID: busbar.KeyID(r.APIKeyID), CreatedAt: fromMicros(r.CreatedAt), SeenAt: fromMicros(r.SeenAt),
	}
}

// listenerRequestRow is a row of listener_requests.
type listenerRequestRow struct {
	ID         string `gorm:"column:id;primaryKey"`
	EndpointID string `gorm:"column:endpoint_id"`
	DeliveryID string `gorm:"column:delivery_id"`
	Content    []byte `gorm:"column:content"`
	Answered   bool   `gorm:"column:answered"`
	Answer     []byte `gorm:"column:answer"`
	CreatedAt  int64  `gorm:"column:created_at"`
	ExpiresAt  int64  `gorm:"column:expires_at"`
}

// TableName names the table for gorm.
func (listenerRequestRow) TableName() string { return "listener_requests" }

func listenerContext(id string) string { return "listener_request:" + id }

// CreateListener makes an endpoint that was created in the same transaction one that a program fetches for.
func (tx *Tx) CreateListener(l busbar.Listener) error {
	row := listenerRow{
		EndpointID: string(l.EndpointID), Environment: string(l.Environment), APIKeyID: string(l.APIKeyID),
		CreatedAt: micros(l.CreatedAt), SeenAt: micros(l.SeenAt),
	}
	if err := tx.db.Create(&row).Error; err != nil {
		return fmt.Errorf("insert listener: %w", err)
	}
	return nil
}

// Listener gives a listener of an API key, or NOT_FOUND: that of another key is none.
func (s *Store) Listener(ctx context.Context, key busbar.APIKey, id busbar.EndpointID) (busbar.Listener, error) {
	var row listenerRow
	err := s.read.WithContext(ctx).
		Where("endpoint_id = ? AND environment = ? AND api_key_id = ?", string(id), string(key.Environment), string(key.ID)).
		Take(&row).Error
	if err != nil {
		return busbar.Listener{}, notFound(err, "listener of this API key", string(id))
	}
	return row.listener(), nil
}

// SeeListener notes that the program of a listener is there.
func (s *Store) SeeListener(ctx context.Context, id busbar.EndpointID) error {
	return s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		err := tx.Exec("UPDATE listeners SET seen_at = ? WHERE endpoint_id = ?", micros(s.now()), string(id)).Error
		if err != nil {
			return fmt.Errorf("note that a listener is there: %w", err)
		}
		return nil
	})
}

// GoneListeners gives up to limit listeners whose program was last seen before a time.
func (s *Store) GoneListeners(ctx context.Context, before time.Time, limit int) ([]busbar.Listener, error) {
	var rows []listenerRow
	// listeners_seen
	err := s.read.WithContext(ctx).Where("seen_at < ?", micros(before)).Order("seen_at").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("find listeners that are gone: %w", translate(err))
	}
	gone := make([]busbar.Listener, len(rows))
	for i := range rows {
		gone[i] = rows[i].listener()
	}
	return gone, nil
}

// OfferRequest puts a request where its listener's program finds it, in the place of earlier ones of the same
// delivery. It is NOT_FOUND when the listener is gone.
func (s *Store) OfferRequest(ctx context.Context, r busbar.ListenerRequest) error {
	content, err := s.keyring.Seal(r.Content, listenerContext(r.ID))
	if err != nil {
		return fmt.Errorf("seal request: %w", err)
	}
	row := listenerRequestRow{
		ID: r.ID, EndpointID: string(r.EndpointID), DeliveryID: string(r.DeliveryID), Content: content, Answer: []byte{},
		CreatedAt: micros(s.now()), ExpiresAt: micros(r.ExpiresAt),
	}
	return s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		// listener_requests_open: those of one listener are few.
		err := tx.Where("endpoint_id = ? AND delivery_id = ? AND id <> ?", row.EndpointID, row.DeliveryID, row.ID).
			Delete(&listenerRequestRow{}).Error
		if err != nil {
			return fmt.Errorf("drop earlier requests: %w", err)
		}
		err = tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&row).Error
		if errors.Is(err, gorm.ErrForeignKeyViolated) {
			return busbar.NotFound("listener", row.EndpointID)
		}
		if err != nil {
			return fmt.Errorf("insert request: %w", err)
		}
		return nil
	})
}

// OpenRequests gives up to limit requests that a listener's program has to answer, oldest first, but for those that
// it has already.
func (s *Store) OpenRequests(
	ctx context.Context, id busbar.EndpointID, holding []string, limit int,
) ([]busbar.ListenerRequest, error) {
	var rows []listenerRequestRow
	// listener_requests_open
	q := s.read.WithContext(ctx).Where("endpoint_id = ? AND NOT answered AND expires_at > ?", string(id), micros(s.now()))
	if len(holding) > 0 {
		q = q.Where("id NOT IN ?", holding)
	}
	if err := q.Order("created_at, id").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read requests of a listener: %w", translate(err))
	}
	open := make([]busbar.ListenerRequest, len(rows))
	for i, r := range rows {
		content, err := s.keyring.Open(r.Content, listenerContext(r.ID))
		if err != nil {
			return nil, fmt.Errorf("open request of a listener: %w", err)
		}
		open[i] = busbar.ListenerRequest{
			ID: r.ID, EndpointID: busbar.EndpointID(r.EndpointID), DeliveryID: busbar.DeliveryID(r.DeliveryID),
			ExpiresAt: fromMicros(r.ExpiresAt), Content: content,
		}
	}
	return open, nil
}

// AnswerRequest keeps the answer to a request for the attempt that waits for it. It is NOT_FOUND when none waits any
// more, and a second answer changes nothing.
func (s *Store) AnswerRequest(ctx context.Context, id busbar.EndpointID, request string, answer []byte) error {
	return s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		var row listenerRequestRow
		err := s.forUpdate(tx).Select("id", "answered").
			Where("id = ? AND endpoint_id = ? AND expires_at > ?", request, string(id), micros(s.now())).Take(&row).Error
		if err != nil {
			return notFound(err, "request that waits for an answer", request)
		}
		if row.Answered {
			return nil
		}
		err = tx.Model(&listenerRequestRow{}).Where("id = ?", request).
			Updates(map[string]any{"answered": true, "answer": answer}).Error
		if err != nil {
			return fmt.Errorf("keep answer of a listener: %w", err)
		}
		return nil
	})
}

// RequestAnswer gives the answer to a request, nil when there is none yet, or NOT_FOUND when the request is gone.
func (s *Store) RequestAnswer(ctx context.Context, request string) ([]byte, error) {
	var row listenerRequestRow
	err := s.read.WithContext(ctx).Select("answered", "answer").Where("id = ?", request).Take(&row).Error
	if err != nil {
		return nil, notFound(err, "request", request)
	}
	if !row.Answered {
		return nil, nil
	}
	return row.Answer, nil
}

// DropRequest takes back a request that nobody waits for.
func (s *Store) DropRequest(ctx context.Context, request string) error {
	return s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		if err := tx.Where("id = ?", request).Delete(&listenerRequestRow{}).Error; err != nil {
			return fmt.Errorf("drop request of a listener: %w", err)
		}
		return nil
	})
}

// DropExpiredRequests takes back the requests whose attempts a crash has cut off.
func (s *Store) DropExpiredRequests(ctx context.Context) error {
	return s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		// A scan of the few requests that are open.
		if err := tx.Where("expires_at < ?", micros(s.now())).Delete(&listenerRequestRow{}).Error; err != nil {
			return fmt.Errorf("drop expired requests of listeners: %w", err)
		}
		return nil
	})
}

// FailedFor gives up to limit pending deliveries of an endpoint whose last attempt failed for a class of reasons and
// that nobody has asked to hurry, oldest first.
func (s *Store) FailedFor(ctx context.Context, id busbar.EndpointID, class string, limit int) ([]busbar.DeliveryID, error) {
	var ids []busbar.DeliveryID
	// deliveries_open_by_endpoint, then the primary key of attempts for each.
	err := s.read.WithContext(ctx).Raw(`SELECT d.id FROM deliveries d
			JOIN attempts a ON a.delivery_id = d.id AND a.number = d.attempts
			WHERE d.endpoint_id = ? AND d.status = 'pending' AND NOT d.retry_now AND a.error_class = ?
			ORDER BY d.id LIMIT ?`, string(id), class, limit).Scan(&ids).Error
	if err != nil {
		return nil, fmt.Errorf("find failed deliveries of an endpoint: %w", translate(err))
	}
	return ids, nil
}
