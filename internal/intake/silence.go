package intake

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"busbar"
	"busbar/internal/store"
)

// Silence looks at devices that have not reported for a while: one that has been silent for longer than its staleAfter is
// not in sync any more, and an event tells.
func (in *Intake) Silence(ctx context.Context, refs []store.DeviceRef) error {
	byEnv := make(map[busbar.Environment][]busbar.DeviceID, 2)
	for _, ref := range refs {
		byEnv[ref.Environment] = append(byEnv[ref.Environment], ref.ID)
	}
	for env, ids := range byEnv {
		if err := in.do(ctx, env, &silenceTask{ids: ids}); err != nil {
			return err
		}
	}
	return nil
}

type silenceTask struct{ ids []busbar.DeviceID }

func (t *silenceTask) concerns(*store.DecisionTx) ([]busbar.DeviceID, bool, error) {
	return t.ids, false, nil
}

func (t *silenceTask) size() int { return len(t.ids) }

func (t *silenceTask) decide(g *group, u *unit) error {
	for _, id := range t.ids {
		d, _, ok := g.device(u.env, id)
		if !ok {
			continue
		}
		due := d.StaleAt()
		d.CheckAt = due
		g.devices.add(d)
		if due.IsZero() || due.After(g.now) {
			continue
		}
		g.note(d)
		d.CheckAt, d.SyncLost = time.Time{}, true
		if _, err := g.announceSync(u, d, d.Announced, due); err != nil {
			return err
		}
	}
	return nil
}

// ReleaseHold ends a person's hold on a device.
func (in *Intake) ReleaseHold(ctx context.Context, env busbar.Environment, id busbar.DeviceID) error {
	return in.do(ctx, env, releaseTask(id))
}

type releaseTask busbar.DeviceID

func (t releaseTask) concerns(*store.DecisionTx) ([]busbar.DeviceID, bool, error) {
	return []busbar.DeviceID{busbar.DeviceID(t)}, false, nil
}

func (t releaseTask) size() int { return 1 }

func (t releaseTask) decide(g *group, u *unit) error {
	d, site, ok := g.device(u.env, busbar.DeviceID(t))
	if !ok {
		return busbar.DeviceNotFound(busbar.DeviceID(t))
	}
	if d.HeldUntil.IsZero() {
		return nil
	}
	d.HeldUntil = time.Time{}
	g.devices.add(d)
	g.raise(site)
	return nil
}

// Watch looks for silent devices until ctx ends. Several processes may; what one has seen to, the others leave alone.
type Watch struct {
	intake *Intake
	store  *store.Store
	logger *slog.Logger
}

// NewWatch makes a watch.
func NewWatch(in *Intake, s *store.Store, logger *slog.Logger) *Watch {
	return &Watch{intake: in, store: s, logger: logger}
}

// How often a watch looks, and at how many devices in one transaction.
const (
	watchEvery = time.Second
	watchPage  = 200
)

// Run looks every second.
func (w *Watch) Run(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := w.Round(ctx); err != nil && ctx.Err() == nil {
			w.logger.WarnContext(ctx, "could not look for silent devices", "error", err)
		}
	}
}

// Round looks once at all devices that are due.
func (w *Watch) Round(ctx context.Context) error {
	for {
		refs, err := w.store.Silent(ctx, watchPage)
		if err != nil {
			return err
		}
		if len(refs) == 0 {
			return nil
		}
		if err := w.intake.Silence(ctx, refs); err != nil {
			return fmt.Errorf("note silence: %w", err)
		}
	}
}
