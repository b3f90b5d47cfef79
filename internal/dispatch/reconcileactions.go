package dispatch

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
)

// Abandoner fails an action that cannot be carried out any more.
type Abandoner interface {
	// Abandon reports whether it failed it: one that has ended meanwhile stays as it is.
	Abandon(ctx context.Context, env busbar.Environment, id busbar.ActionID, code, message string) (bool, error)
}

// ActionReconciler looks at open actions that have not moved for a minute. One whose workflow is lost gets a new one, one
// whose workflow has not noticed that it is due is woken, and one whose workflow was ended by a person fails: our rows are the
// truth.
type ActionReconciler struct {
	dispatcher *Dispatcher
	abandoner  Abandoner
	now        func() time.Time
	logger     *slog.Logger
	position   store.OpenPosition
}

// NewActionReconciler makes a reconciler.
func NewActionReconciler(d *Dispatcher, abandoner Abandoner, now func() time.Time, logger *slog.Logger) *ActionReconciler {
	return &ActionReconciler{dispatcher: d, abandoner: abandoner, now: now, logger: logger}
}

// Run looks once a minute until ctx ends. Several copies may run; they find the same and do it once.
func (r *ActionReconciler) Run(ctx context.Context) {
	next := time.NewTimer(rand.N(reconcileEvery)) //nolint:gosec // not a secret, only spread
	defer next.Stop()
	for {
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
		if err := r.Round(ctx); err != nil && ctx.Err() == nil {
			r.logger.WarnContext(ctx, "could not reconcile open actions", "error", err)
		}
		next.Reset(reconcileEvery)
	}
}

// Round looks at up to 2,000 open actions, and goes on from there the next time.
func (r *ActionReconciler) Round(ctx context.Context) error {
	var failed failures
	for seen := 0; seen < reconcileMost; {
		open, position, err := r.dispatcher.store.OpenActions(ctx, r.now().Add(-overdueAfter), r.position, reconcilePage)
		if err != nil {
			return err
		}
		r.position = position
		for i := range open {
			if failed.add(r.one(ctx, &open[i])) {
				return failed.err()
			}
		}
		seen += len(open)
		if len(open) < reconcilePage {
			r.position = store.OpenPosition{}
			break
		}
	}
	return failed.err()
}

func (r *ActionReconciler) one(ctx context.Context, a *busbar.Action) error {
	running, known, err := r.dispatcher.running(ctx, a.WorkflowID())
	if err != nil {
		return err
	}
	due := a.DueAt()
	overdue := !due.IsZero() && due.Before(r.now().Add(-overdueAfter))
	switch {
	case running && !overdue:
		return nil
	case !running && known:
		failed, err := r.abandoner.Abandon(ctx, a.Environment, a.ID, busbar.ActionWorkflowLost, "the workflow that carried it out was ended by a person")
		if failed {
			r.logger.WarnContext(ctx, "an open action had a workflow that was ended; it has failed", "action_id", a.ID, "device_id", a.DeviceID)
		}
		return err
	case !running:
		r.logger.WarnContext(ctx, "an open action has no workflow; starting one", "action_id", a.ID, "device_id", a.DeviceID)
	}
	return r.dispatcher.LaunchAction(ctx, intake.Launch{
		Environment: a.Environment, ActionID: a.ID, DeviceID: a.DeviceID, Command: a.Command, RuleID: a.RuleID,
	})
}
