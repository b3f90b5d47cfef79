package bench

import (
	"maps"
	"time"
)

// tally is what a ledger says about a range of events.
type tally struct {
	posted     int
	accepted   int
	deliveries int
	missing    int
	repeats    int
	unawaited  int
	errors     map[string]int

	ingest, endToEnd, lag []time.Duration
	first, last           time.Duration
	lastArrival           time.Duration
}

// tally counts the events from number from up to but not including number to. Repeats and errors are the whole ledger's.
func (l *ledger) tally(from, to int) tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := tally{posted: to - from, errors: maps.Clone(l.errors)}
	for _, n := range l.repeats[:l.awaited] {
		t.repeats += n
	}
	for n := from; n < to; n++ {
		e := l.events[n]
		if t.first == 0 || e.sent < t.first {
			t.first = e.sent
		}
		t.lag = append(t.lag, e.sent-e.due)
		if e.accepted {
			t.accepted++
			t.missing += l.missing(n)
			t.ingest = append(t.ingest, e.answered-e.due)
			t.last = max(t.last, e.answered)
		}
		for endpoint, at := range l.arrivals[n*l.endpoints : (n+1)*l.endpoints] {
			switch {
			case at == 0:
			case endpoint >= l.awaited:
				t.unawaited++
			default:
				t.deliveries++
				t.endToEnd = append(t.endToEnd, at-e.due)
				t.last = max(t.last, at)
				t.lastArrival = max(t.lastArrival, at)
			}
		}
	}
	return t
}

// span is the time from the first post to the last answer or arrival.
func (t tally) span() time.Duration {
	return max(t.last-t.first, 0)
}

// perSecond spreads n over the span; nil when there was none.
func (t tally) perSecond(n int) *float64 {
	if t.span() == 0 || n == 0 {
		return nil
	}
	rate := float64(n) / t.span().Seconds()
	return &rate
}
