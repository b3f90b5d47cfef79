package store

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"busbar"
	"busbar/rules"
)

// RuleKey is where a rule stands with a scope key.
type RuleKey struct {
	RuleKeyRef
	Edge rules.EdgeState
}

// RuleKeyRef names it.
type RuleKeyRef struct {
	Environment busbar.Environment
	Key         string
	RuleID      busbar.RuleID
	// Shadow: rules in shadow keep edges of their own.
	Shadow bool
}

// SiteDevices gives the devices of a site by id, with all that rules can read of them. The site is locked already: see Homes.
func (t *DecisionTx) SiteDevices(ref SiteRef) ([]*busbar.Device, error) {
	return siteDevices(t.store, t.db, ref)
}

func siteDevices(s *Store, db *gorm.DB, ref SiteRef) ([]*busbar.Device, error) {
	var rows []deviceRow
	// devices_by_site
	err := db.Where("environment = ? AND site_id = ?", string(ref.Environment), string(ref.ID)).Order("id").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read devices of %s: %w", ref.ID, err)
	}
	devices := make([]busbar.Device, len(rows))
	for i := range rows {
		if devices[i], err = rows[i].device(); err != nil {
			return nil, err
		}
	}
	if err := s.addStates(db, ref.Environment, devices); err != nil {
		return nil, err
	}
	list := make([]*busbar.Device, len(devices))
	for i := range devices {
		list[i] = &devices[i]
	}
	return list, nil
}

// LockRules keeps other decisions about rules of scope `rule`, whose edge all sites share, waiting until this one has ended.
// It is called once the sites are locked.
func (t *DecisionTx) LockRules(env busbar.Environment, ids []busbar.RuleID) error {
	if len(ids) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(ids))
	for part := range slices.Chunk(sorted, insertBatch) {
		var locked []string
		// The primary key of rules, in its order.
		err := t.store.forUpdate(t.db).Model(&ruleRow{}).Where("environment = ? AND id IN ?", string(env), part).Order("id").Pluck("id", &locked).Error
		if err != nil {
			return fmt.Errorf("lock rules: %w", err)
		}
	}
	return nil
}

// RuleKeys adds where rules stand with these keys. A rule that was never asked about one is left out.
func (t *DecisionTx) RuleKeys(env busbar.Environment, keys []string, into map[RuleKeyRef]rules.EdgeState) error {
	for part := range slices.Chunk(keys, insertBatch) {
		if err := t.ruleKeys(env, part, into); err != nil {
			return fmt.Errorf("read edges of rules: %w", err)
		}
	}
	return nil
}

// ruleKeys reads a thousand rows in a fifth of the time that it takes to have them mapped, because it reads the columns of holds
// only where there is one.
func (t *DecisionTx) ruleKeys(env busbar.Environment, keys []string, into map[RuleKeyRef]rules.EdgeState) (err error) {
	// The primary key of rule_keys.
	rows, err := t.db.Raw(`SELECT key, rule_id, shadow, version, spent, number, fired_at, hold_id <> '' FROM rule_keys
		WHERE environment = ? AND key IN ?`, string(env), keys).Rows()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	r := ruleKeyRow{Environment: string(env)}
	var holds, held bool
	columns := []any{&r.Key, &r.RuleID, &r.Shadow, &r.Version, &r.Spent, &r.Number, &r.FiredAt, &holds}
	for rows.Next() {
		if err := rows.Scan(columns...); err != nil {
			return err
		}
		held = held || holds
		into[r.ref()] = r.edge()
	}
	if err := rows.Err(); err != nil || !held {
		return err
	}
	var holding []ruleKeyRow
	// The primary key of rule_keys.
	err = t.db.Where("environment = ? AND key IN ? AND hold_id <> ''", string(env), keys).Find(&holding).Error
	for i := range holding {
		into[holding[i].ref()] = holding[i].edge()
	}
	return err
}

// RuleKeyOf gives where one rule stands with one key.
func (t *DecisionTx) RuleKeyOf(ref RuleKeyRef) (rules.EdgeState, error) {
	var rows []ruleKeyRow
	// The primary key of rule_keys.
	err := t.db.Where("environment = ? AND key = ? AND rule_id = ? AND shadow = ?", string(ref.Environment), ref.Key, string(ref.RuleID), ref.Shadow).
		Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return rules.EdgeState{}, wrap(err, "read edge of rule")
	}
	return rows[0].edge(), nil
}

// SaveRuleKeys writes where rules stand.
func (t *DecisionTx) SaveRuleKeys(keys []RuleKey) error {
	if len(keys) == 0 {
		return nil
	}
	rows := make([]ruleKeyRow, len(keys))
	for i := range keys {
		rows[i] = newRuleKeyRow(&keys[i])
	}
	slices.SortFunc(rows, func(a, b ruleKeyRow) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Key, b.Key), cmp.Compare(a.RuleID, b.RuleID))
	})
	err := t.db.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "environment"}, {Name: "key"}, {Name: "rule_id"}, {Name: "shadow"}},
		UpdateAll: true,
	}).CreateInBatches(&rows, stateBatch).Error
	return wrap(err, "save edges of rules")
}

// InsertRuns stores what rules decided. One that is there already is left as it is, unless it holds: it becomes what is given now.
func (t *DecisionTx) InsertRuns(runs []busbar.Run) error {
	if len(runs) == 0 {
		return nil
	}
	rows := make([]runRow, len(runs))
	for i := range runs {
		var err error
		if rows[i], err = newRunRow(&runs[i]); err != nil {
			return err
		}
	}
	err := t.db.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "environment"}, {Name: "id"}},
		Where:     clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "runs.decision = 'holding' AND excluded.decision <> 'holding'"}}},
		UpdateAll: true,
	}).CreateInBatches(&rows, stateBatch).Error
	return wrap(err, "insert runs")
}

// Run reads a run within a decision, or gives NOT_FOUND.
func (t *DecisionTx) Run(env busbar.Environment, id busbar.RunID) (busbar.Run, error) {
	return takeRun(t.db, env, id)
}

func takeRun(db *gorm.DB, env busbar.Environment, id busbar.RunID) (busbar.Run, error) {
	var row runRow
	if err := db.Where("environment = ? AND id = ?", string(env), string(id)).Take(&row).Error; err != nil {
		return busbar.Run{}, notFound(err, "run", string(id))
	}
	return row.run()
}

// SaveRun writes a run whose steps have gone on.
func (t *DecisionTx) SaveRun(r *busbar.Run) error {
	row, err := newRunRow(r)
	if err != nil {
		return err
	}
	return wrap(t.db.Save(&row).Error, "save run")
}

// EndHoldRuns gives the runs that hold for a hold which has ended the decision that became of them.
func (t *DecisionTx) EndHoldRuns(env busbar.Environment, holdID string, decision rules.Decision, at time.Time) error {
	return endHoldRuns(t.db, env, holdID, decision, at)
}

func endHoldRuns(db *gorm.DB, env busbar.Environment, holdID string, decision rules.Decision, at time.Time) error {
	// runs_by_hold, whose condition a bound value would hide from the planner.
	err := db.Exec("UPDATE runs SET decision = ?, ended_at = ? WHERE environment = ? AND hold_id = ? AND hold_id <> '' AND decision = 'holding'",
		string(decision), micros(at), string(env), holdID).Error
	return wrap(err, "end runs of a hold")
}

// NoteFiring puts on record when a rule fired last.
func (t *DecisionTx) NoteFiring(env busbar.Environment, id busbar.RuleID, at time.Time) error {
	err := t.db.Exec("UPDATE rules SET fired_at = ? WHERE environment = ? AND id = ? AND fired_at < ?", micros(at), string(env), string(id), micros(at)).Error
	return wrap(err, "note firing")
}

// RuleStart is a workflow of a rule that has yet to be started.
type RuleStart struct {
	Environment busbar.Environment
	// Kind is run or hold, ID that of the run or the hold.
	Kind   RuleStartKind
	ID     string
	RuleID busbar.RuleID
	Key    string
	Shadow bool
	// Due is when a hold is due; zero for a run.
	Due time.Time
	// Noted is when that was noted: what is noted later has to be done again.
	Noted time.Time
}

// RuleStartKind says which workflow is to be started.
type RuleStartKind string

// The kinds.
const (
	StartRun  RuleStartKind = "run"
	StartHold RuleStartKind = "hold"
)

// ruleStartRow is a row of rule_starts.
type ruleStartRow struct {
	Environment string `gorm:"column:environment;primaryKey"`
	Kind        string `gorm:"column:kind;primaryKey"`
	ID          string `gorm:"column:id;primaryKey"`
	RuleID      string `gorm:"column:rule_id"`
	Key         string `gorm:"column:key"`
	Shadow      bool   `gorm:"column:shadow"`
	Due         int64  `gorm:"column:due"`
	CreatedAt   int64  `gorm:"column:created_at;autoCreateTime:false"`
	ClaimUntil  int64  `gorm:"column:claim_until"`
}

// TableName names the table for gorm.
func (ruleStartRow) TableName() string { return "rule_starts" }

// InsertRuleStarts notes that workflows of rules have yet to be started. For StartClaim that is left to the process that
// commits this.
func (t *DecisionTx) InsertRuleStarts(starts []RuleStart) error {
	if len(starts) == 0 {
		return nil
	}
	now := t.store.now()
	rows := make([]ruleStartRow, len(starts))
	for i := range starts {
		s := &starts[i]
		rows[i] = ruleStartRow{
			string(s.Environment), string(s.Kind), s.ID, string(s.RuleID), s.Key, s.Shadow, micros(s.Due), micros(s.Noted), micros(now.Add(StartClaim)),
		}
	}
	err := t.db.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(&rows, insertBatch).Error
	return wrap(err, "note starts of rules")
}

// StrikeKind is what a rule may be paused for.
type StrikeKind string

// The kinds.
const (
	// StrikeCut: a firing of it was cut, because it followed from too many others.
	StrikeCut StrikeKind = "cut"
	// StrikeLimit: it ran into a limit of evaluation.
	StrikeLimit StrikeKind = "limit"
)

// Strike notes that a rule gave cause to be paused, and counts how often it did within a time.
func (t *DecisionTx) Strike(env busbar.Environment, id busbar.RuleID, kind StrikeKind, at time.Time, within time.Duration) (int, error) {
	var row ruleRow
	err := t.store.forUpdate(t.db).Where("environment = ? AND id = ?", string(env), string(id)).Take(&row).Error
	if err != nil {
		return 0, notFound(err, "rule", string(id))
	}
	strikes := make(map[StrikeKind][]int64)
	if row.Strikes != "" {
		if err := json.Unmarshal([]byte(row.Strikes), &strikes); err != nil {
			return 0, fmt.Errorf("read strikes of rule %s: %w", id, err)
		}
	}
	after := micros(at.Add(-within))
	recent := slices.DeleteFunc(strikes[kind], func(us int64) bool { return us < after })
	strikes[kind] = append(recent, micros(at))
	text, err := marshalText(strikes)
	if err != nil {
		return 0, err
	}
	err = t.db.Exec("UPDATE rules SET strikes = ? WHERE environment = ? AND id = ?", text, string(env), string(id)).Error
	return len(strikes[kind]), wrap(err, "note strike of rule")
}

// PauseRule has a rule decide nothing until somebody sets its mode. Decisions that are under way elsewhere may still let it fire.
func (t *DecisionTx) PauseRule(env busbar.Environment, id busbar.RuleID, reason string, at time.Time) error {
	for _, q := range []struct {
		statement string
		args      []any
	}{
		{"UPDATE rules SET paused_at = ?, pause_reason = ?, strikes = '' WHERE environment = ? AND id = ?", []any{micros(at), reason, string(env), string(id)}},
		// Without keeping decisions out, as saves do: two that pause would wait for each other.
		{"UPDATE environments SET generation = generation + 1 WHERE environment = ?", []any{string(env)}},
	} {
		if err := t.db.Exec(q.statement, q.args...).Error; err != nil {
			return fmt.Errorf("pause rule %s: %w", id, err)
		}
	}
	return nil
}
