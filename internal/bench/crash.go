package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// crash posts until accepted, so that the server has more to do than it has done, kills it in the midst of that and counts after
// the restart what of the accepted is missing.
func (r *runner) crash(ctx context.Context, b *bed, result *Result) (err error) {
	result.Load = fmt.Sprintf("%d posts at a time, killed after %s", r.cfg.InFlight, r.cfg.CrashAfter)
	t, err := r.openTrial(ctx, b, 1, healthy())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close(ctx)) }()
	defer func() { t.count(ctx, result) }()
	if err := t.killUnderLoad(ctx); err != nil {
		return err
	}
	crash := &CrashResult{Backlog: t.ledger.outstanding()}
	result.Crash = crash
	all := t.ledger.tally(0, t.ledger.posted())
	crash.Unanswered = all.errors[codeTransport] + all.errors[codeTimeout]

	t.ledger.mark()
	took, err := b.server.start(ctx, r.cfg.StartTimeout)
	if err != nil {
		return err
	}
	ready := time.Now()
	b.pid = b.server.pid()
	crash.Ready = milliseconds(took)
	if crash.Backlog == 0 {
		t.load.post(ctx, ready)
	}
	if err := t.drain(ctx, r.cfg.Drain); err != nil {
		return err
	}
	crash.First, crash.Last = t.ledger.recovery(ready)
	return pause(ctx, r.cfg.CrashLinger)
}

// killUnderLoad returns when the server is dead and every post has ended.
func (t *trial) killUnderLoad(ctx context.Context) error {
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	loaded := make(chan error, 1)
	go func() {
		loaded <- t.load.closed(ctx, stop, t.bed.cfg.InFlight, maxSamples/2, untilAccepted)
	}()
	err := pause(ctx, t.bed.cfg.CrashAfter)
	cancel() // just before, so that no post meets a server that is already dead
	t.bed.server.kill()
	t.bed.client.close()
	return errors.Join(err, <-loaded)
}

// recovery returns how long after ready the first webhook since mark and the last first arrival came; nil when none came.
func (l *ledger) recovery(ready time.Time) (first, last *float64) {
	at, found := l.firstSince()
	if !found {
		return nil, nil
	}
	after := func(at time.Time) *float64 {
		ms := milliseconds(max(at.Sub(ready), 0))
		return &ms
	}
	latest := l.origin.Add(l.tally(0, l.posted()).lastArrival)
	return after(at), after(latest)
}
