// Package batch gathers what many goroutines ask for into few calls, because one transaction for sixty rows costs
// little more than one for a single row.
package batch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrClosed is what Do answers after Close.
var ErrClosed = errors.New("batch: closed")

// Config says how to gather.
type Config[T any] struct {
	// Run does the work for a batch; all of the batch gets its error.
	Run func(ctx context.Context, items []T) error
	// Apart, if set, reports whether an item must not share a batch with those gathered already.
	Apart func(gathered []T, next T) bool
	// Alone reports whether, after Run failed with this error, each item should be run by itself, so that one bad item
	// does not take the others with it. Nil means never.
	Alone func(err error) bool
	// Max is the most items of a batch that were not given together.
	Max int
	// Lanes is how many batches may run at once.
	Lanes int
}

// Batcher gathers without waiting: the first item runs at once, and what comes while it runs makes the next batch.
type Batcher[T any] struct {
	cfg    Config[T]
	queue  chan []entry[T]
	ctx    context.Context //nolint:containedctx // the batcher's own life, ended by Close; callers' contexts only bound their waiting
	cancel context.CancelFunc
	lanes  sync.WaitGroup

	mu     sync.RWMutex
	closed bool
}

type entry[T any] struct {
	item T
	done chan error
}

// New starts the lanes; Close ends them.
func New[T any](cfg Config[T]) *Batcher[T] {
	ctx, cancel := context.WithCancel(context.Background()) //nolint:gosec // Close calls it
	b := &Batcher[T]{cfg: cfg, queue: make(chan []entry[T], 4*cfg.Max), ctx: ctx, cancel: cancel}
	for range max(1, cfg.Lanes) {
		b.lanes.Go(b.lane)
	}
	return b
}

// Do has the item run with a batch and waits for the result. When ctx ends first, the item may still run.
func (b *Batcher[T]) Do(ctx context.Context, item T) error { return b.DoAll(ctx, []T{item})[0] }

// DoAll has items run with one batch and waits for their results, which are in the same order. When ctx ends first, they may
// still run.
func (b *Batcher[T]) DoAll(ctx context.Context, items []T) []error {
	entries, errs := make([]entry[T], len(items)), make([]error, len(items))
	for i, item := range items {
		entries[i] = entry[T]{item: item, done: make(chan error, 1)}
	}
	if err := b.enqueue(ctx, entries); err != nil {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	for i, e := range entries {
		select {
		case errs[i] = <-e.done:
		case <-ctx.Done():
			errs[i] = ctx.Err()
		}
	}
	return errs
}

func (b *Batcher[T]) enqueue(ctx context.Context, entries []entry[T]) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return ErrClosed
	}
	select {
	case b.queue <- entries:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closePatience is what Close gives the batches that are left before it ends their context.
const closePatience = 2 * time.Second

// Close runs what was asked for before and then stops. When that takes longer than two seconds, it fails instead.
func (b *Batcher[T]) Close() {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.queue)
	}
	b.mu.Unlock()
	patience := time.AfterFunc(closePatience, b.cancel)
	b.lanes.Wait()
	patience.Stop()
	b.cancel()
}

func (b *Batcher[T]) lane() {
	var held []entry[T]
	for {
		batch, next, open := b.gather(held)
		if len(batch) > 0 {
			b.run(batch)
		}
		if held = next; held == nil && !open {
			return
		}
	}
}

// gather waits for entries and takes along what else is there. Those that must be apart, or are too many, begin the next batch.
func (b *Batcher[T]) gather(held []entry[T]) (batch, next []entry[T], open bool) {
	if held == nil {
		var ok bool
		if held, ok = <-b.queue; !ok {
			return nil, nil, false
		}
	}
	var items []T
	batch, items = join(batch, items, held)
	for len(batch) < b.cfg.Max {
		select {
		case more, ok := <-b.queue:
			if !ok {
				return batch, nil, false
			}
			if len(batch)+len(more) > b.cfg.Max || b.apart(items, more) {
				return batch, more, true
			}
			batch, items = join(batch, items, more)
		default:
			return batch, nil, true
		}
	}
	return batch, nil, true
}

func join[T any](batch []entry[T], items []T, more []entry[T]) ([]entry[T], []T) {
	for _, e := range more {
		batch, items = append(batch, e), append(items, e.item)
	}
	return batch, items
}

func (b *Batcher[T]) apart(gathered []T, more []entry[T]) bool {
	return b.cfg.Apart != nil && slices.ContainsFunc(more, func(e entry[T]) bool { return b.cfg.Apart(gathered, e.item) })
}

func (b *Batcher[T]) run(batch []entry[T]) {
	items := make([]T, len(batch))
	for i, e := range batch {
		items[i] = e.item
	}
	err := b.cfg.Run(b.ctx, items)
	if err != nil && len(batch) > 1 && b.cfg.Alone != nil && b.cfg.Alone(err) {
		for _, e := range batch {
			e.done <- b.cfg.Run(b.ctx, []T{e.item})
		}
		return
	}
	for _, e := range batch {
		e.done <- err
	}
}
