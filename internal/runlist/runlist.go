// Package runlist lists what rules decided among the runs of those rules, a moment after it was decided.
package runlist

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"busbar/internal/store"
)

// Store is what a Lister works on.
type Store interface {
	ListRuns(ctx context.Context, sample bool) (store.ListedRuns, error)
	TrimRuns(ctx context.Context, ref store.RuleRef) error
}

const (
	every = 500 * time.Millisecond
	// patience is how long a round lists everything. When there is still more after it, more is decided than can be listed, and
	// idle runs are left out until the lister has caught up.
	patience = time.Second
	// trimAfter is how many idle runs a rule may have too many while there is work; trimAtRest is how many rules are trimmed in a
	// round otherwise.
	trimAfter  = 200
	trimAtRest = 20
)

// Lister lists runs. Several processes may have one each.
type Lister struct {
	store  Store
	now    func() time.Time
	logger *slog.Logger
	// surplus counts the idle runs that were listed since the rule was trimmed.
	surplus map[store.RuleRef]int
}

// New makes one.
func New(s Store, now func() time.Time, logger *slog.Logger) *Lister {
	return &Lister{store: s, now: now, logger: logger, surplus: make(map[store.RuleRef]int)}
}

// Run lists twice a second until ctx ends.
func (l *Lister) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := l.Round(ctx); err != nil && ctx.Err() == nil {
			l.logger.WarnContext(ctx, "could not list what rules decided", "error", err)
		}
	}
}

// Round lists all that there is to list.
func (l *Lister) Round(ctx context.Context) error {
	began := l.now()
	for {
		listed, err := l.store.ListRuns(ctx, l.now().Sub(began) > patience)
		if err != nil {
			return fmt.Errorf("list runs: %w", err)
		}
		if listed.Packs == 0 {
			return l.trim(ctx, 1, trimAtRest)
		}
		for ref, n := range listed.Idle {
			l.surplus[ref] += n
		}
		if err := l.trim(ctx, trimAfter, len(l.surplus)); err != nil {
			return err
		}
	}
}

// trim deletes the idle runs that are too many of at most so many rules which have gained at least so many.
func (l *Lister) trim(ctx context.Context, least, most int) error {
	for ref, n := range l.surplus {
		if most == 0 {
			return nil
		}
		if n < least {
			continue
		}
		most--
		if err := l.store.TrimRuns(ctx, ref); err != nil {
			return fmt.Errorf("trim runs of rule %s: %w", ref.ID, err)
		}
		delete(l.surplus, ref)
	}
	return nil
}
