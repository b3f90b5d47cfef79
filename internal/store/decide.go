package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"busbar"
)

// DecisionTx is a transaction that accepts events. It sees every save that was committed before it began to decide,
// and none is committed while it is open.
type DecisionTx struct {
	store *Store
	db    *gorm.DB
	// generations are those of environments that were asked for: they stay while saves are kept out.
	generations map[busbar.Environment]int64
}

// Decide runs a deciding transaction for these environments.
func (s *Store) Decide(ctx context.Context, envs []busbar.Environment, decide func(tx *DecisionTx) error) error {
	return s.write(ctx, s.durable, func(db *gorm.DB) error {
		for _, env := range slices.Sorted(slices.Values(envs)) {
			if err := s.shareDecisions(db, env); err != nil {
				return err
			}
		}
		return decide(&DecisionTx{store: s, db: db, generations: make(map[busbar.Environment]int64, 1)})
	})
}

// Subscribers are the endpoints of an environment, as this decision must see them.
func (t *DecisionTx) Subscribers(env busbar.Environment) (*Subscribers, error) {
	generation, err := t.generation(env)
	if err != nil {
		return nil, err
	}
	return t.store.subscribers(t.db, env, generation)
}

// generation is the number of the last save in an environment.
func (t *DecisionTx) generation(env busbar.Environment) (int64, error) {
	if have, ok := t.generations[env]; ok {
		return have, nil
	}
	generation, err := generationOf(t.db, env)
	if err == nil {
		t.generations[env] = generation
	}
	return generation, err
}

// Reserve inserts an idempotency key, or finds the answer that it already has.
func (t *DecisionTx) Reserve(key IdempotencyKey) (found bool, answer Answer, err error) {
	return t.store.reserve(t.db, key)
}

// Keep stores the answer of a reserved key.
func (t *DecisionTx) Keep(key IdempotencyKey, answer Answer) error {
	return t.store.keep(t.db, key, answer)
}

// Release gives a reserved key back.
func (t *DecisionTx) Release(key IdempotencyKey) error {
	err := t.db.Where("api_key_id = ? AND route = ? AND key = ?", string(key.APIKeyID), key.Route, key.Key).Delete(&idempotencyRow{}).Error
	if err != nil {
		return fmt.Errorf("release idempotency key: %w", err)
	}
	return nil
}

// EventRef names an event.
type EventRef struct {
	Environment busbar.Environment
	ID          busbar.EventID
}

func (r EventRef) pair() []any { return []any{string(r.Environment), string(r.ID)} }

// ContentHash is a hash over what a producer said of an event.
type ContentHash [sha256.Size]byte

type eventIDRow struct {
	Environment string `gorm:"column:environment;primaryKey"`
	ID          string `gorm:"column:id;primaryKey"`
	Hash        []byte `gorm:"column:hash"`
	ReceivedAt  int64  `gorm:"column:received_at"`
}

// TableName names the table for gorm.
func (eventIDRow) TableName() string { return "event_ids" }

// UseEventIDs takes ids for good, for events received at a time. It returns the hashes of those that were taken before; the others
// are now the caller's. On PostgreSQL it waits for a concurrent transaction that is taking one of the same.
func (t *DecisionTx) UseEventIDs(receivedAt time.Time, ids map[EventRef]ContentHash) (taken map[EventRef]ContentHash, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows := make([]eventIDRow, 0, len(ids))
	for ref, hash := range ids {
		rows = append(rows, eventIDRow{string(ref.Environment), string(ref.ID), hash[:], micros(receivedAt)})
	}
	// One order for all, so that two transactions never wait for each other.
	slices.SortFunc(rows, func(a, b eventIDRow) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.ID, b.ID))
	})
	res := t.db.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(&rows, insertBatch)
	if res.Error != nil {
		return nil, fmt.Errorf("take event ids: %w", res.Error)
	}
	if res.RowsAffected == int64(len(rows)) {
		return nil, nil
	}
	return t.taken(ids)
}

// taken finds which of the ids were there before: those have an event already, the ones just taken do not yet.
func (t *DecisionTx) taken(ids map[EventRef]ContentHash) (map[EventRef]ContentHash, error) {
	taken := make(map[EventRef]ContentHash)
	pairs := make([][]any, 0, len(ids))
	for ref := range ids {
		pairs = append(pairs, ref.pair())
	}
	for part := range slices.Chunk(pairs, insertBatch) {
		var have []eventIDRow
		// The primary keys of both tables.
		err := t.db.Raw(`SELECT i.environment, i.id, i.hash FROM event_ids i
			JOIN events e ON e.environment = i.environment AND e.received_at = i.received_at AND e.id = i.id
			WHERE (i.environment, i.id) IN ?`, part).Scan(&have).Error
		if err != nil {
			return nil, fmt.Errorf("read event ids: %w", err)
		}
		for _, r := range have {
			taken[EventRef{busbar.Environment(r.Environment), busbar.EventID(r.ID)}] = ContentHash(r.Hash)
		}
	}
	return taken, nil
}

// insertBatch keeps one statement's parameters under the limits of both databases (SQLite: 32,766).
const insertBatch = 200

// Accepted is an event with what was decided of it.
type Accepted struct {
	Event      busbar.Event
	Deliveries []busbar.Delivery
	// Claimed deliveries belong to the process that accepts the event.
	Claimed map[busbar.DeliveryID]Claim
}

type eventStartRow struct {
	Environment string `gorm:"column:environment;primaryKey"`
	EventID     string `gorm:"column:event_id;primaryKey"`
	CreatedAt   int64  `gorm:"column:created_at"`
	ClaimUntil  int64  `gorm:"column:claim_until"`
}

// TableName names the table for gorm.
func (eventStartRow) TableName() string { return "event_starts" }

// Insert stores accepted events, their deliveries, and that their workflows have yet to start.
func (t *DecisionTx) Insert(accepted []Accepted) error {
	if len(accepted) == 0 {
		return nil
	}
	now := t.store.now()
	events := make([]eventRow, 0, len(accepted))
	starts := make([]eventStartRow, 0, len(accepted))
	deliveries := make([]deliveryRow, 0, len(accepted))
	for i := range accepted {
		a := &accepted[i]
		row, err := newEventRow(&a.Event)
		if err != nil {
			return err
		}
		events = append(events, row)
		for j := range a.Deliveries {
			d := newDeliveryRow(&a.Deliveries[j])
			d.EventAt = row.Timestamp
			if c, ok := a.Claimed[a.Deliveries[j].ID]; ok {
				d.ClaimOwner, d.ClaimUntil, d.ClaimAttempt = c.Owner, micros(c.Until), c.Attempt
			}
			deliveries = append(deliveries, d)
		}
		if needsStart(a.Deliveries) {
			starts = append(starts, eventStartRow{row.Environment, row.ID, micros(now), micros(now.Add(StartClaim))})
		}
	}
	if err := t.store.needDays(t.db, eventDays(events)...); err != nil {
		return err
	}
	for _, rows := range []any{&events, &deliveries, &starts} {
		if err := t.db.CreateInBatches(rows, insertBatch).Error; err != nil {
			return fmt.Errorf("insert accepted events: %w", err)
		}
	}
	return nil
}

// needsStart reports whether the event's workflow has something to do that is not parked. An event that nobody wants
// starts a workflow all the same, so that it can be seen there.
func needsStart(deliveries []busbar.Delivery) bool {
	return len(deliveries) == 0 || slices.ContainsFunc(deliveries, func(d busbar.Delivery) bool {
		return d.Status == busbar.DeliveryPending
	})
}
