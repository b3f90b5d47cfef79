package intake

import (
	"context"
	"log/slog"
	"time"

	"busbar/internal/store"
)

// How often notices are looked for; there are none when all is well.
const (
	announceEvery = 500 * time.Millisecond
	announcePage  = 100
)

// Announcer makes events of the notices that the store keeps of what has happened to endpoints and deliveries. Several
// copies may run: the events have derived ids.
type Announcer struct {
	intake *Intake
	store  *store.Store
	logger *slog.Logger
}

// NewAnnouncer makes one.
func NewAnnouncer(in *Intake, s *store.Store, logger *slog.Logger) *Announcer {
	return &Announcer{intake: in, store: s, logger: logger}
}

// Run looks twice a second until ctx ends.
func (a *Announcer) Run(ctx context.Context) {
	tick := time.NewTicker(announceEvery)
	defer tick.Stop()
	for {
		if err := a.Round(ctx); err != nil && ctx.Err() == nil {
			a.logger.WarnContext(ctx, "could not announce what happened to endpoints", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Round makes events of the notices that are there. A notice goes when its event is accepted.
func (a *Announcer) Round(ctx context.Context) error {
	for {
		notices, err := a.store.Notices(ctx, announcePage)
		if err != nil {
			return err
		}
		for _, n := range notices {
			if err := a.intake.Announce(ctx, n); err != nil {
				return err
			}
			if err := a.store.ForgetNotice(ctx, n.ID); err != nil {
				return err
			}
		}
		if len(notices) < announcePage {
			return nil
		}
	}
}
