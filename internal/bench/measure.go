package bench

import (
	"context"
	"os"
	"time"
)

// cost is processor time; a field is nil where the system does not tell.
type cost struct {
	server, load *time.Duration
}

// spent is the processor time used until now.
func (b *bed) spent() cost {
	var c cost
	if b.pid != 0 {
		if used, err := processorTime(b.pid); err == nil {
			c.server = &used
		}
	}
	if used, err := processorTime(os.Getpid()); err == nil {
		c.load = &used
	}
	return c
}

// since is what was used after the earlier reading.
func (c cost) since(earlier cost) cost {
	return cost{server: difference(c.server, earlier.server), load: difference(c.load, earlier.load)}
}

func difference(later, earlier *time.Duration) *time.Duration {
	if later == nil || earlier == nil {
		return nil
	}
	d := *later - *earlier
	return &d
}

// per spreads a processor time over n, in milliseconds.
func per(total *time.Duration, n float64) *float64 {
	if total == nil || n <= 0 {
		return nil
	}
	each := milliseconds(*total) / n
	return &each
}

// measure runs work, waits for the deliveries and returns the processor time of both.
func (t *trial) measure(ctx context.Context, work func() error) (cost, error) {
	before := t.bed.spent()
	if err := work(); err != nil {
		return cost{}, err
	}
	if err := t.drain(ctx, t.bed.cfg.Drain); err != nil {
		return cost{}, err
	}
	return t.bed.spent().since(before), nil
}

// count writes what became of all events into the result.
func (t *trial) count(ctx context.Context, result *Result) {
	all := t.ledger.tally(0, t.ledger.posted())
	result.Events = all.posted
	result.Accepted = all.accepted
	result.Errors = all.errors
	result.Deliveries = all.deliveries
	result.Losses = all.missing
	result.Repeats = all.repeats
	if ctx.Err() != nil {
		result.Losses, result.Unconfirmed = 0, all.missing
	}
	result.BadSignatures = int(t.sink.badSignatures.Load())
	result.Malformed = int(t.sink.malformed.Load())
	result.Strays = int(t.sink.strays.Load())
	result.Memory = t.bed.memory()
}

// figures writes latencies, rates and costs of the events from number from on into the result.
func (t *trial) figures(from int, c cost, result *Result) {
	part := t.ledger.tally(from, t.ledger.posted())
	result.Ingest = summarize(part.ingest)
	result.EndToEnd = summarize(part.endToEnd)
	result.Late = summarize(part.lag)
	result.EventsPerSecond = part.perSecond(part.accepted)
	result.DeliveriesPerSecond = part.perSecond(part.deliveries)
	result.ServerCPU = per(c.server, float64(part.accepted))
	result.LoadCPU = per(c.load, float64(part.accepted))
}

// steady warms the server up at a rate, measures work and fills in the result, as far as it came when the context ended.
func (t *trial) steady(ctx context.Context, result *Result, rate int, work func() error) error {
	from := 0
	used, err := t.measure(ctx, func() error { return t.load.paced(ctx, rate, t.bed.cfg.Warmup) })
	if err == nil {
		from = t.ledger.posted()
		used, err = t.measure(ctx, work)
	}
	t.figures(from, used, result)
	if err == nil {
		err = pause(ctx, t.bed.cfg.Linger)
	}
	t.count(ctx, result)
	return err
}
