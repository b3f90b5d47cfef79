package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"busbar"
	"busbar/rules"
)

// RunFilter narrows a list of runs; what is zero does not.
type RunFilter struct {
	RuleID   busbar.RuleID
	SiteID   busbar.SiteID
	Decision rules.Decision
	// Since (inclusive) and Until (exclusive) compare with the time of the decision.
	Since, Until time.Time
}

// Runs gives what rules decided, newest first. What moved nothing is there once ListRuns has listed it.
func (s *Store) Runs(ctx context.Context, env busbar.Environment, f RunFilter, req busbar.PageRequest) (busbar.Page[busbar.Run], error) {
	db := s.read.WithContext(ctx)
	// runs_by_rule, along which a site is looked for; without a rule runs_by_site, runs_fired for firings, or else runs_age.
	firings := f.Decision == rules.DecisionFired || f.Decision == rules.DecisionShadowed
	q := db.Where("environment = ?", string(env))
	q = equal(q, "rule_id", string(f.RuleID))
	if f.SiteID != "" {
		// With the condition of the partial index, which a bound value would hide from the planner.
		q = q.Where("site_id = ? AND site_id <> ''", string(f.SiteID))
	}
	q = equal(q, "decision", string(f.Decision))
	if firings {
		// As above.
		q = q.Where("number > 0")
	}
	q = between(q, "decided_at", f.Since, f.Until)
	list, err := page(q, req, "decided_at", (*runRow).position, (*runRow).run)
	if err != nil {
		return list, err
	}
	return list, translate(addDetails(db, env, list.Items))
}

// Run gives one run, or NOT_FOUND.
func (s *Store) Run(ctx context.Context, env busbar.Environment, id busbar.RunID) (busbar.Run, error) {
	db := s.read.WithContext(ctx)
	run, err := takeRun(db, env, id)
	if err != nil {
		return run, err
	}
	one := []busbar.Run{run}
	err = translate(addDetails(db, env, one))
	return one[0], err
}

// RunsOfEvent gives all runs that an event led to, oldest first, also those that are in no list yet or any more.
func (s *Store) RunsOfEvent(ctx context.Context, e *busbar.Event) ([]busbar.Run, error) {
	db := s.read.WithContext(ctx)
	var rows []runRow
	// runs_by_event
	if err := db.Where("environment = ? AND event_id = ? AND event_id <> ''", string(e.Environment), string(e.ID)).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read runs of event: %w", translate(err))
	}
	runs := make([]busbar.Run, 0, len(rows))
	at := make(map[busbar.RunID]int, len(rows))
	for i := range rows {
		run, err := rows[i].run()
		if err != nil {
			return nil, err
		}
		at[run.ID] = len(runs)
		runs = append(runs, run)
	}
	var pack runPackRow
	// The primary key of run_packs.
	err := db.Where("environment = ? AND event_id = ?", string(e.Environment), string(e.ID)).Take(&pack).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fmt.Errorf("read runs of event: %w", translate(err))
	}
	if err == nil {
		packed, err := pack.runs()
		if err != nil {
			return nil, err
		}
		for i := range packed {
			p := &packed[i]
			if n, listed := at[p.ID]; listed {
				runs[n].Detail = p.Detail
				continue
			}
			run := p.run(e)
			if err := s.whatBecameOf(db, &run); err != nil {
				return nil, translate(err)
			}
			run.Detail = p.Detail
			runs = append(runs, run)
		}
	}
	slices.SortFunc(runs, func(a, b busbar.Run) int {
		return cmp.Or(a.DecidedAt.Compare(b.DecidedAt), cmp.Compare(a.RuleID, b.RuleID), cmp.Compare(a.ID, b.ID))
	})
	return runs, nil
}

// run is a packed run as those of its event are kept in runs; its detail stays in the pack.
func (p *keptRun) run(e *busbar.Event) busbar.Run {
	return busbar.Run{
		ID: p.ID, Environment: e.Environment, RuleID: p.RuleID, RuleVersion: p.Version, Shadow: p.Shadow, Key: p.Key,
		Trigger: string(rules.TriggerEvent), EventID: e.ID, RootID: e.Causation.RootEventID, SiteID: e.SiteID, Decision: string(p.Is),
		DecidedAt: e.ReceivedAt, Lateness: max(0, e.ReceivedAt.Sub(e.Timestamp)), HoldID: p.HoldID,
	}
}

// whatBecameOf finds what a run that held has become: the same as the one that began the hold.
func (s *Store) whatBecameOf(db *gorm.DB, run *busbar.Run) error {
	if rules.Decision(run.Decision) != rules.DecisionHolding {
		return nil
	}
	var ended []runRow
	// runs_by_hold
	err := db.Select("decision, ended_at").Where("environment = ? AND hold_id = ? AND hold_id <> '' AND decision <> 'holding'", string(run.Environment), run.HoldID).
		Order("ended_at DESC").Limit(1).Find(&ended).Error
	if err != nil {
		return fmt.Errorf("read runs of a hold: %w", err)
	}
	if len(ended) > 0 {
		run.Decision, run.EndedAt = ended[0].Decision, fromMicros(ended[0].EndedAt)
	}
	return nil
}

// detailPage is how many packs are read at a time: each holds all runs of its event.
const detailPage = 20

// addDetails reads the details of runs that stand in the packs of their events. One whose event is gone has none any more.
func addDetails(db *gorm.DB, env busbar.Environment, runs []busbar.Run) error {
	wanted := make(map[busbar.RunID]*busbar.Run)
	var events []string
	for i := range runs {
		r := &runs[i]
		if len(r.Detail) > 0 || r.EventID == "" {
			continue
		}
		wanted[r.ID] = r
		if !slices.Contains(events, string(r.EventID)) {
			events = append(events, string(r.EventID))
		}
	}
	for part := range slices.Chunk(events, detailPage) {
		var packs []runPackRow
		// The primary key of run_packs.
		if err := db.Where("environment = ? AND event_id IN ?", string(env), part).Find(&packs).Error; err != nil {
			return fmt.Errorf("read details of runs: %w", err)
		}
		for i := range packs {
			packed, err := packs[i].runs()
			if err != nil {
				return err
			}
			for j := range packed {
				if r := wanted[packed[j].ID]; r != nil {
					r.Detail = packed[j].Detail
				}
			}
		}
	}
	return nil
}
