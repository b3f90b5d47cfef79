// Package batch gathers what many goroutines ask for into few calls, because one transaction for sixty rows costs
// little more than one for a single row.
package batch

import (
	"context"
	"errors"
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
	// Max is the most items of a batch.
	Max int
	// Lanes is how many batches may run at once.
	Lanes int
}

// Batcher gathers without waiting: the first item runs at once, and what comes while it runs makes the next batch.
type Batcher[T any] struct {
	cfg    Config[T]
	queue  chan entry[T]
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
	b := &Batcher[T]{cfg: cfg, queue: make(chan entry[T], 4*cfg.Max), ctx: ctx, cancel: cancel}
	for range max(1, cfg.Lanes) {
		b.lanes.Go(b.lane)
	}
	return b
}

// Do has the item run with a batch and waits for the result. When ctx ends first, the item may still run.
func (b *Batcher[T]) Do(ctx context.Context, item T) error {
	e := entry[T]{item: item, done: make(chan error, 1)}
	if err := b.enqueue(ctx, e); err != nil {
		return err
	}
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Batcher[T]) enqueue(ctx context.Context, e entry[T]) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return ErrClosed
	}
	select {
	case b.queue <- e:
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
	var held *entry[T]
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

// gather waits for one entry and takes along what else is there. An entry that must be apart begins the next batch.
func (b *Batcher[T]) gather(held *entry[T]) (batch []entry[T], next *entry[T], open bool) {
	if held == nil {
		e, ok := <-b.queue
		if !ok {
			return nil, nil, false
		}
		held = &e
	}
	batch = append(batch, *held)
	items := []T{held.item}
	for len(batch) < b.cfg.Max {
		select {
		case e, ok := <-b.queue:
			if !ok {
				return batch, nil, false
			}
			if b.cfg.Apart != nil && b.cfg.Apart(items, e.item) {
				return batch, &e, true
			}
			batch = append(batch, e)
			items = append(items, e.item)
		default:
			return batch, nil, true
		}
	}
	return batch, nil, true
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
