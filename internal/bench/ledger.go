package bench

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ledger keeps what became of every event of one scenario: when it was due, posted, accepted and first received at each endpoint.
// Times are offsets from origin. It is safe for concurrent use; its memory is bounded by the number of events.
type ledger struct {
	origin    time.Time
	prefix    string
	endpoints int
	// awaited is how many endpoints, counted from the first, must receive an event before it counts as delivered.
	awaited int

	mu       sync.Mutex
	events   []event
	arrivals []time.Duration
	repeats  []int
	errors   map[string]int
	open     int
	marked   time.Duration
	fresh    time.Duration
	changed  chan struct{}
	settled  func()
}

type event struct {
	due, sent, answered time.Duration
	accepted            bool
}

// newLedger makes a ledger for events whose ids begin with prefix.
func newLedger(prefix string, endpoints, awaited int) *ledger {
	return &ledger{
		origin:    time.Now(),
		prefix:    prefix,
		endpoints: endpoints,
		awaited:   awaited,
		repeats:   make([]int, endpoints),
		errors:    make(map[string]int),
		changed:   make(chan struct{}, 1),
		settled:   func() {},
	}
}

// offset is never zero, which stands for "not yet".
func (l *ledger) offset(at time.Time) time.Duration {
	return max(at.Sub(l.origin), 1)
}

// onSettled sets what is called once for each event that is refused, or accepted and delivered wherever it is awaited. The
// function must not block and must not call the ledger.
func (l *ledger) onSettled(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settled = f
}

// begin records that an event is about to be posted and returns its number and id.
func (l *ledger) begin(due, now time.Time) (int, string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.events)
	l.events = append(l.events, event{due: l.offset(due), sent: l.offset(now)})
	for range l.endpoints {
		l.arrivals = append(l.arrivals, 0)
	}
	return n, l.prefix + strconv.Itoa(n)
}

// accept records that the event was answered 202.
func (l *ledger) accept(n int, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events[n].answered = l.offset(now)
	l.events[n].accepted = true
	missing := l.missing(n)
	l.open += missing
	if missing == 0 {
		l.settled()
	}
}

// refuse records any other end of the post, by its code.
func (l *ledger) refuse(n int, code string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events[n].answered = l.offset(now)
	l.errors[code]++
	l.settled()
}

// arrive records a verified webhook and reports whether its id is one of this ledger's events.
func (l *ledger) arrive(endpoint int, id string, now time.Time) bool {
	digits, ours := strings.CutPrefix(id, l.prefix)
	n, err := strconv.Atoi(digits)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ours || err != nil || n < 0 || n >= len(l.events) || endpoint < 0 || endpoint >= l.endpoints {
		return false
	}
	at := l.offset(now)
	if l.fresh == 0 && at >= l.marked && endpoint < l.awaited {
		l.fresh = at
	}
	cell := &l.arrivals[n*l.endpoints+endpoint]
	if *cell != 0 {
		l.repeats[endpoint]++
		return true
	}
	*cell = at
	if endpoint >= l.awaited || !l.events[n].accepted {
		return true
	}
	l.open--
	if l.missing(n) == 0 {
		l.settled()
	}
	if l.open == 0 {
		select {
		case l.changed <- struct{}{}:
		default:
		}
	}
	return true
}

// missing counts the awaited endpoints that have not received event n.
func (l *ledger) missing(n int) int {
	missing := 0
	for _, at := range l.arrivals[n*l.endpoints : n*l.endpoints+l.awaited] {
		if at == 0 {
			missing++
		}
	}
	return missing
}

// outstanding counts the deliveries of accepted events that have not arrived where they are awaited.
func (l *ledger) outstanding() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// wait returns when nothing is outstanding, or with the context's error. Nothing may be posted meanwhile.
func (l *ledger) wait(ctx context.Context) error {
	for l.outstanding() > 0 {
		select {
		case <-l.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// mark makes firstSince look for webhooks that were received from now on.
func (l *ledger) mark() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marked, l.fresh = l.offset(time.Now()), 0
}

// firstSince returns when the first webhook after mark was received, the first try for its event or not.
func (l *ledger) firstSince() (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.origin.Add(l.fresh), l.fresh != 0
}

// posted returns the number of events begun so far.
func (l *ledger) posted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.events)
}
