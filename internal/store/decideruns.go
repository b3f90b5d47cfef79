package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"busbar"
	"busbar/rules"
)

// LockRun reads a run, or gives NOT_FOUND, and keeps others from moving it until this decision has ended. It is called once the
// sites are locked.
func (t *DecisionTx) LockRun(env busbar.Environment, id busbar.RunID) (busbar.Run, error) {
	return takeRun(t.store.forUpdate(t.db), env, id)
}

// HasRun reports whether a run was decided before.
func (t *DecisionTx) HasRun(env busbar.Environment, id busbar.RunID) (bool, error) {
	var has bool
	// The primary key of runs.
	err := t.db.Raw("SELECT EXISTS (SELECT 1 FROM runs WHERE environment = ? AND id = ?)", string(env), string(id)).Scan(&has).Error
	return has, wrap(err, "look for a run")
}

// Event reads an event, or gives NOT_FOUND.
func (t *DecisionTx) Event(env busbar.Environment, id busbar.EventID) (busbar.Event, error) {
	return takeEvent(t.db, env, id)
}

// RuleVersion reads a version of a rule, or gives NOT_FOUND.
func (t *DecisionTx) RuleVersion(env busbar.Environment, id busbar.RuleID, number int) (busbar.RuleVersion, error) {
	return takeVersion(t.db, env, id, number)
}

// HoldOf gives a hold if it is still there, else nil.
func (t *DecisionTx) HoldOf(ref RuleKeyRef, holdID string) (*rules.Hold, error) {
	edge, err := t.RuleKeyOf(ref)
	if err != nil || edge.Hold == nil || edge.Hold.ID != holdID {
		return nil, err
	}
	return edge.Hold, nil
}

// OlderHolds gives a page of the keys of a rule that hold under an older version than its newest, by key, after one.
func (s *Store) OlderHolds(ctx context.Context, env busbar.Environment, id busbar.RuleID, after string, limit int) ([]RuleKey, error) {
	var rows []ruleKeyRow
	// rule_keys_by_rule
	err := s.read.WithContext(ctx).Where(`environment = ? AND rule_id = ? AND hold_id <> '' AND key > ?
		AND hold_version < (SELECT version FROM rules r WHERE r.environment = ? AND r.id = ?)`, string(env), string(id), after, string(env), string(id)).
		Order("key").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read holds of rule %s: %w", id, translate(err))
	}
	list := make([]RuleKey, len(rows))
	for i := range rows {
		r := &rows[i]
		list[i] = RuleKey{r.ref(), r.edge()}
	}
	return list, nil
}

// NewerFiring reports whether an action of a firing that came after another in the history of their site is on record for a
// device.
func (t *DecisionTx) NewerFiring(ref DeviceRef, seq int64) (bool, error) {
	var newer bool
	// actions_by_firing
	err := t.db.Raw("SELECT EXISTS (SELECT 1 FROM actions WHERE environment = ? AND device_id = ? AND firing_seq > 0 AND firing_seq > ?)",
		string(ref.Environment), string(ref.ID), seq).Scan(&newer).Error
	return newer, wrap(err, "look for newer firings")
}

// Timezones gives the zones of sites, each once; without ids those of all sites.
func (s *Store) Timezones(ctx context.Context, env busbar.Environment, ids []string) ([]string, error) {
	var zones []string
	// The primary key of sites.
	q := s.read.WithContext(ctx).Model(&siteRow{}).Where("environment = ?", string(env))
	if len(ids) > 0 {
		q = q.Where("id IN ?", ids)
	}
	if err := q.Distinct().Order("timezone").Pluck("timezone", &zones).Error; err != nil {
		return nil, fmt.Errorf("read time zones of sites: %w", translate(err))
	}
	return zones, nil
}

// NextSite gives the first site after an id, and false when there is none; with ids only these count.
func (s *Store) NextSite(ctx context.Context, env busbar.Environment, ids []string, after busbar.SiteID) (busbar.Site, bool, error) {
	var rows []siteRow
	// The primary key of sites.
	q := s.read.WithContext(ctx).Where("environment = ? AND id > ?", string(env), string(after))
	if len(ids) > 0 {
		q = q.Where("id IN ?", ids)
	}
	if err := q.Order("id").Limit(1).Find(&rows).Error; err != nil {
		return busbar.Site{}, false, fmt.Errorf("read next site: %w", translate(err))
	}
	if len(rows) == 0 {
		return busbar.Site{}, false, nil
	}
	site, err := rows[0].site()
	return site, true, err
}

func takeVersion(db *gorm.DB, env busbar.Environment, id busbar.RuleID, number int) (busbar.RuleVersion, error) {
	var row ruleVersionRow
	// The primary key of rule_versions.
	if err := db.Where("environment = ? AND rule_id = ? AND number = ?", string(env), string(id), number).Take(&row).Error; err != nil {
		return busbar.RuleVersion{}, notFound(err, "version of the rule "+string(id)+":", fmt.Sprint(number))
	}
	return row.version()
}
