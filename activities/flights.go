package activities

import (
	"context"
	"sync"
	"time"

	"busbar"
)

// Flights are the first attempts that a process has under way. They outlive the activity that began them.
type Flights struct {
	base context.Context //nolint:containedctx // the flights' own life, ended by Close
	cut  context.CancelFunc

	mu     sync.Mutex
	open   map[busbar.DeliveryID]chan struct{}
	closed bool
	group  sync.WaitGroup
}

// NewFlights makes an empty list; Close ends it.
func NewFlights() *Flights {
	base, cut := context.WithCancel(context.Background())
	return &Flights{base: base, cut: cut, open: make(map[busbar.DeliveryID]chan struct{})}
}

// flightTime bounds a first attempt, its wait for a place and its record included.
const flightTime = busbar.MaxDeliveryTimeout + ClaimMargin

// begin has fn make an attempt, with the values of ctx but not its end. It reports false when one at this delivery is under
// way already, or the process is going down.
func (f *Flights) begin(ctx context.Context, id busbar.DeliveryID, fn func(ctx context.Context)) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[id] != nil || f.closed {
		return false
	}
	done := make(chan struct{})
	f.open[id] = done
	f.group.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightTime)
		defer cancel()
		defer context.AfterFunc(f.base, cancel)()
		defer f.end(id, done)
		fn(ctx)
	})
	return true
}

func (f *Flights) end(id busbar.DeliveryID, done chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, id)
	close(done)
}

// under reports whether an attempt is under way.
func (f *Flights) under(id busbar.DeliveryID) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open[id] != nil
}

// wait returns when no attempt at a delivery is under way here, or with the error of ctx.
func (f *Flights) wait(ctx context.Context, id busbar.DeliveryID) error {
	f.mu.Lock()
	done := f.open[id]
	f.mu.Unlock()
	if done == nil {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closePatience is what attempts that are under way get at the end.
const closePatience = 2 * time.Second

// Close waits a while for what is under way and then cuts it. Call it when no more activities are run.
func (f *Flights) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	timer := time.AfterFunc(closePatience, f.cut)
	f.group.Wait()
	timer.Stop()
	f.cut()
}
