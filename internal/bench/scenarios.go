package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// perEvent is the slowest a server may be while it is filled: beyond it the scenario gives up.
const perEvent = 100 * time.Millisecond

var errNoMemory = errors.New("the memory of the server cannot be read on this system")

func (r *runner) idle(ctx context.Context, b *bed, result *Result) error {
	result.Load = "nothing posted"
	start := b.memory()
	if start == nil {
		return errNoMemory
	}
	before := b.spent()
	if err := pause(ctx, r.cfg.Quiet); err != nil {
		return err
	}
	after := b.memory()
	if after == nil {
		return errNoMemory
	}
	result.Memory = after
	result.Idle = &IdleResult{
		AtStart:    *start,
		AfterQuiet: *after,
		QuietMs:    milliseconds(r.cfg.Quiet),
		CPU:        per(b.spent().since(before).server, r.cfg.Quiet.Seconds()),
	}
	if b.server != nil {
		ready := milliseconds(b.ready)
		result.Idle.Ready = &ready
	}
	return nil
}

func (r *runner) paced(ctx context.Context, b *bed, endpoints int, result *Result) (err error) {
	result.Load = fmt.Sprintf("%d events/s for %s", r.cfg.Rate, r.cfg.Duration)
	t, err := r.openTrial(ctx, b, endpoints, slices.Repeat([]behaviour{healthy()}, endpoints)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close(ctx)) }()
	return t.steady(ctx, result, r.cfg.Rate, func() error { return t.load.paced(ctx, r.cfg.Rate, r.cfg.pacedEvents()) })
}

func (r *runner) hanging(ctx context.Context, b *bed, endpoints int, result *Result) (err error) {
	result.Load = fmt.Sprintf("%d events/s for %s, one endpoint holds %s", r.cfg.Rate, r.cfg.Duration, r.cfg.Hang)
	behaviours := append(slices.Repeat([]behaviour{healthy()}, endpoints-1), holding(r.cfg.Hang))
	t, err := r.openTrial(ctx, b, endpoints-1, behaviours...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close(ctx)) }()
	err = t.steady(ctx, result, r.cfg.Rate, func() error { return t.load.paced(ctx, r.cfg.Rate, r.cfg.pacedEvents()) })
	result.Hanging = &HangingResult{
		HoldMs:   milliseconds(r.cfg.Hang),
		Received: t.ledger.tally(0, t.ledger.posted()).unawaited,
	}
	return err
}

func (r *runner) saturated(ctx context.Context, b *bed, endpoints int, result *Result) (err error) {
	end, what := untilDelivered, "delivered"
	if r.cfg.AcceptedOnly {
		end, what = untilAccepted, "accepted"
	}
	result.Load = fmt.Sprintf("%d events in flight until %s, for %s", r.cfg.InFlight, what, r.cfg.Duration)
	t, err := r.openTrial(ctx, b, endpoints, slices.Repeat([]behaviour{healthy()}, endpoints)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close(ctx)) }()
	return t.steady(ctx, result, r.cfg.Rate, func() error {
		stop, cancel := context.WithTimeout(ctx, r.cfg.Duration)
		defer cancel()
		return t.load.closed(ctx, stop, r.cfg.InFlight, maxSamples/endpoints-r.cfg.Warmup, end)
	})
}

// pending counts arrivals at its endpoint, which refuses them all, as attempts: nothing there is delivered, lost or repeated.
func (r *runner) pending(ctx context.Context, b *bed, result *Result) (err error) {
	result.Load = fmt.Sprintf("%d events to an endpoint that answers 500", r.cfg.PendingEvents)
	before := b.memory()
	if before == nil {
		return errNoMemory
	}
	t, err := r.openTrial(ctx, b, 1, refusing())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close(ctx)) }()
	limit := r.limit(r.cfg.PendingEvents)
	err = t.fill(ctx, limit, r.cfg.PendingEvents, untilAccepted)
	if err == nil {
		err = t.drain(ctx, limit)
	}
	if err == nil {
		err = pause(ctx, r.cfg.Quiet)
	}
	t.count(ctx, result)
	attempted := result.Deliveries
	result.Deliveries, result.Losses, result.Unconfirmed, result.Repeats = 0, 0, 0, 0
	if err != nil {
		return err
	}
	if result.Memory == nil {
		return errNoMemory
	}
	result.Pending = &PendingResult{
		Attempted: attempted,
		Attempts:  t.sink.attempts(0),
		Before:    *before,
		After:     *result.Memory,
		QuietMs:   milliseconds(r.cfg.Quiet),
	}
	return nil
}

func (r *runner) growth(ctx context.Context, b *bed, result *Result) (err error) {
	result.Load = fmt.Sprintf("probes of %d events at %d/s", r.cfg.GrowthProbe, r.cfg.Rate)
	t, err := r.openTrial(ctx, b, 1, healthy())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close(ctx)) }()
	defer func() { t.count(ctx, result) }()
	for _, stored := range r.cfg.GrowthAt {
		probe, err := r.probe(ctx, t, stored)
		if err != nil {
			return err
		}
		result.Growth = append(result.Growth, probe)
	}
	return pause(ctx, r.cfg.Linger)
}

// probe posts events until so many are stored, lets the server come to rest and measures what further ones cost.
func (r *runner) probe(ctx context.Context, t *trial, stored int) (GrowthResult, error) {
	count := stored - t.ledger.posted()
	if err := t.fill(ctx, r.limit(count), count, untilDelivered); err != nil {
		return GrowthResult{}, err
	}
	if err := t.drain(ctx, r.cfg.Drain); err != nil {
		return GrowthResult{}, err
	}
	if err := pause(ctx, r.cfg.Settle); err != nil {
		return GrowthResult{}, err
	}
	from := t.ledger.posted()
	before := t.ledger.tally(0, from).accepted
	used, err := t.measure(ctx, func() error { return t.load.paced(ctx, r.cfg.Rate, r.cfg.GrowthProbe) })
	if err != nil {
		return GrowthResult{}, err
	}
	part := t.ledger.tally(from, t.ledger.posted())
	return GrowthResult{
		Stored:    before,
		Probe:     part.posted,
		ServerCPU: per(used.server, float64(part.accepted)),
		Ingest:    summarize(part.ingest),
		EndToEnd:  summarize(part.endToEnd),
		Memory:    t.bed.memory(),
	}, nil
}

// limit bounds the time in which n events are posted and delivered.
func (r *runner) limit(n int) time.Duration {
	return r.cfg.Drain + time.Duration(n)*perEvent
}

// fill posts count events as fast as the server takes them; not to be done within the limit is an error.
func (t *trial) fill(ctx context.Context, limit time.Duration, count int, end until) error {
	stop, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	target := t.ledger.posted() + count
	if err := t.load.closed(ctx, stop, t.bed.cfg.InFlight, count, end); err != nil {
		return err
	}
	if missing := target - t.ledger.posted(); missing > 0 {
		return fmt.Errorf("post %d events: %d were not posted within %s", count, missing, limit)
	}
	return nil
}
