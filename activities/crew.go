package activities

import (
	"context"
	"sync"
	"time"

	"busbar"
)

// crew is first attempts that are made side by side.
type crew struct {
	acts  *Activities
	tries []placedTry
	// ended gets a word each time that an attempt has ended.
	ended chan struct{}

	mu       sync.Mutex
	outcomes []Outcome
	// open is how many are waited for; over, that nobody waits any more.
	open int
	over bool
	// next is when the first of those goes on that have something to go on with.
	next time.Time
}

// placedTry is an attempt at one of the targets.
type placedTry struct {
	firstTry

	at int
}

// newCrew makes one for so many targets.
func (a *Activities) newCrew(targets int) *crew {
	return &crew{acts: a, outcomes: make([]Outcome, targets), ended: make(chan struct{}, 1)}
}

// known reports whether the outcome of a target is known, or waited for.
func (c *crew) known(at int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outcomes[at] != ""
}

// note notes what became of a target that needs no attempt.
func (c *crew) note(at int, l landing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.land(at, l)
}

// land is for who holds the lock.
func (c *crew) land(at int, l landing) {
	c.outcomes[at] = l.outcome
	if !l.next.IsZero() && (c.next.IsZero() || l.next.Before(c.next)) {
		c.next = l.next
	}
}

// tell is told of the end of the attempt at a target.
func (c *crew) tell(at int) func(landing) {
	return func(l landing) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.over {
			return
		}
		c.land(at, l)
		c.open--
		select {
		case c.ended <- struct{}{}:
		default:
		}
	}
}

// expect has one more waited for, or one less.
func (c *crew) expect(at, more int, outcome Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open += more
	c.outcomes[at] = outcome
}

// add has a first attempt made by begin.
func (c *crew) add(at int, try firstTry) { c.tries = append(c.tries, placedTry{try, at}) }

// join waits for an attempt that is under way.
func (c *crew) join(at int, id busbar.DeliveryID) bool {
	c.expect(at, 1, OutcomeUnderWay)
	if c.acts.cfg.Flights.join(id, c.tell(at)) {
		return true
	}
	c.expect(at, -1, "")
	return false
}

// begin makes the attempts that were added. What they come to is put on record together.
func (c *crew) begin(ctx context.Context, fn func(ctx context.Context, try firstTry) landing) {
	records := newSheaf(c.acts.cfg.Recorder, len(c.tries))
	for _, p := range c.tries {
		try := p.firstTry
		try.records = records
		tell, more := c.tell(p.at), 1
		if try.unawaited {
			tell, more = func(landing) {}, 0
		}
		c.expect(p.at, more, OutcomeUnderWay)
		if c.acts.cfg.Flights.begin(ctx, try.DeliveryID, tell, func(ctx context.Context) landing { return fn(ctx, try) }) {
			continue
		}
		// It is under way since a moment ago, or the process is going down.
		records.leave(ctx)
		if try.release != nil {
			try.release()
		}
		c.expect(p.at, -more, OutcomeUnderWay)
	}
}

// wait gives the outcomes as they are when all attempts have ended, or patience is over, or one that has failed is to go on.
func (c *crew) wait(ctx context.Context, patience time.Duration) []Outcome {
	over := time.Now().Add(patience)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		open, next := c.left()
		if !next.IsZero() && next.Before(over) {
			over = next
			timer.Reset(time.Until(over))
		}
		if open == 0 {
			return c.end()
		}
		select {
		case <-c.ended:
		case <-timer.C:
			return c.end()
		case <-ctx.Done():
			return c.end()
		}
	}
}

// left says how many are waited for, and until when at most.
func (c *crew) left() (open int, next time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.next.IsZero() {
		next = time.Now().Add(c.next.Sub(c.acts.cfg.Now()))
	}
	return c.open, next
}

func (c *crew) end() []Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	return c.outcomes
}
