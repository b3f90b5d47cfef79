package dashboard

import (
	"context"
	"sync"
	"time"

	"busbar"
	"busbar/internal/store"
	"busbar/web/dashboard/view"
)

// history counts deliveries by the hour. How many were made in an hour that is over does not change, so it is asked once;
// how many of them are not delivered is asked anew, but at most once a second whoever asks, and less often the longer it takes.
type history struct {
	counter Counter
	now     func() time.Time

	mu   sync.Mutex
	envs map[busbar.Environment]*envHistory
}

type envHistory struct {
	mu sync.Mutex
	// made counts by endpoint and hour.
	made map[time.Time]map[busbar.EndpointID]int
	// latest is the last answer, which is good until its time.
	latest *view.Day
	at     time.Time
	until  time.Time
}

const (
	shownHours = 24
	latestTime = time.Second
	// latestShare: an answer is good for so many times what it took, at most latestMost.
	latestShare = 20
	latestMost  = 10 * time.Second
	// settled is how long an hour must be over before its count is kept: clocks of several processes differ a little.
	settled = 2 * time.Minute
)

func newHistory(c Counter, now func() time.Time) *history {
	return &history{counter: c, now: now, envs: make(map[busbar.Environment]*envHistory)}
}

func (h *history) of(env busbar.Environment) *envHistory {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.envs[env]
	if e == nil {
		e = &envHistory{made: make(map[time.Time]map[busbar.EndpointID]int)}
		h.envs[env] = e
	}
	return e
}

// day gives the last 24 hours of an environment. It is shared: never change it.
func (h *history) day(ctx context.Context, env busbar.Environment) (*view.Day, error) {
	e := h.of(env)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := h.now().UTC()
	if e.latest != nil && now.Before(e.until) && !now.Before(e.at) {
		return e.latest, nil
	}
	first := now.Truncate(time.Hour).Add(-(shownHours - 1) * time.Hour)
	if err := h.count(ctx, env, e, first, now); err != nil {
		return nil, err
	}
	open, err := h.counter.CountUndelivered(ctx, env, first, now.Add(time.Hour), time.Hour, true)
	if err != nil {
		return nil, err
	}
	day := view.NewDay(first, shownHours)
	for hour, counts := range e.made {
		for endpoint, n := range counts {
			day.Add(endpoint, hour, busbar.DeliveryDelivered, n)
		}
	}
	for _, b := range open {
		day.Add(b.EndpointID, b.Start, b.Status, b.Count)
		day.Add(b.EndpointID, b.Start, busbar.DeliveryDelivered, -b.Count)
	}
	if day.Events, err = h.counter.CountEvents(ctx, env, first, now.Add(time.Hour)); err != nil {
		return nil, err
	}
	took := h.now().Sub(now)
	e.latest, e.at, e.until = day, now, now.Add(min(max(latestTime, latestShare*took), latestMost))
	return day, nil
}

// count fills in the hours that are not known yet, and the one under way.
func (h *history) count(ctx context.Context, env busbar.Environment, e *envHistory, first, now time.Time) error {
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
