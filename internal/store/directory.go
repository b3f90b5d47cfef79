package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"busbar"
	"busbar/migrations"
)

// Subscriber is an endpoint with the keys that sign what it gets.
type Subscriber struct {
	busbar.Endpoint
	Keys []busbar.SigningKey
}

// SigningKeys are the keys that sign at a time, oldest first.
func (s *Subscriber) SigningKeys(now time.Time) []busbar.SigningKey {
	keys := make([]busbar.SigningKey, 0, len(s.Keys))
	for _, k := range s.Keys {
		if k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt) {
			keys = append(keys, k)
		}
	}
	return keys
}

// Subscribers are the endpoints of an environment as they were at one generation. They are shared: never change them.
type Subscribers struct {
	Generation int64
	All        []*Subscriber
	byID       map[busbar.EndpointID]*Subscriber
}

// Get finds one.
func (s *Subscribers) Get(id busbar.EndpointID) (*Subscriber, bool) {
	sub, ok := s.byID[id]
	return sub, ok
}

// directory caches the subscribers of each environment. An entry is as good as its generation: every save of an
// endpoint raises it, and every use compares.
type directory struct {
	mu      sync.Mutex
	entries map[busbar.Environment]*Subscribers
}

func (d *directory) get(env busbar.Environment) *Subscribers {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.entries[env]
}

func (d *directory) put(env busbar.Environment, s *Subscribers) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.entries == nil {
		d.entries = make(map[busbar.Environment]*Subscribers, 2)
	}
	if have := d.entries[env]; have == nil || have.Generation < s.Generation {
		d.entries[env] = s
	}
}

// Subscribers gives the endpoints of an environment as they are now.
func (s *Store) Subscribers(ctx context.Context, env busbar.Environment) (*Subscribers, error) {
	db := s.read.WithContext(ctx)
	// One small row when the cache is good.
	generation, err := generationOf(db, env)
	if err != nil {
		return nil, translate(err)
	}
	subs, err := s.subscribers(db, env, generation)
	return subs, translate(err)
}

// subscribers are the endpoints as they are at a generation.
func (s *Store) subscribers(db *gorm.DB, env busbar.Environment, generation int64) (*Subscribers, error) {
	if have := s.directory.get(env); have != nil && have.Generation == generation {
		return have, nil
	}
	// Rows that are newer than the generation do no harm: the next use sees the newer generation and reads again.
	subs, err := s.loadSubscribers(db, env)
	if err != nil {
		return nil, err
	}
	subs.Generation = generation
	s.directory.put(env, subs)
	return subs, nil
}

func (s *Store) loadSubscribers(db *gorm.DB, env busbar.Environment) (*Subscribers, error) {
	var rows []endpointRow
	// endpoints_list
	if err := db.Where("environment = ?", string(env)).Order("created_at, id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read endpoints: %w", err)
	}
	subs := &Subscribers{byID: make(map[busbar.EndpointID]*Subscriber, len(rows))}
	for i := range rows {
		e, err := s.endpoint(&rows[i])
		if err != nil {
			return nil, err
		}
		sub := &Subscriber{Endpoint: e}
		subs.All = append(subs.All, sub)
		subs.byID[e.ID] = sub
	}
	if err := s.loadCircuits(db, env, subs); err != nil {
		return nil, err
	}
	var keys []signingKeyRow
	// signing_keys_by_endpoint
	err := db.Where("endpoint_id IN (SELECT id FROM endpoints WHERE environment = ?)", string(env)).
		Order("created_at, id").Find(&keys).Error
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	for i := range keys {
		k, err := s.signingKey(&keys[i])
		if err != nil {
			return nil, err
		}
		if sub, ok := subs.byID[k.EndpointID]; ok {
			sub.Keys = append(sub.Keys, k)
		}
	}
	return subs, nil
}

// loadCircuits reads the circuits that are not closed. Of these only the state is kept up to date.
func (s *Store) loadCircuits(db *gorm.DB, env busbar.Environment, subs *Subscribers) error {
	var rows []healthRow
	// A scan: at most a row for each endpoint that has ever failed.
	if err := db.Where("environment = ? AND circuit <> 'closed'", string(env)).Find(&rows).Error; err != nil {
		return fmt.Errorf("read circuits: %w", err)
	}
	for i := range rows {
		sub, ok := subs.byID[busbar.EndpointID(rows[i].EndpointID)]
		if !ok {
			continue
		}
		var err error
		if sub.Circuit, err = rows[i].circuit(); err != nil {
			return err
		}
	}
	return nil
}

// saveEndpoints runs a transaction that changes endpoints of an environment. It waits for decisions that are under way
// there and keeps new ones out until it has committed, so that each decision sees all of it or nothing.
func (s *Store) saveEndpoints(ctx context.Context, env busbar.Environment, fn func(tx *gorm.DB) error) error {
	return s.write(ctx, s.durable, func(tx *gorm.DB) error {
		if err := s.raiseGeneration(tx, env); err != nil {
			return err
		}
		return fn(tx)
	})
}

// raiseGeneration is for transactions that are open already.
func (s *Store) raiseGeneration(tx *gorm.DB, env busbar.Environment) error {
	if err := s.excludeDecisions(tx, env); err != nil {
		return err
	}
	err := tx.Exec("UPDATE environments SET generation = generation + 1 WHERE environment = ?", string(env)).Error
	if err != nil {
		return fmt.Errorf("raise generation of %s: %w", env, err)
	}
	return nil
}

// excludeDecisions waits for the decisions that are under way and keeps new ones out until the transaction ends. SQLite has
// one writer, which does the same.
func (s *Store) excludeDecisions(tx *gorm.DB, env busbar.Environment) error {
	if s.dialect != migrations.Postgres {
		return nil
	}
	if err := tx.Exec("SELECT pg_advisory_xact_lock(?, ?)", decisionLock, environmentLock(env)).Error; err != nil {
		return fmt.Errorf("wait for decisions: %w", err)
	}
	return nil
}

// decisionLock is the first half of the advisory locks that decisions share and saves take alone; the second half is
// the environment.
const decisionLock = 0x62757362

func environmentLock(env busbar.Environment) int {
	if env == busbar.Live {
		return 2
	}
	return 1
}
