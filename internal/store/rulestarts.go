package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"busbar"
	"busbar/migrations"
)

// WakeRun notes that the workflow of a run has to look at it again. For StartClaim that is left to the process that commits
// this.
func (t *DecisionTx) WakeRun(r RuleStart) error {
	row := ruleStartRow{
		Environment: string(r.Environment), Kind: string(r.Kind), ID: r.ID, RuleID: string(r.RuleID), Key: r.Key, Shadow: r.Shadow,
		Due: micros(r.Due), CreatedAt: micros(r.Noted), ClaimUntil: micros(t.store.now().Add(StartClaim)),
	}
	err := t.db.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "environment"}, {Name: "kind"}, {Name: "id"}}, UpdateAll: true,
	}).Create(&row).Error
	return wrap(err, "note that a run has moved on")
}

func (r *ruleStartRow) start() RuleStart {
	return RuleStart{
		Environment: busbar.Environment(r.Environment), Kind: RuleStartKind(r.Kind), ID: r.ID, RuleID: busbar.RuleID(r.RuleID), Key: r.Key,
		Shadow: r.Shadow, Due: fromMicros(r.Due), Noted: fromMicros(r.CreatedAt),
	}
}

// ClaimRuleStarts gives up to limit workflows of rules that have not been seen to start, or to have been told, oldest first,
// and keeps other processes off them for StartClaim.
func (s *Store) ClaimRuleStarts(ctx context.Context, limit int) ([]RuleStart, error) {
	now := s.now()
	var due bool
	// rule_starts_due; a sweep that finds nothing does not wait for the writer.
	err := s.read.WithContext(ctx).Raw("SELECT EXISTS (SELECT 1 FROM rule_starts WHERE claim_until <= ?)", micros(now)).Scan(&due).Error
	if err != nil {
		return nil, fmt.Errorf("look for unstarted workflows of rules: %w", translate(err))
	}
	if !due {
		return nil, nil
	}
	lock := ""
	if s.dialect == migrations.Postgres {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	var rows []ruleStartRow
	err = s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		// rule_starts_due
		return tx.Raw(`UPDATE rule_starts SET claim_until = ? WHERE (environment, kind, id) IN (
				SELECT environment, kind, id FROM rule_starts WHERE claim_until <= ? ORDER BY claim_until, created_at LIMIT ?`+lock+`)
			RETURNING *`, micros(now.Add(StartClaim)), micros(now), limit).Scan(&rows).Error
	})
	if err != nil {
		return nil, fmt.Errorf("claim starts of rules: %w", err)
	}
	slices.SortFunc(rows, func(a, b ruleStartRow) int {
		return cmp.Or(cmp.Compare(a.CreatedAt, b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	starts := make([]RuleStart, len(rows))
	for i := range rows {
		starts[i] = rows[i].start()
	}
	return starts, nil
}

// RuleStarted forgets that a workflow had to be started or told, unless that was noted again since.
func (s *Store) RuleStarted(ctx context.Context, r RuleStart) error {
	return s.write(ctx, s.relaxed, func(tx *gorm.DB) error {
		err := tx.Exec("DELETE FROM rule_starts WHERE environment = ? AND kind = ? AND id = ? AND created_at <= ?",
			string(r.Environment), string(r.Kind), r.ID, micros(r.Noted)).Error
		return wrap(err, "forget start of a rule")
	})
}

// RunPosition is where a walk over open runs has come to.
type RunPosition struct {
	decidedAt int64
	id        string
}

// OpenRuns gives a page of the runs that were decided before a time and whose steps have not ended, after a position, and the
// position of its end.
func (s *Store) OpenRuns(ctx context.Context, before time.Time, after RunPosition, limit int) ([]busbar.Run, RunPosition, error) {
	var rows []runRow
	// runs_open
	err := s.read.WithContext(ctx).
		Where("status = 'open' AND decided_at < ? AND (decided_at, id) > (?, ?)", micros(before), after.decidedAt, after.id).
		Order("decided_at, id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, after, fmt.Errorf("read open runs: %w", translate(err))
	}
	list := make([]busbar.Run, len(rows))
	for i := range rows {
		if list[i], err = rows[i].run(); err != nil {
			return nil, after, err
		}
		after = RunPosition{rows[i].DecidedAt, rows[i].ID}
	}
	return list, after, nil
}

// HoldPosition is where a walk over holds has come to.
type HoldPosition struct {
	due int64
	id  string
}

// DueHolds gives a page of the holds that were due before a time, after a position, and the position of its end.
func (s *Store) DueHolds(ctx context.Context, before time.Time, after HoldPosition, limit int) ([]RuleStart, HoldPosition, error) {
	var rows []ruleKeyRow
	// rule_keys_due
	err := s.read.WithContext(ctx).
		Where("hold_due > 0 AND hold_due < ? AND (hold_due, hold_id) > (?, ?)", micros(before), after.due, after.id).
		Order("hold_due, hold_id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, after, fmt.Errorf("read holds that are due: %w", translate(err))
	}
	list := make([]RuleStart, len(rows))
	for i := range rows {
		r := &rows[i]
		list[i] = RuleStart{
			Environment: busbar.Environment(r.Environment), Kind: StartHold, ID: r.HoldID, RuleID: busbar.RuleID(r.RuleID), Key: r.Key,
			Shadow: r.Shadow, Due: fromMicros(r.HoldDue),
		}
		after = HoldPosition{r.HoldDue, r.HoldID}
	}
	return list, after, nil
}

// WindowedRules gives the rules of all environments that have a window and are not disabled, without their text. There are at
// most MaxActiveRules in each.
func (s *Store) WindowedRules(ctx context.Context) ([]busbar.Rule, error) {
	var rows []ruleRow
	// rules_windowed
	err := s.read.WithContext(ctx).Where("windowed AND mode <> 'disabled'").Order("environment, id").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read rules with a window: %w", translate(err))
	}
	list := make([]busbar.Rule, len(rows))
	for i := range rows {
		list[i] = rows[i].rule()
	}
	return list, nil
}
