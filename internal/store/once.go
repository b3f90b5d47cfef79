package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"busbar"
)

// IdempotencyKey is what a client sent in its Idempotency-Key header, with what it belongs to.
type IdempotencyKey struct {
	APIKeyID busbar.KeyID
	// Route is the method and the path.
	Route    string
	Key      string
	BodyHash [sha256.Size]byte
}

// context binds a sealed answer to its key.
func (k IdempotencyKey) context() string {
	return fmt.Sprintf("idempotency:%s:%s:%s", k.APIKeyID, k.Route, k.Key)
}

// Answer is an HTTP answer that is given again when its request comes again.
type Answer struct {
	Status int
	// Body is JSON.
	Body []byte
}

type idempotencyRow struct {
	APIKeyID  string `gorm:"column:api_key_id;primaryKey"`
	Route     string `gorm:"column:route;primaryKey"`
	Key       string `gorm:"column:key;primaryKey"`
	BodyHash  []byte `gorm:"column:body_hash"`
	Status    int    `gorm:"column:status"`
	Answer    []byte `gorm:"column:answer"`
	CreatedAt int64  `gorm:"column:created_at"`
}

// TableName names the table for gorm.
func (idempotencyRow) TableName() string { return "idempotency_keys" }

// Tx is a transaction that creates things and, when the request carries an Idempotency-Key, keeps its answer.
type Tx struct {
	store *Store
	db    *gorm.DB
}

// Once runs create in a durable transaction. With a key, the answer is kept in the same transaction, and given again
// instead of running create when the same request comes again; another body under the same key is an
// IDEMPOTENCY_CONFLICT. An error of create is not kept.
func (s *Store) Once(ctx context.Context, key *IdempotencyKey, create func(tx *Tx) (Answer, error)) (Answer, error) {
	var answer Answer
	err := s.write(ctx, s.durable, func(db *gorm.DB) error {
		if key != nil {
			found, kept, err := s.reserve(db, *key)
			if err != nil {
				return err
			}
			if found {
				answer = kept
				return nil
			}
		}
		var err error
		if answer, err = create(&Tx{store: s, db: db}); err != nil || key == nil {
			return err
		}
		return s.keep(db, *key, answer)
	})
	return answer, err
}

// reserve inserts the key, or finds the answer that it already has. On PostgreSQL a concurrent request with the same
// key waits here until this transaction ends.
func (s *Store) reserve(db *gorm.DB, key IdempotencyKey) (found bool, answer Answer, err error) {
	now := s.now()
	row := idempotencyRow{
		APIKeyID: string(key.APIKeyID), Route: key.Route, Key: key.Key,
		BodyHash: key.BodyHash[:], Answer: []byte{}, CreatedAt: micros(now),
	}
	id := db.Where("api_key_id = ? AND route = ? AND key = ?", row.APIKeyID, row.Route, row.Key).Session(&gorm.Session{})
	if err := id.Where("created_at < ?", micros(now.Add(-busbar.IdempotencyWindow))).Delete(&idempotencyRow{}).Error; err != nil {
		return false, Answer{}, fmt.Errorf("drop expired idempotency key: %w", err)
	}
	res := db.Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
	if res.Error != nil {
		return false, Answer{}, fmt.Errorf("reserve idempotency key: %w", res.Error)
	}
	if res.RowsAffected == 1 {
		return false, Answer{}, nil
	}
	var have idempotencyRow
	if err := id.Take(&have).Error; err != nil {
		return false, Answer{}, fmt.Errorf("read idempotency key: %w", err)
	}
	answer, err = s.kept(have, key)
	return err == nil, answer, err
}

// Kept gives the answer that a key has already; found is false when it has none. Another body under the key is an
// IDEMPOTENCY_CONFLICT.
func (s *Store) Kept(ctx context.Context, key IdempotencyKey) (answer Answer, found bool, err error) {
	var have idempotencyRow
	// The primary key of idempotency_keys.
	err = s.read.WithContext(ctx).Where("api_key_id = ? AND route = ? AND key = ?", string(key.APIKeyID), key.Route, key.Key).
		Where("created_at >= ?", micros(s.now().Add(-busbar.IdempotencyWindow))).Take(&have).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return Answer{}, false, nil
	case err != nil:
		return Answer{}, false, translate(fmt.Errorf("read idempotency key: %w", err))
	}
	answer, err = s.kept(have, key)
	return answer, err == nil, err
}

// kept opens a stored answer, if its request was the same.
func (s *Store) kept(have idempotencyRow, key IdempotencyKey) (Answer, error) {
	if [sha256.Size]byte(have.BodyHash) != key.BodyHash {
		return Answer{}, busbar.Errorf(busbar.CodeIdempotencyConflict,
			"this Idempotency-Key was used with another body within the last 24 hours; use a new key")
	}
	body, err := s.keyring.Open(have.Answer, key.context())
	if err != nil {
		return Answer{}, fmt.Errorf("open kept answer: %w", err)
	}
	return Answer{Status: have.Status, Body: body}, nil
}

func (s *Store) keep(db *gorm.DB, key IdempotencyKey, answer Answer) error {
	sealed, err := s.keyring.Seal(answer.Body, key.context())
	if err != nil {
		return fmt.Errorf("seal answer: %w", err)
	}
	err = db.Model(&idempotencyRow{}).
		Where("api_key_id = ? AND route = ? AND key = ?", string(key.APIKeyID), key.Route, key.Key).
		Updates(map[string]any{"status": answer.Status, "answer": sealed}).Error
	if err != nil {
		return fmt.Errorf("keep answer: %w", err)
	}
	return nil
}

// notFound turns gorm's error into the domain's.
func notFound(err error, kind, id string) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return busbar.NotFound(kind, id)
	}
	return translate(err)
}
