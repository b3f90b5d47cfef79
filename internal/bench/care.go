package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The endpoints of Care, in this order.
const (
	careHealthy = 30
	careFailing = 10
	careHanging = 10
)

// ParkedResult is a receiver that was down for a while. Its Result's deliveries are those after it was back.
type ParkedResult struct {
	// Refused are the attempts made while the receiver was down.
	Refused int `json:"refusedAttempts"`
	// Circuit is the state of the endpoint's circuit just before the receiver came back.
	Circuit string `json:"circuit"`
	// Before and After are the memory of the idle server and of one that keeps all events for the receiver; its Result's Memory
	// is that when all have arrived.
	Before  Memory  `json:"before"`
	After   Memory  `json:"after"`
	QuietMs float64 `json:"quietMs"`
	// First and Last are from the return of the receiver to the first webhook and to the last event's first one.
	First *float64 `json:"firstDeliveryMs,omitempty"`
	Last  *float64 `json:"lastDeliveryMs,omitempty"`
	// MostEarly is by how many places an event came before its turn. OutOfOrder counts those that came more than MaxInFlight
	// places early, which is impossible when attempts start in order of event time.
	MaxInFlight int `json:"maxInFlight"`
	MostEarly   int `json:"mostPlacesEarly"`
	OutOfOrder  int `json:"outOfOrder"`
}

// CareResult is about the endpoints that fail and hang; the rest of its Result is about the healthy ones.
type CareResult struct {
	Failing         int     `json:"failing"`
	FailingAttempts int     `json:"failingAttempts"`
	Hanging         int     `json:"hanging"`
	HangingAttempts int     `json:"hangingAttempts"`
	HoldMs          float64 `json:"holdMs"`
	// AimMs is the p99 from end to end that the healthy ones should keep; Kept says whether they did, with nothing missing.
	AimMs float64 `json:"aimMs"`
	Kept  bool    `json:"kept"`
}

// careAim is what the others may cost a healthy endpoint.
const careAim = 300 * time.Millisecond

// judge compares the healthy endpoints with the aim. What has not arrived in time may only be late: a server that is behind
// by more than the run waits has not lost anything for that.
func (c *CareResult) judge(r *Result) {
	r.Unconfirmed, r.Losses = r.Unconfirmed+r.Losses, 0
	c.AimMs = milliseconds(careAim)
	c.Kept = r.Unconfirmed == 0 && r.EndToEnd != nil && r.EndToEnd.P99 <= c.AimMs
}

func (r *runner) parked(ctx context.Context, b *bed, result *Result) (err error) {
	result.Load = fmt.Sprintf("%d events while the receiver is down, then it is back", r.cfg.ParkedEvents)
	before := b.memory()
	if before == nil {
		return errNoMemory
	}
	t, err := r.openTrial(ctx, b, 1, healthy())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close(ctx)) }()
	defer func() { t.count(ctx, result) }()
	t.load.dated = true
	t.sink.setDown(0, true)
	limit := r.limit(r.cfg.ParkedEvents)
	if err := t.fill(ctx, limit, r.cfg.ParkedEvents, untilAccepted); err != nil {
		return err
	}
	if err := pause(ctx, r.cfg.Quiet); err != nil {
		return err
	}
	after := b.memory()
	if after == nil {
		return errNoMemory
	}
	endpoint := t.endpoints[0]
	circuit, err := b.client.circuit(ctx, endpoint.ID)
	if err != nil {
		return err
	}
	parked := &ParkedResult{
		Refused: t.sink.attempts(0), Circuit: circuit,
		Before: *before, After: *after, QuietMs: milliseconds(r.cfg.Quiet),
		MaxInFlight: endpoint.MaxInFlight,
	}
	result.Parked = parked
	t.ledger.mark()
	t.sink.setDown(0, false)
	back := time.Now()
	// The server would find out by itself, within the minute that its tries are apart at most.
	if err := b.client.enable(ctx, endpoint.ID); err != nil {
		return err
	}
	err = t.drain(ctx, limit)
	parked.First, parked.Last = t.ledger.recovery(back)
	parked.MostEarly, parked.OutOfOrder = t.ledger.early(endpoint.MaxInFlight)
	if err != nil {
		return err
	}
	return pause(ctx, r.cfg.Linger)
}

// early compares the order of first arrivals at the first endpoint with that of the events' numbers. It returns by how many
// places an event came early at most, and how many came more than tolerated places early.
func (l *ledger) early(tolerated int) (most, beyond int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	type arrival struct {
		rank int
		at   time.Duration
	}
	var arrivals []arrival
	for n := range l.events {
		if at := l.arrivals[n*l.endpoints]; at != 0 {
			arrivals = append(arrivals, arrival{rank: len(arrivals), at: at})
		}
	}
	slices.SortStableFunc(arrivals, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	for place, a := range arrivals {
		most = max(most, a.rank-place)
		if a.rank-place > tolerated {
			beyond++
		}
	}
	return most, beyond
}

func (r *runner) care(ctx context.Context, b *bed, result *Result) (err error) {
	result.Load = fmt.Sprintf("%d events/s for %s, %d endpoints fail, %d hold %s",
		r.cfg.CareRate, r.cfg.Duration, careFailing, careHanging, r.cfg.Hang)
	behaviours := slices.Concat(
		slices.Repeat([]behaviour{healthy()}, careHealthy),
		slices.Repeat([]behaviour{refusing()}, careFailing),
		slices.Repeat([]behaviour{holding(r.cfg.Hang)}, careHanging),
	)
	t, err := r.openTrial(ctx, b, careHealthy, behaviours...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close(ctx)) }()
	err = t.steady(ctx, result, r.cfg.CareRate, func() error { return t.load.paced(ctx, r.cfg.CareRate, r.cfg.careEvents()) })
	care := &CareResult{Failing: careFailing, Hanging: careHanging, HoldMs: milliseconds(r.cfg.Hang)}
	for n := range careFailing {
		care.FailingAttempts += t.sink.attempts(careHealthy + n)
	}
	for n := range careHanging {
		care.HangingAttempts += t.sink.attempts(careHealthy + careFailing + n)
	}
	care.judge(result)
	result.Care = care
	return err
}
