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
	open   map[busbar.DeliveryID]*flight
	closed bool
	group  sync.WaitGroup
}

type flight struct {
	done chan struct{}
	// tell is called with what became of the delivery.
	tell []func(landing)
}

// landing is the end of a first attempt.
type landing struct {
	outcome Outcome
	// next is when the delivery goes on, if it does; whoever waits for others must not wait for longer.
	next time.Time
}

// NewFlights makes an empty list; Close ends it.
func NewFlights() *Flights {
	base, cut := context.WithCancel(context.Background())
	return &Flights{base: base, cut: cut, open: make(map[busbar.DeliveryID]*flight)}
}

// flightTime bounds a first attempt, its wait for a place and its record included.
const flightTime = busbar.MaxDeliveryTimeout + ClaimMargin

// begin has fn make an attempt, with the values of ctx but not its end; tell, which must not block, gets what it returns. It
// reports false when the process is going down, or one at this delivery is under way already.
func (f *Flights) begin(ctx context.Context, id busbar.DeliveryID, tell func(landing), fn func(ctx context.Context) landing) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[id] != nil || f.closed {
		return false
	}
	flight := &flight{done: make(chan struct{}), tell: []func(landing){tell}}
	f.open[id] = flight
	f.group.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightTime)
		defer cancel()
		defer context.AfterFunc(f.base, cancel)()
		f.end(id, flight, fn(ctx))
	})
	return true
}

func (f *Flights) end(id busbar.DeliveryID, flight *flight, l landing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, id)
	close(flight.done)
	for _, tell := range flight.tell {
		tell(l)
	}
}

// join has tell called at the end of an attempt, if one is under way.
func (f *Flights) join(id busbar.DeliveryID, tell func(landing)) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	flight := f.open[id]
	if flight == nil {
		return false
	}
	flight.tell = append(flight.tell, tell)
	return true
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
	flight := f.open[id]
	f.mu.Unlock()
	if flight == nil {
		return nil
	}
	select {
	case <-flight.done:
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
