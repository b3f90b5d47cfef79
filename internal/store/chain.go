package store

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"busbar"
)

// Chain is what belongs to one first event: what followed from it, and from that.
type Chain struct {
	Events     []busbar.Event
	Runs       []busbar.Run
	Actions    []busbar.Action
	Deliveries []busbar.Delivery
	// Truncated: there is more of one of them than was asked for.
	Truncated bool
}

// Chain gives the chain that an event is part of, each kind oldest first, and at most so many of each. Runs that were idle led to
// nothing and are left out. What is older than what is kept is missing.
func (s *Store) Chain(ctx context.Context, e *busbar.Event, most int) (Chain, error) {
	b := chainBuilder{db: s.read.WithContext(ctx), env: e.Environment, most: most}
	err := b.build(e)
	return b.Chain, wrap(translate(err), "read the chain of an event")
}

type chainBuilder struct {
	Chain
	db   *gorm.DB
	env  busbar.Environment
	most int
}

func (b *chainBuilder) build(e *busbar.Event) error {
	root := string(e.Causation.RootEventID)
	ends := []EventRef{{b.env, e.ID}}
	if root != "" && root != string(e.ID) {
		ends = append(ends, EventRef{b.env, e.Causation.RootEventID})
	}
	q, err := whereEvents(b.db, ends)
	if err != nil {
		return err
	}
	var rows []eventRow
	if err := q.Order("received_at, id").Find(&rows).Error; err != nil {
		return fmt.Errorf("read the ends of a chain: %w", err)
	}
	for i := range rows {
		end, err := rows[i].event()
		if err != nil {
			return err
		}
		b.Events = append(b.Events, end)
	}
	// events_by_root
	more, err := chainRows(b, "received_at, id", (*eventRow).event, "root_id = ? AND root_id <> '' AND id <> ?", root, string(e.ID))
	if err != nil {
		return err
	}
	b.Events = append(b.Events, more...)
	// runs_by_root
	b.Runs, err = chainRows(b, "decided_at, id", (*runRow).run, "root_id = ? AND root_id <> '' AND decision NOT IN ('false', 'already_true')", root)
	if err != nil {
		return err
	}
	if err := b.addActions(); err != nil {
		return err
	}
	ids := make([]string, len(b.Events))
	for i := range b.Events {
		ids[i] = string(b.Events[i].ID)
	}
	// deliveries_by_event
	b.Deliveries, err = chainRows(b, "created_at, id", (*deliveryRow).delivery, "event_id IN ?", ids)
	return err
}

// addActions adds the actions of the runs, and what else events name as their cause: the opening of a window belongs to no
// event, and so its run is found from its effects only.
func (b *chainBuilder) addActions() error {
	have := make(map[string]bool)
	runs := make([]string, len(b.Runs))
	for i := range b.Runs {
		runs[i] = string(b.Runs[i].ID)
		have[runs[i]] = true
	}
	var err error
	// actions_by_run
	if b.Actions, err = chainRows(b, "created_at, id", (*actionRow).action, "run_id IN ? AND run_id <> ''", runs); err != nil {
		return err
	}
	for i := range b.Actions {
		have[string(b.Actions[i].ID)] = true
	}
	// want gives a cause that is not there yet, once.
	want := func(list []string, id string) []string {
		if id == "" || have[id] {
			return list
		}
		have[id] = true
		return append(list, id)
	}
	var actions []string
	runs = nil
	for i := range b.Events {
		c := &b.Events[i].Causation
		actions = want(actions, c.ActionID)
		if strings.HasPrefix(c.ParentID, "run_") {
			runs = want(runs, c.ParentID)
		}
	}
	// The primary key of actions.
	more, err := chainRows(b, "created_at, id", (*actionRow).action, "id IN ?", actions)
	if err != nil {
		return err
	}
	b.Actions = append(b.Actions, more...)
	for i := range more {
		runs = want(runs, more[i].RunID)
	}
	// The primary key of runs.
	causes, err := chainRows(b, "decided_at, id", (*runRow).run, "id IN ?", runs)
	b.Runs = append(b.Runs, causes...)
	return err
}

// chainRows reads rows of one kind, in an order, as many as may be. The plus keeps the planner from reading everything in that
// order, until it has found so many, where there is an index that finds the few there are.
func chainRows[R, T any](b *chainBuilder, order string, toDomain func(*R) (T, error), where string, args ...any) ([]T, error) {
	var rows []R
	err := b.db.Where("environment = ?", string(b.env)).Where("("+where+")", args...).Order("+" + order).Limit(b.most + 1).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read %T: %w", rows, err)
	}
	if len(rows) > b.most {
		b.Truncated, rows = true, rows[:b.most]
	}
	list := make([]T, len(rows))
	for i := range rows {
		if list[i], err = toDomain(&rows[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}
