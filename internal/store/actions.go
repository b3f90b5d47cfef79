package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"busbar"
)

// ActionFilter narrows a list of actions; what is empty does not.
type ActionFilter struct {
	DeviceID busbar.DeviceID
	SiteID   busbar.SiteID
	State    busbar.ActionState
	RuleID   string
}

// Actions gives actions, newest first.
func (s *Store) Actions(ctx context.Context, env busbar.Environment, f ActionFilter, req busbar.PageRequest) (busbar.Page[busbar.Action], error) {
	// actions_by_device, actions_by_rule, actions_by_state for the open ones, or actions_list
	q := s.read.WithContext(ctx).Where("environment = ?", string(env))
	q = equal(q, "device_id", string(f.DeviceID))
	q = equal(q, "site_id", string(f.SiteID))
	q = equal(q, "rule_id", f.RuleID)
	q = equal(q, "state", string(f.State))
	if f.State != "" && !f.State.Terminal() {
		q = q.Where("slot <> ''")
	}
	return page(q, req, "created_at", (*actionRow).position, (*actionRow).action)
}

// Action gives one action, or NOT_FOUND.
func (s *Store) Action(ctx context.Context, env busbar.Environment, id busbar.ActionID) (busbar.Action, error) {
	return takeAction(s.read.WithContext(ctx), env, id)
}

func takeAction(db *gorm.DB, env busbar.Environment, id busbar.ActionID) (busbar.Action, error) {
	var row actionRow
	if err := db.Where("id = ? AND environment = ?", string(id), string(env)).Take(&row).Error; err != nil {
		return busbar.Action{}, notFound(err, "action", string(id))
	}
	return row.action()
}

// LastActions gives the newest action of each device that has one.
func (s *Store) LastActions(ctx context.Context, env busbar.Environment, ids []busbar.DeviceID) (map[busbar.DeviceID]busbar.Action, error) {
	last := make(map[busbar.DeviceID]busbar.Action, len(ids))
	for _, id := range ids {
		var rows []actionRow
		// actions_by_device; a step into an index for each device of a page.
		err := s.read.WithContext(ctx).Where("environment = ? AND device_id = ?", string(env), string(id)).
			Order("created_at DESC, id DESC").Limit(1).Find(&rows).Error
		if err != nil {
			return nil, fmt.Errorf("read last action of %s: %w", id, translate(err))
		}
		if len(rows) == 0 {
			continue
		}
		if last[id], err = rows[0].action(); err != nil {
			return nil, err
		}
	}
	return last, nil
}

// Tries gives the tries of an action in the order in which they were made.
func (s *Store) Tries(ctx context.Context, id busbar.ActionID) ([]busbar.Try, error) {
	var rows []tryRow
	// The primary key of action_tries.
	if err := s.read.WithContext(ctx).Where("action_id = ?", string(id)).Order("number").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read tries: %w", translate(err))
	}
	tries := make([]busbar.Try, len(rows))
	for i := range rows {
		tries[i] = rows[i].try()
	}
	return tries, nil
}

// Action reads an action within a decision, or gives NOT_FOUND. It is locked only once its device's site is: see Homes.
func (t *DecisionTx) Action(env busbar.Environment, id busbar.ActionID) (busbar.Action, error) {
	return takeAction(t.db, env, id)
}

// OpenActions gives the current and the queued action of a device, as far as there are any.
func (t *DecisionTx) OpenActions(ref DeviceRef) (map[busbar.Slot]*busbar.Action, error) {
	var rows []actionRow
	// actions_slot
	err := t.db.Where("environment = ? AND device_id = ? AND slot <> ''", string(ref.Environment), string(ref.ID)).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read open actions: %w", err)
	}
	open := make(map[busbar.Slot]*busbar.Action, len(rows))
	for i := range rows {
		a, err := rows[i].action()
		if err != nil {
			return nil, err
		}
		open[a.Slot] = &a
	}
	return open, nil
}

// OpenActionsOf gives the open actions of devices.
func (t *DecisionTx) OpenActionsOf(env busbar.Environment, ids []busbar.DeviceID) ([]busbar.Action, error) {
	var list []busbar.Action
	for part := range slices.Chunk(ids, insertBatch) {
		var rows []actionRow
		// actions_slot
		if err := t.db.Where("environment = ? AND device_id IN ? AND slot <> ''", string(env), part).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("read open actions: %w", err)
		}
		for i := range rows {
			a, err := rows[i].action()
			if err != nil {
				return nil, err
			}
			list = append(list, a)
		}
	}
	return list, nil
}

// InsertAction stores a new action, and that its workflow has yet to start.
func (t *DecisionTx) InsertAction(a *busbar.Action) error {
	row, err := newActionRow(a)
	if err != nil {
		return err
	}
	if err := t.db.Create(&row).Error; err != nil {
		return fmt.Errorf("insert action: %w", err)
	}
	return t.WakeAction(a)
}

// SaveAction writes an action that has moved on.
func (t *DecisionTx) SaveAction(a *busbar.Action) error {
	row, err := newActionRow(a)
	if err != nil {
		return err
	}
	if err := t.db.Save(&row).Error; err != nil {
		return fmt.Errorf("save action: %w", err)
	}
	return nil
}

// SaveTry writes a try: once when it begins, once when it has ended.
func (t *DecisionTx) SaveTry(try *busbar.Try) error {
	row := newTryRow(try)
	err := t.db.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "action_id"}, {Name: "number"}}, UpdateAll: true,
	}).Create(&row).Error
	if err != nil {
		return fmt.Errorf("save try: %w", err)
	}
	return nil
}

// Try reads a try, or gives NOT_FOUND.
func (t *DecisionTx) Try(id busbar.ActionID, number int) (busbar.Try, error) {
	var row tryRow
	// The primary key of action_tries.
	if err := t.db.Where("action_id = ? AND number = ?", string(id), number).Take(&row).Error; err != nil {
		return busbar.Try{}, notFound(err, "try", fmt.Sprintf("%s/%d", id, number))
	}
	return row.try(), nil
}

// LastTry reads the newest try, false when there is none.
func (t *DecisionTx) LastTry(id busbar.ActionID) (busbar.Try, bool, error) {
	var rows []tryRow
	// The primary key of action_tries, backwards.
	err := t.db.Where("action_id = ?", string(id)).Order("number DESC").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return busbar.Try{}, false, wrap(err, "read last try")
	}
	return rows[0].try(), true, nil
}

// TriesOf counts the tries of a phase, and says when the first of them began.
func (t *DecisionTx) TriesOf(id busbar.ActionID, phase busbar.Phase) (count int, first time.Time, err error) {
	var row struct {
		Count int
		First int64
	}
	// The primary key of action_tries: an action has few.
	err = t.db.Raw("SELECT COUNT(*) AS count, COALESCE(MIN(at), 0) AS first FROM action_tries WHERE action_id = ? AND phase = ?",
		string(id), string(phase)).Scan(&row).Error
	return row.Count, fromMicros(row.First), wrap(err, "count tries")
}

// InterruptTries puts on record that the open tries of an action were cut off.
func (t *DecisionTx) InterruptTries(id busbar.ActionID) error {
	err := t.db.Exec("UPDATE action_tries SET outcome = ? WHERE action_id = ? AND outcome = ?",
		string(busbar.TryInterrupted), string(id), string(busbar.TryOpen)).Error
	return wrap(err, "note interrupted tries")
}

// wrap says what was being done when an error occurred, if one did.
func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
