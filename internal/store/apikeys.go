package store

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"busbar"
)

const (
	// touchEvery is how exact an API key's last use is, so that a busy key costs one write a minute.
	touchEvery = time.Minute
	// bootstrapName names the keys that come from the configuration.
	bootstrapName = "bootstrap"
)

// apiKeyRow is a row of api_keys.
type apiKeyRow struct {
	ID          string `gorm:"column:id;primaryKey"`
	Environment string `gorm:"column:environment"`
	Name        string `gorm:"column:name"`
	Hint        string `gorm:"column:hint"`
	Hash        []byte `gorm:"column:hash"`
	// Scopes are separated by commas.
	Scopes     string `gorm:"column:scopes"`
	CreatedAt  int64  `gorm:"column:created_at"`
	ExpiresAt  int64  `gorm:"column:expires_at"`
	LastUsedAt int64  `gorm:"column:last_used_at"`
	RevokedAt  int64  `gorm:"column:revoked_at"`
}

// TableName names the table for gorm.
func (apiKeyRow) TableName() string { return "api_keys" }

func (r *apiKeyRow) position() position { return position{r.CreatedAt, r.ID} }

func newAPIKeyRow(k *busbar.APIKey) apiKeyRow {
	scopes := make([]string, len(k.Scopes))
	for i, s := range k.Scopes {
		scopes[i] = string(s)
	}
	return apiKeyRow{
		ID: string(k.ID), Environment: string(k.Environment), Name: k.Name, Hint: k.Hint, Hash: k.Hash[:],
		Scopes: strings.Join(scopes, ","), CreatedAt: micros(k.CreatedAt), ExpiresAt: micros(k.ExpiresAt),
		LastUsedAt: micros(k.LastUsedAt), RevokedAt: micros(k.RevokedAt),
	}
}

func (r *apiKeyRow) apiKey() (busbar.APIKey, error) {
	k := busbar.APIKey{
		ID: busbar.KeyID(r.ID), Environment: busbar.Environment(r.Environment), Name: r.Name, Hint: r.Hint,
		CreatedAt: fromMicros(r.CreatedAt), ExpiresAt: fromMicros(r.ExpiresAt),
		LastUsedAt: fromMicros(r.LastUsedAt), RevokedAt: fromMicros(r.RevokedAt),
	}
	if copy(k.Hash[:], r.Hash) != len(k.Hash) {
		return k, fmt.Errorf("read API key %s: its hash has %d bytes", r.ID, len(r.Hash))
	}
	for scope := range strings.SplitSeq(r.Scopes, ",") {
		k.Scopes = append(k.Scopes, busbar.Scope(scope))
	}
	return k, nil
}

// CreateAPIKey adds a key.
func (tx *Tx) CreateAPIKey(k *busbar.APIKey) error {
	row := newAPIKeyRow(k)
	if err := tx.db.Create(&row).Error; err != nil {
		return fmt.Errorf("insert API key: %w", err)
	}
	return nil
}

// ListAPIKeys gives the keys of an environment, revoked and expired ones too, newest first.
func (s *Store) ListAPIKeys(ctx context.Context, env busbar.Environment, req busbar.PageRequest) (busbar.Page[busbar.APIKey], error) {
	// api_keys_list
	q := s.read.WithContext(ctx).Where("environment = ?", string(env))
	return page(q, req, "created_at", (*apiKeyRow).position, (*apiKeyRow).apiKey)
}

// APIKey gives one key, or NOT_FOUND.
func (s *Store) APIKey(ctx context.Context, env busbar.Environment, id busbar.KeyID) (busbar.APIKey, error) {
	return takeAPIKey(s.read.WithContext(ctx), env, id)
}

func takeAPIKey(db *gorm.DB, env busbar.Environment, id busbar.KeyID) (busbar.APIKey, error) {
	var row apiKeyRow
	if err := db.Where("id = ? AND environment = ?", string(id), string(env)).Take(&row).Error; err != nil {
		return busbar.APIKey{}, notFound(err, "API key", string(id))
	}
	return row.apiKey()
}

// RevokeAPIKey ends a key from this moment on and returns it. A key that was revoked before stays as it is.
func (s *Store) RevokeAPIKey(ctx context.Context, env busbar.Environment, id busbar.KeyID) (busbar.APIKey, error) {
	var key busbar.APIKey
	err := s.write(ctx, s.durable, func(db *gorm.DB) error {
		err := db.Model(&apiKeyRow{}).Where("id = ? AND environment = ? AND revoked_at = 0", string(id), string(env)).
			Update("revoked_at", micros(s.now())).Error
		if err != nil {
			return fmt.Errorf("revoke API key: %w", err)
		}
		key, err = takeAPIKey(db, env, id)
		return err
	})
	return key, err
}

// KeyByHash finds the key that has this hash, usable or not; INVALID_API_KEY when there is none. It reads one row by
// a unique index each time, so that revoking takes effect at once in every process.
func (s *Store) KeyByHash(ctx context.Context, hash busbar.KeyHash) (busbar.APIKey, error) {
	unknown := busbar.Errorf(busbar.CodeInvalidAPIKey, "this API key is not known")
	var row apiKeyRow
	// The unique index of api_keys.hash.
	err := s.read.WithContext(ctx).Where("hash = ?", hash[:]).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return busbar.APIKey{}, unknown
	}
	if err != nil {
		return busbar.APIKey{}, translate(fmt.Errorf("look up API key: %w", err))
	}
	if subtle.ConstantTimeCompare(row.Hash, hash[:]) != 1 {
		return busbar.APIKey{}, unknown
	}
	return row.apiKey()
}

// TouchAPIKey records that a key was used now. It writes at most once a minute a key.
func (s *Store) TouchAPIKey(ctx context.Context, key *busbar.APIKey) error {
	now := s.now()
	stale := now.Add(-touchEvery)
	if key.LastUsedAt.After(stale) {
		return nil
	}
	return s.write(ctx, s.relaxed, func(db *gorm.DB) error {
		err := db.Model(&apiKeyRow{}).Where("id = ? AND last_used_at <= ?", string(key.ID), micros(stale)).
			Update("last_used_at", micros(now)).Error
		if err != nil {
			return fmt.Errorf("touch API key: %w", err)
		}
		return nil
	})
}

// IssueKey gives a part of Busbar itself a new key under an id that stays. What the id let in before is refused from
// then on, so at most one holder has it, and starting again leaves no row behind.
func (s *Store) IssueKey(ctx context.Context, k *busbar.APIKey) error {
	row := newAPIKeyRow(k)
	return s.write(ctx, s.durable, func(db *gorm.DB) error {
		res := db.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "id"}},
			DoUpdates: clause.AssignmentColumns([]string{"name", "hint", "hash", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at"}),
			// Never across environments, which know nothing of each other.
			Where: clause.Where{Exprs: []clause.Expression{clause.Eq{Column: "api_keys.environment", Value: row.Environment}}},
		}).Create(&row)
		if res.Error != nil {
			return fmt.Errorf("issue API key: %w", res.Error)
		}
		if res.RowsAffected == 0 {
			return fmt.Errorf("issue API key: %s is of another environment", row.ID)
		}
		return nil
	})
}

// EnsureBootstrapKey makes the key that the configuration names usable, with every scope, and revokes bootstrap keys of
// the environment that were configured before. The configuration has the last word: a configured key that was revoked
// through the API is usable again.
func (s *Store) EnsureBootstrapKey(ctx context.Context, env busbar.Environment, key string) error {
	if of, ok := busbar.KeyEnvironment(key); !ok || of != env {
		return fmt.Errorf("bootstrap key of %s: it must begin with %s", env, env.KeyPrefix())
	}
	now := s.now()
	row := newAPIKeyRow(&busbar.APIKey{
		ID: busbar.NewKeyID(), Environment: env, Name: bootstrapName, Hint: busbar.KeyHint(key),
		Hash: busbar.HashKey(key), Scopes: []busbar.Scope{busbar.ScopeAll}, CreatedAt: now,
	})
	return s.write(ctx, s.durable, func(db *gorm.DB) error {
		res := db.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "hash"}},
			DoUpdates: clause.Assignments(map[string]any{"name": row.Name, "scopes": row.Scopes, "revoked_at": 0, "expires_at": 0}),
		}).Create(&row)
		if res.Error != nil {
			return fmt.Errorf("insert bootstrap key: %w", res.Error)
		}
		err := db.Model(&apiKeyRow{}).
			Where("environment = ? AND name = ? AND scopes = ? AND revoked_at = 0 AND hash <> ?",
				row.Environment, row.Name, row.Scopes, row.Hash).
			Update("revoked_at", micros(now)).Error
		if err != nil {
			return fmt.Errorf("revoke older bootstrap keys: %w", err)
		}
		return nil
	})
}
