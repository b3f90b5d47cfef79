package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"

	"busbar"
	"busbar/rules"
)

// ruleTextRow is a rule with what its newest version says.
type ruleTextRow struct {
	// Row has a name: gorm passes over an embedded type that is not exported.
	Row    ruleRow `gorm:"embedded"`
	Text   string  `gorm:"column:text"`
	Source string  `gorm:"column:source"`
}

func (r *ruleTextRow) position() position { return r.Row.position() }

func (r *ruleTextRow) full() (busbar.Rule, error) {
	rule := r.Row.rule()
	rule.Text, rule.Source = json.RawMessage(r.Text), r.Source
	return rule, nil
}

// rulesWithText reads rules with their newest version.
const rulesWithText = `(SELECT r.*, v.text, v.source FROM rules r JOIN rule_versions v
	ON v.environment = r.environment AND v.rule_id = r.id AND v.number = r.version) AS rules`

// Rules gives the rules of an environment with their texts, newest first; a mode narrows the list unless it is empty.
func (s *Store) Rules(ctx context.Context, env busbar.Environment, mode rules.Mode, req busbar.PageRequest) (busbar.Page[busbar.Rule], error) {
	// rules_list, and the primary key of rule_versions for each.
	q := s.read.WithContext(ctx).Table(rulesWithText).Where("environment = ?", string(env))
	return page(equal(q, "mode", string(mode)), req, "created_at", (*ruleTextRow).position, (*ruleTextRow).full)
}

// Rule gives one rule with its text, or NOT_FOUND.
func (s *Store) Rule(ctx context.Context, env busbar.Environment, id busbar.RuleID) (busbar.Rule, error) {
	return takeRule(s.read.WithContext(ctx), env, id)
}

func takeRule(db *gorm.DB, env busbar.Environment, id busbar.RuleID) (busbar.Rule, error) {
	var row ruleTextRow
	// The primary keys of rules and rule_versions.
	err := db.Table(rulesWithText).Where("environment = ? AND id = ?", string(env), string(id)).Take(&row).Error
	if err != nil {
		return busbar.Rule{}, notFound(err, "rule", string(id))
	}
	return row.full()
}

func newRuleRow(r *busbar.Rule) ruleRow {
	return ruleRow{
		Environment: string(r.Environment), ID: string(r.ID), Name: r.Name, Mode: r.Mode, Version: r.Version, Windowed: r.Windowed,
		PausedAt: micros(r.PausedAt), PauseReason: r.PauseReason, FiredAt: micros(r.FiredAt),
		CreatedAt: micros(r.CreatedAt), UpdatedAt: micros(r.UpdatedAt),
	}
}

// CreateRule adds a rule with its first version. An id that is taken is a CONFLICT, and so is one more rule that is not disabled
// than busbar.MaxActiveRules.
func (tx *Tx) CreateRule(r *busbar.Rule) error {
	if err := tx.store.raiseGeneration(tx.db, r.Environment); err != nil {
		return err
	}
	if rules.Mode(r.Mode) != rules.ModeDisabled {
		if err := roomForRule(tx.db, r.Environment); err != nil {
			return err
		}
	}
	r.Version = 1
	row := newRuleRow(r)
	if err := created(tx.db.Create(&row).Error, "rule", row.ID); err != nil {
		return err
	}
	return insertVersion(tx.db, r, 0)
}

// insertVersion keeps what a rule now says as its newest version.
func insertVersion(db *gorm.DB, r *busbar.Rule, restored int) error {
	row := ruleVersionRow{string(r.Environment), string(r.ID), r.Version, string(r.Text), r.Source, restored, micros(r.UpdatedAt)}
	return wrap(db.Create(&row).Error, "insert version of rule")
}

// roomForRule refuses one more rule that is not disabled when there are as many as may be.
func roomForRule(db *gorm.DB, env busbar.Environment) error {
	var have int64
	// The primary key of rules; there are not many more than may be on.
	err := db.Model(&ruleRow{}).Where("environment = ? AND mode <> 'disabled'", string(env)).Count(&have).Error
	if err != nil {
		return fmt.Errorf("count rules: %w", err)
	}
	if have >= busbar.MaxActiveRules {
		return busbar.Errorf(busbar.CodeConflict, "at most %d rules of an environment may be active or in shadow; disable or delete one first", busbar.MaxActiveRules)
	}
	return nil
}

// SaveRule gives a rule a new version and returns it as it then is. What change says of name, text, source, mode and window is
// kept; restored is the version that is restored, zero when none. The edges of the rule stay as they are: the next decision
// about each of them sees that they are of an older version. An error of change leaves everything as it was.
func (tx *Tx) SaveRule(env busbar.Environment, id busbar.RuleID, restored int, change func(*busbar.Rule) error) (busbar.Rule, error) {
	if err := tx.store.raiseGeneration(tx.db, env); err != nil {
		return busbar.Rule{}, err
	}
	was, err := takeRule(tx.db, env, id)
	if err != nil {
		return was, err
	}
	r := was
	if err := change(&r); err != nil {
		return was, err
	}
	r.ID, r.Environment, r.CreatedAt, r.FiredAt = was.ID, was.Environment, was.CreatedAt, was.FiredAt
	r.PausedAt, r.PauseReason = was.PausedAt, was.PauseReason
	r.UpdatedAt, r.Version = tx.store.now(), was.Version+1
	if r.Mode != was.Mode {
		if err := tx.store.changeMode(tx.db, &was, &r); err != nil {
			return was, err
		}
	}
	err = tx.db.Model(&ruleRow{}).Where("environment = ? AND id = ?", string(env), string(id)).Updates(map[string]any{
		"name": r.Name, "version": r.Version, "windowed": r.Windowed, "updated_at": micros(r.UpdatedAt),
	}).Error
	if err != nil {
		return was, fmt.Errorf("save rule: %w", err)
	}
	err = insertVersion(tx.db, &r, restored)
	return r, err
}

// SetRuleMode changes what a rule may do, ends its pause and forgets what led there. allow may refuse it, and sees the rule as it
// was. When the rule leaves a mode, what it was holding there comes to nothing, and each edge is set afresh when it is next asked.
func (s *Store) SetRuleMode(
	ctx context.Context, env busbar.Environment, id busbar.RuleID, mode rules.Mode, allow func(*busbar.Rule) error,
) (busbar.Rule, error) {
	var r busbar.Rule
	err := s.saveEndpoints(ctx, env, func(db *gorm.DB) error {
		was, err := takeRule(db, env, id)
		if err != nil {
			return err
		}
		if err := allow(&was); err != nil {
			return err
		}
		r = was
		r.Mode, r.UpdatedAt = string(mode), s.now()
		return s.changeMode(db, &was, &r)
	})
	return r, err
}

// changeMode writes the mode of a rule. Its pause is over.
func (s *Store) changeMode(db *gorm.DB, was, r *busbar.Rule) error {
	if rules.Mode(was.Mode) == rules.ModeDisabled && rules.Mode(r.Mode) != rules.ModeDisabled {
		if err := roomForRule(db, r.Environment); err != nil {
			return err
		}
	}
	if r.Mode != was.Mode && rules.Mode(was.Mode) != rules.ModeDisabled {
		if err := s.leaveMode(db, was); err != nil {
			return err
		}
	}
	r.PausedAt, r.PauseReason = time.Time{}, ""
	err := db.Model(&ruleRow{}).Where("environment = ? AND id = ?", string(r.Environment), string(r.ID)).Updates(map[string]any{
		"mode": r.Mode, "paused_at": 0, "pause_reason": "", "strikes": "", "updated_at": micros(r.UpdatedAt),
	}).Error
	return wrap(err, "set mode of rule")
}

// leaveMode ends what the rule holds in its mode. Its edges there get the version 0, under which none was ever set; how often and
// when it fired stays.
func (s *Store) leaveMode(db *gorm.DB, r *busbar.Rule) error {
	shadow := rules.Mode(r.Mode) == rules.ModeShadow
	if err := s.endHolds(db, "environment = ? AND rule_id = ? AND shadow = ?", string(r.Environment), string(r.ID), shadow); err != nil {
		return err
	}
	// rule_keys_by_rule
	err := db.Model(&ruleKeyRow{}).Where("environment = ? AND rule_id = ? AND shadow = ?", string(r.Environment), string(r.ID), shadow).Updates(map[string]any{
		"version": 0, "hold_id": "", "hold_version": 0, "hold_event_id": "", "hold_since": 0, "hold_due": 0, "hold_unknown_since": 0,
	}).Error
	return wrap(err, "forget edges of rule")
}

// endHolds makes the runs superseded that hold for the keys that a condition names. The caller forgets the holds.
func (s *Store) endHolds(db *gorm.DB, where string, args ...any) error {
	var rows []ruleKeyRow
	// The keys are locked before the runs are looked for, as where runs are listed.
	err := s.forUpdate(db).Where(where, args...).Where("hold_id <> ''").Order("environment, key, rule_id").Find(&rows).Error
	if err != nil {
		return fmt.Errorf("read holds: %w", err)
	}
	for i := range rows {
		err := endHoldRuns(db, busbar.Environment(rows[i].Environment), rows[i].HoldID, rules.DecisionSuperseded, s.now())
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteRule removes a rule with its versions and edges. What it was holding comes to nothing; its runs stay.
func (s *Store) DeleteRule(ctx context.Context, env busbar.Environment, id busbar.RuleID) error {
	return s.saveEndpoints(ctx, env, func(db *gorm.DB) error {
		if _, err := takeRule(db, env, id); err != nil {
			return err
		}
		// rule_keys_by_rule
		if err := s.endHolds(db, "environment = ? AND rule_id = ?", string(env), string(id)); err != nil {
			return err
		}
		err := db.Where("environment = ? AND id = ?", string(env), string(id)).Delete(&ruleRow{}).Error
		return wrap(err, "delete rule")
	})
}

// forgetKey deletes the edges of all rules that are about a thing that is gone.
func (s *Store) forgetKey(db *gorm.DB, env busbar.Environment, key string) error {
	// The primary key of rule_keys.
	if err := s.endHolds(db, "environment = ? AND key = ?", string(env), key); err != nil {
		return err
	}
	err := db.Where("environment = ? AND key = ?", string(env), key).Delete(&ruleKeyRow{}).Error
	return wrap(err, "forget edges of rules")
}

// RuleVersions gives the versions of a rule, newest first, or NOT_FOUND.
func (s *Store) RuleVersions(
	ctx context.Context, env busbar.Environment, id busbar.RuleID, req busbar.PageRequest,
) (busbar.Page[busbar.RuleVersion], error) {
	db := s.read.WithContext(ctx)
	if _, err := takeRule(db, env, id); err != nil {
		return busbar.Page[busbar.RuleVersion]{}, err
	}
	// The primary key of rule_versions.
	q := db.Table("(SELECT v.*, rule_id AS id FROM rule_versions v) AS rule_versions").Where("environment = ? AND rule_id = ?", string(env), string(id))
	return page(q, req, "number", func(r *ruleVersionRow) position { return position{int64(r.Number), r.RuleID} }, (*ruleVersionRow).version)
}

// RuleVersion gives one version of a rule, or NOT_FOUND.
func (s *Store) RuleVersion(ctx context.Context, env busbar.Environment, id busbar.RuleID, number int) (busbar.RuleVersion, error) {
	version, err := takeVersion(s.read.WithContext(ctx), env, id, number)
	if busbar.CodeOf(err) == busbar.CodeNotFound {
		err = busbar.Errorf(busbar.CodeNotFound, "the rule %s has no version %d", id, number)
	}
	return version, err
}
