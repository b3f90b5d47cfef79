package dashboard

import (
	"context"
	"errors"
	"sync"
	"time"

	"busbar"
	"busbar/internal/store"
	"busbar/web/dashboard/view"
)

// history counts deliveries by the hour. How many were made in an hour that is over does not change, so it is asked once;
// how many of them are not delivered is asked anew, but at most once a second whoever asks, and less often the longer it takes.
// Pages do not wait for a count that takes long: they show what was counted last, say so, and ask again.
type history struct {
	counter Counter
	now     func() time.Time
	// patience is how long a page waits for a count.
	patience time.Duration

	ctx  context.Context //nolint:containedctx // that of counts, which outlive the request that began them
	stop context.CancelFunc

	mu     sync.Mutex
	envs   map[busbar.Environment]*envHistory
	counts sync.WaitGroup
	closed bool
}

type envHistory struct {
	// made counts by endpoint and hour. Only the count under way touches it.
	made map[time.Time]map[busbar.EndpointID]int
	// latest is the last answer, which is good until its time.
	latest *view.Day
	at     time.Time
	until  time.Time
	// under is the count under way; nil when there is none.
	under *count
}

// count is one that goes on. Its result is there once done is closed.
type count struct {
	done chan struct{}
	day  *view.Day
	err  error
}

const (
	shownHours = 24
	latestTime = time.Second
	// latestShare: an answer is good for so many times what it took, at most latestMost.
	latestShare = 20
	latestMost  = 10 * time.Second
	// settled is how long an hour must be over before its count is kept: clocks of several processes differ a little.
	settled = 2 * time.Minute
	// countPatience leaves most of the 50 ms of a page to the page.
	countPatience = 25 * time.Millisecond
)

func newHistory(c Counter, now func() time.Time, patience time.Duration) *history {
	h := &history{counter: c, now: now, patience: patience, envs: make(map[busbar.Environment]*envHistory)}
	h.ctx, h.stop = context.WithCancel(context.Background())
	return h
}

// close ends the counts that are under way, and waits for them.
func (h *history) close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.stop()
	h.counts.Wait()
}

// day gives the last 24 hours of an environment, as far as they are counted. It is shared: never change it.
func (h *history) day(ctx context.Context, env busbar.Environment) (*view.Day, error) {
	now := h.now().UTC()
	h.mu.Lock()
	e := h.envs[env]
	if e == nil {
		e = &envHistory{made: make(map[time.Time]map[busbar.EndpointID]int)}
		h.envs[env] = e
	}
	if e.latest != nil && now.Before(e.until) && !now.Before(e.at) {
		defer h.mu.Unlock()
		return e.latest, nil
	}
	shown := view.NewDay(firstHour(now), shownHours)
	if e.latest != nil {
		*shown = *e.latest
	}
	shown.Counting = true
	if e.under == nil && !h.closed {
		e.under = &count{done: make(chan struct{})}
		h.counts.Go(func() { h.run(env, e, now) })
	}
	under := e.under
	h.mu.Unlock()
	if under == nil {
		return shown, nil
	}
	patience := time.NewTimer(h.patience)
	defer patience.Stop()
	select {
	case <-under.done:
		if errors.Is(under.err, context.Canceled) {
			return shown, nil
		}
		return under.day, under.err
	case <-patience.C:
		return shown, nil
	case <-ctx.Done():
		return nil, ctx.Err() //nolint:wrapcheck // nobody reads it any more
	}
}

// run carries out a count, and hands it to those who wait.
func (h *history) run(env busbar.Environment, e *envHistory, now time.Time) {
	day, err := h.count(h.ctx, env, e, now)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		took := h.now().Sub(now)
		e.latest, e.at, e.until = day, now, now.Add(min(max(latestTime, latestShare*took), latestMost))
	}
	e.under.day, e.under.err = day, err
	close(e.under.done)
	e.under = nil
}

func firstHour(now time.Time) time.Time {
	return now.Truncate(time.Hour).Add(-(shownHours - 1) * time.Hour)
}

func (h *history) count(ctx context.Context, env busbar.Environment, e *envHistory, now time.Time) (*view.Day, error) {
	first := firstHour(now)
	if err := h.countMade(ctx, env, e, first, now); err != nil {
		return nil, err
	}
	open, err := h.counter.CountUndelivered(ctx, env, first, now.Add(time.Hour), time.Hour, true)
	if err != nil {
		return nil, err
	}
	day := view.NewDay(first, shownHours)
	day.Counted = true
	for hour, counts := range e.made {
		for endpoint, n := range counts {
			day.Add(endpoint, hour, busbar.DeliveryDelivered, n)
		}
	}
	for _, b := range open {
		day.Add(b.EndpointID, b.Start, b.Status, b.Count)
		day.Add(b.EndpointID, b.Start, busbar.DeliveryDelivered, -b.Count)
	}
	day.Events, err = h.counter.CountEvents(ctx, env, first, now.Add(time.Hour))
	return day, err
}

// countMade fills in the hours that are not known yet, and the one under way.
func (h *history) countMade(ctx context.Context, env busbar.Environment, e *envHistory, first, now time.Time) error {
	for hour := range e.made {
		if hour.Before(first) || now.Sub(hour.Add(time.Hour)) < settled {
			delete(e.made, hour)
		}
	}
	from := first
	for ; from.Before(now); from = from.Add(time.Hour) {
		if _, known := e.made[from]; !known {
			break
		}
	}
	made, err := h.counter.CountMade(ctx, env, from, now.Add(time.Hour), time.Hour, true)
	if err != nil {
		return err
	}
	for hour := from; hour.Before(now); hour = hour.Add(time.Hour) {
		e.made[hour] = make(map[busbar.EndpointID]int)
	}
	for _, b := range made {
		if counts, ok := e.made[b.Start]; ok {
			counts[b.EndpointID] += b.Count
		}
	}
	return nil
}

var _ Counter = (*store.Store)(nil)
