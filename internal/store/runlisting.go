package store

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"busbar"
	"busbar/migrations"
	"busbar/rules"
)

// RuleRef names a rule.
type RuleRef struct {
	Environment busbar.Environment
	ID          busbar.RuleID
}

// ListedRuns is what a step of listing has done.
type ListedRuns struct {
	// Packs is how many events it listed the runs of; zero when there is nothing to list.
	Packs int
	// Idle counts those runs of each rule that are sampled.
	Idle map[RuleRef]int
}

const (
	// packPage and listedRows bound a step, so that the writer is soon free again. The runs of one event are not divided, and
	// there may be one for each rule.
	packPage   = 64
	listedRows = 500
	// IdleRunsKept is how many runs of a rule stay in lists that were false or already true.
	IdleRunsKept = 1000
	trimPage     = 1000
)

// idle reports whether a run is one of those that are sampled.
func idle(d rules.Decision) bool { return d == rules.DecisionFalse || d == rules.DecisionAlreadyTrue }

// ListRuns lists what moved nothing among the runs of its rules, oldest first, for as many events as fit a short transaction. With
// sample it leaves out the idle ones, which the event still shows.
func (s *Store) ListRuns(ctx context.Context, sample bool) (ListedRuns, error) {
	var waiting bool
	// run_packs_unlisted; a step that finds nothing does not wait for the writer.
	err := s.read.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM run_packs WHERE unlisted)").Scan(&waiting).Error
	if err != nil || !waiting {
		return ListedRuns{}, wrap(translate(err), "look for runs to list")
	}
	var listed ListedRuns
	err = s.write(ctx, s.relaxed, func(db *gorm.DB) error {
		listed = ListedRuns{Idle: make(map[RuleRef]int)}
		packs, err := s.unlisted(db)
		if err != nil {
			return err
		}
		events, err := eventsOf(db, packs)
		if err != nil {
			return err
		}
		var runs []busbar.Run
		var done [][]any
		for i := range packs {
			if len(runs) >= listedRows {
				break
			}
			ref := EventRef{busbar.Environment(packs[i].Environment), busbar.EventID(packs[i].EventID)}
			done = append(done, ref.pair())
			e := events[ref]
			if e == nil {
				continue // It was purged in between, and takes its runs along.
			}
			if runs, err = listed.add(runs, &packs[i], e, sample); err != nil {
				return err
			}
		}
		if err := s.settleHolds(db, runs); err != nil {
			return err
		}
		listed.Packs = len(done)
		return insertListed(db, runs, done)
	})
	return listed, wrap(err, "list runs")
}

// unlisted reads packs that nobody else is listing.
func (s *Store) unlisted(db *gorm.DB) ([]runPackRow, error) {
	var packs []runPackRow
	q := db.Where("unlisted")
	if s.dialect == migrations.Postgres {
		q = q.Clauses(clause.Locking{Strength: "UPDATE", Options: "SKIP LOCKED"})
	}
	// run_packs_unlisted
	err := q.Order("decided_at").Limit(packPage).Find(&packs).Error
	return packs, err
}

func eventsOf(db *gorm.DB, packs []runPackRow) (map[EventRef]*busbar.Event, error) {
	refs := make([]EventRef, len(packs))
	for i, p := range packs {
		refs[i] = EventRef{busbar.Environment(p.Environment), busbar.EventID(p.EventID)}
	}
	events := make(map[EventRef]*busbar.Event, len(packs))
	if len(refs) == 0 {
		return events, nil
	}
	q, err := whereEvents(db, refs)
	if err != nil {
		return nil, err
	}
	var rows []eventRow
	if err := q.Select("environment, id, site_id, timestamp, received_at, root_id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read events of runs: %w", err)
	}
	for i := range rows {
		r := &rows[i]
		e := &busbar.Event{
			ID: busbar.EventID(r.ID), Environment: busbar.Environment(r.Environment), SiteID: busbar.SiteID(r.SiteID),
			Timestamp: fromMicros(r.Timestamp), ReceivedAt: fromMicros(r.ReceivedAt),
		}
		if e.Causation.RootEventID = busbar.EventID(r.RootID); r.RootID == "" {
			e.Causation.RootEventID = e.ID
		}
		events[EventRef{e.Environment, e.ID}] = e
	}
	return events, nil
}

// add takes the runs of an event that are to be listed.
func (l *ListedRuns) add(runs []busbar.Run, pack *runPackRow, e *busbar.Event, sample bool) ([]busbar.Run, error) {
	packed, err := pack.runs()
	if err != nil {
		return nil, err
	}
	for i := range packed {
		p := &packed[i]
		if idle(p.Is) {
			if sample {
				continue
			}
			l.Idle[RuleRef{e.Environment, p.RuleID}]++
		}
		runs = append(runs, p.run(e))
	}
	return runs, nil
}

// settleHolds gives runs that held what has become of them, when their hold has ended before they were listed. Where the hold
// still stands its key is locked, so that the end of it waits and finds the run.
func (s *Store) settleHolds(db *gorm.DB, runs []busbar.Run) error {
	var holding []*busbar.Run
	for i := range runs {
		if rules.Decision(runs[i].Decision) == rules.DecisionHolding {
			holding = append(holding, &runs[i])
		}
	}
	for part := range slices.Chunk(holding, insertBatch) {
		keys := make([][]any, len(part))
		for i, r := range part {
			keys[i] = []any{string(r.Environment), r.Key, string(r.RuleID), r.Shadow}
		}
		var rows []ruleKeyRow
		// The primary key of rule_keys, in the order in which decisions write them.
		err := s.forUpdate(db).Where("(environment, key, rule_id, shadow) IN ?", keys).Order("environment, key, rule_id").Find(&rows).Error
		if err != nil {
			return fmt.Errorf("read holds: %w", err)
		}
		standing := make(map[string]bool, len(rows))
		for i := range rows {
			standing[rows[i].HoldID] = true
		}
		for _, r := range part {
			if standing[r.HoldID] {
				continue
			}
			if err := s.whatBecameOf(db, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func insertListed(db *gorm.DB, runs []busbar.Run, done [][]any) error {
	rows := make([]runRow, len(runs))
	for i := range runs {
		var err error
		if rows[i], err = newRunRow(&runs[i]); err != nil {
			return err
		}
	}
	if len(rows) > 0 {
		if err := db.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(&rows, insertBatch).Error; err != nil {
			return fmt.Errorf("insert runs: %w", err)
		}
	}
	if len(done) == 0 {
		return nil
	}
	// The primary key of run_packs.
	return db.Exec("UPDATE run_packs SET unlisted = FALSE WHERE (environment, event_id) IN ?", done).Error
}

// TrimRuns deletes the idle runs of a rule but for the newest IdleRunsKept.
func (s *Store) TrimRuns(ctx context.Context, ref RuleRef) error {
	for {
		// runs_idle
		n, err := s.purgeBatch(ctx, `DELETE FROM runs WHERE environment = ? AND id IN (
			SELECT id FROM runs WHERE environment = ? AND rule_id = ? AND decision IN ('false', 'already_true')
			ORDER BY decided_at DESC LIMIT ? OFFSET ?)`, string(ref.Environment), string(ref.Environment), string(ref.ID), trimPage, IdleRunsKept)
		if err != nil || n < trimPage {
			return err
		}
	}
}
