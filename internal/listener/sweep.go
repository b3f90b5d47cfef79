package listener

import (
	"context"
	"errors"
	"time"

	"busbar"
)

const (
	sweepEvery = 30 * time.Second
	sweepPage  = 100
)

// Run sweeps until ctx ends. Several processes may; they find the same and do it once.
func (x *Exchange) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := x.Sweep(ctx); err != nil && ctx.Err() == nil {
			x.cfg.Logger.WarnContext(ctx, "could not sweep listeners", "error", err)
		}
	}
}

// Sweep deletes the endpoints of listeners whose program has been away for busbar.ListenerTimeout, and requests that a
// crash has left.
func (x *Exchange) Sweep(ctx context.Context) error {
	gone, err := x.cfg.Store.GoneListeners(ctx, x.cfg.Now().Add(-busbar.ListenerTimeout), sweepPage)
	errs := []error{err}
	for _, l := range gone {
		err := x.cfg.Store.DeleteEndpoint(ctx, l.Environment, l.EndpointID)
		if busbar.CodeOf(err) == busbar.CodeNotFound {
			continue // another process was faster
		}
		if err == nil {
			x.cfg.Logger.InfoContext(ctx, "deleted the endpoint of a listener that is gone", "endpoint_id", l.EndpointID)
		}
		errs = append(errs, err)
	}
	errs = append(errs, x.cfg.Store.DropExpiredRequests(ctx))
	return errors.Join(errs...)
}
