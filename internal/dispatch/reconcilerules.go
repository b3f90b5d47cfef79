package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
)

// RuleEnder ends what workflows were to end.
type RuleEnder interface {
	// FailRun ends a run whose steps cannot be taken any more. It reports whether it did: one that has ended meanwhile stays as it is.
	FailRun(ctx context.Context, env busbar.Environment, id busbar.RunID, code, message string) (bool, error)
	EndHold(ctx context.Context, hold intake.HoldRef) (intake.HoldState, error)
}

// RuleReconciler looks at open runs that were decided more than a minute ago, at holds that have been due for so long, and at rules
// with a window. What has lost its workflow gets a new one; a run whose workflow was ended by a person fails, a hold is ended
// without one: our rows are the truth.
type RuleReconciler struct {
	dispatcher *Dispatcher
	ender      RuleEnder
	now        func() time.Time
	logger     *slog.Logger
	runs       store.RunPosition
	holds      store.HoldPosition
	// watched are the rules that had a window when it last looked.
	watched map[store.RuleRef]bool
}

// NewRuleReconciler makes a reconciler.
func NewRuleReconciler(d *Dispatcher, ender RuleEnder, now func() time.Time, logger *slog.Logger) *RuleReconciler {
	return &RuleReconciler{dispatcher: d, ender: ender, now: now, logger: logger}
}

// savesEvery is how often the reconciler looks for rules whose window somebody has changed.
const savesEvery = 5 * time.Second

// Run looks once a minute until ctx ends, and at once for windows, since those may have no workflow yet; at what was saved it looks
// every few seconds. Several copies may run; they find the same and do it once.
func (r *RuleReconciler) Run(ctx context.Context) {
	next, saves := time.NewTimer(0), time.NewTicker(savesEvery)
	defer next.Stop()
	defer saves.Stop()
	for {
		var err error
		select {
		case <-next.C:
			err = r.Round(ctx)
			// Copies that were started together look at different times.
			next.Reset(reconcileEvery/2 + rand.N(reconcileEvery)) //nolint:gosec // not a secret, only spread
		case <-saves.C:
			var failed failures
			err = errors.Join(r.windows(ctx, 2*savesEvery, false, &failed), failed.err())
		case <-ctx.Done():
			return
		}
		if err != nil && ctx.Err() == nil {
			r.logger.WarnContext(ctx, "could not reconcile rules", "error", err)
		}
	}
}

// Round looks at up to 2,000 open runs and as many holds, and goes on from there the next time; and at all windows.
func (r *RuleReconciler) Round(ctx context.Context) error {
	var failed failures
	before := r.now().Add(-overdueAfter)
	err := pages(func() (int, error) {
		open, position, err := r.dispatcher.store.OpenRuns(ctx, before, r.runs, reconcilePage)
		for i := range open {
			if failed.add(r.run(ctx, &open[i])) {
				return 0, failed.err()
			}
		}
		r.runs = position
		return len(open), err
	}, func() { r.runs = store.RunPosition{} })
	if err != nil {
		return err
	}
	err = pages(func() (int, error) {
		due, position, err := r.dispatcher.store.DueHolds(ctx, before, r.holds, reconcilePage)
		for _, h := range due {
			if failed.add(r.hold(ctx, h)) {
				return 0, failed.err()
			}
		}
		r.holds = position
		return len(due), err
	}, func() { r.holds = store.HoldPosition{} })
	if err != nil {
		return err
	}
	if err := r.windows(ctx, 2*reconcileEvery, true, &failed); err != nil {
		return err
	}
	return failed.err()
}

// pages walks until a page is not full, and begins anew then, or until a round has seen enough.
func pages(page func() (int, error), over func()) error {
	for seen := 0; seen < reconcileMost; {
		found, err := page()
		if err != nil {
			return err
		}
		if seen += found; found < reconcilePage {
			over()
			return nil
		}
	}
	return nil
}

func (r *RuleReconciler) run(ctx context.Context, run *busbar.Run) error {
	running, known, err := r.dispatcher.running(ctx, run.WorkflowID())
	switch {
	case err != nil || running:
		return err
	case known:
		failed, err := r.ender.FailRun(ctx, run.Environment, run.ID, busbar.ActionWorkflowLost, "the workflow that took its steps was ended by a person")
		if failed {
			r.logger.WarnContext(ctx, "an open run had a workflow that was ended; it has failed", "run_id", run.ID, "rule_id", run.RuleID)
		}
		return err
	}
	r.logger.WarnContext(ctx, "an open run has no workflow; starting one", "run_id", run.ID, "rule_id", run.RuleID)
	return r.dispatcher.LaunchRule(ctx, intake.RuleLaunch{RuleStart: store.RuleStart{
		Environment: run.Environment, Kind: store.StartRun, ID: string(run.ID), RuleID: run.RuleID, Key: run.Key,
	}})
}

func (r *RuleReconciler) hold(ctx context.Context, h store.RuleStart) error {
	running, _, err := r.dispatcher.running(ctx, busbar.HoldWorkflowID(h.Environment, h.ID))
	if err != nil || running {
		return err
	}
	r.logger.WarnContext(ctx, "a hold that is due has no workflow; ending it", "hold_id", h.ID, "rule_id", h.RuleID)
	_, err = r.ender.EndHold(ctx, intake.HoldRef{Environment: h.Environment, RuleID: h.RuleID, Key: h.Key, Shadow: h.Shadow, HoldID: h.ID})
	return err
}

// windows tells the workflows of windows whose rules were saved within a time, and with all sees to it that the others have one:
// whoever saved them may have died before, and so may they. It also tells those whose rules have no window any more, because they were
// disabled, deleted, or saved without it: nothing would open, but they would be there for hours.
func (r *RuleReconciler) windows(ctx context.Context, within time.Duration, all bool, failed *failures) error {
	rules, err := r.dispatcher.store.WindowedRules(ctx)
	if err != nil {
		return err
	}
	was := r.watched
	r.watched = make(map[store.RuleRef]bool, len(rules))
	for i := range rules {
		r.watched[store.RuleRef{Environment: rules[i].Environment, ID: rules[i].ID}] = true
	}
	r.tellOver(ctx, was, failed)
	for i := range rules {
		touch := r.dispatcher.WatchWindow
		if r.now().Sub(rules[i].UpdatedAt) < within {
			touch = r.dispatcher.RuleChanged
		} else if !all {
			continue
		}
		if failed.add(touch(ctx, rules[i].Environment, rules[i].ID)) {
			break
		}
	}
	return nil
}

// tellOver tells the workflows of windows that were watched and are no more. What could not be told is told the next time.
func (r *RuleReconciler) tellOver(ctx context.Context, was map[store.RuleRef]bool, failed *failures) {
	away := false
	for ref := range was {
		switch {
		case r.watched[ref]:
			continue
		case !away:
			err := r.dispatcher.WindowOver(ctx, ref.Environment, ref.ID)
			if err == nil {
				continue
			}
			away = failed.add(err)
		}
		r.watched[ref] = true
	}
}
