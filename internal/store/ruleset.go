package store

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"

	"busbar"
)

// RuleSet are the rules of an environment that are active or in shadow, and the emergency stops, as they were at one generation.
// It is shared: never change it.
type RuleSet struct {
	Generation int64
	// Rules have their text, and are sorted by id.
	Rules []busbar.Rule
	// Stops are the emergency stops by site; the empty site is the environment.
	Stops map[busbar.SiteID]busbar.AutomationStop
}

// Stopped reports whether automation is off at a site.
func (s *RuleSet) Stopped(site busbar.SiteID) bool {
	if _, off := s.Stops[""]; off {
		return true
	}
	_, off := s.Stops[site]
	return off
}

// Saved is when a rule was saved last, or its mode set.
func (s *RuleSet) Saved(id busbar.RuleID) time.Time {
	i := slices.IndexFunc(s.Rules, func(r busbar.Rule) bool { return r.ID == id })
	if i < 0 {
		return time.Time{}
	}
	return s.Rules[i].UpdatedAt
}

// ruleSets caches the rule set of each environment, as directory does endpoints.
type ruleSets struct {
	mu      sync.Mutex
	entries map[busbar.Environment]*RuleSet
}

func (c *ruleSets) get(env busbar.Environment) *RuleSet {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries[env]
}

func (c *ruleSets) put(env busbar.Environment, s *RuleSet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = make(map[busbar.Environment]*RuleSet, 2)
	}
	if have := c.entries[env]; have == nil || have.Generation < s.Generation {
		c.entries[env] = s
	}
}

// RuleSet gives the rules of an environment as they are now.
func (s *Store) RuleSet(ctx context.Context, env busbar.Environment) (*RuleSet, error) {
	set, err := s.ruleSet(s.read.WithContext(ctx), env)
	return set, translate(err)
}

// RuleSet gives the rules of an environment, as this decision must see them.
func (t *DecisionTx) RuleSet(env busbar.Environment) (*RuleSet, error) {
	return t.store.ruleSet(t.db, env)
}

// ruleSet reads one small row when the cache is good.
func (s *Store) ruleSet(db *gorm.DB, env busbar.Environment) (*RuleSet, error) {
	generation, err := generationOf(db, env)
	if err != nil {
		return nil, err
	}
	if have := s.rules.get(env); have != nil && have.Generation == generation {
		return have, nil
	}
	// Rows that are newer than the generation do no harm: the next use sees the newer generation and reads again.
	set := &RuleSet{Generation: generation, Stops: map[busbar.SiteID]busbar.AutomationStop{}}
	if set.Rules, err = rulesInForce(db, env); err != nil {
		return nil, err
	}
	var stops []stopRow
	// The primary key of automation_stops.
	if err := db.Where("environment = ?", string(env)).Find(&stops).Error; err != nil {
		return nil, fmt.Errorf("read emergency stops: %w", err)
	}
	for i := range stops {
		stop := stops[i].stop()
		set.Stops[stop.SiteID] = stop
	}
	s.rules.put(env, set)
	return set, nil
}

// rulesInForce reads the rules that are not disabled, by id.
func rulesInForce(db *gorm.DB, env busbar.Environment) ([]busbar.Rule, error) {
	var rows []ruleTextRow
	// The primary keys of rules and rule_versions.
	err := db.Raw(`SELECT r.*, v.text, v.source FROM rules r
		JOIN rule_versions v ON v.environment = r.environment AND v.rule_id = r.id AND v.number = r.version
		WHERE r.environment = ? AND r.mode <> 'disabled' ORDER BY r.id`, string(env)).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	list := make([]busbar.Rule, len(rows))
	for i := range rows {
		if list[i], err = rows[i].full(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// generationOf is the number of the last save of an endpoint, a rule or a stop of an environment.
func generationOf(db *gorm.DB, env busbar.Environment) (int64, error) {
	var generation int64
	err := db.Raw("SELECT generation FROM environments WHERE environment = ?", string(env)).Scan(&generation).Error
	if err != nil {
		return 0, fmt.Errorf("read generation of %s: %w", env, err)
	}
	return generation, nil
}
