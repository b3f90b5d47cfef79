package bench

import (
	"context"
	"iter"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"busbar/internal/webhook"
)

// What the tests of single parts use.
var (
	Pace        = pace
	Summarize   = summarize
	ParseStat   = parseStat
	ParseStatus = parseStatus
	FileSystem  = fileSystem
	MaskCommand = maskCommand
	Foreign     = foreign
)

// Validate checks a configuration as Run does.
func (c Config) Validate() error {
	if err := c.validate(); err != nil {
		return err
	}
	_, _, err := plan(c)
	return err
}

// CheckDialled is the second check of an address, when it is dialled.
var CheckDialled = checkDialled

// Sink is a sink with one healthy endpoint, one that refuses and one that holds for an hour, and a ledger that awaits the first.
type Sink struct {
	*sink
	ledger *ledger
}

// NewSink starts a Sink that verifies by secret and expects ids that begin with "t-".
func NewSink(secret string) (*Sink, error) {
	l := newLedger("t-", 3, 1)
	s, err := newSink(l, []behaviour{healthy(), refusing(), holding(time.Hour)}, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	verifier, err := webhook.ParseVerifier(secret)
	if err != nil {
		return nil, err
	}
	for n := range s.endpoints {
		s.trust(n, verifier)
	}
	return &Sink{sink: s, ledger: l}, nil
}

// Post records an event as posted and accepted and returns its id.
func (s *Sink) Post() string {
	n, id := s.ledger.begin(time.Now(), time.Now())
	s.ledger.accept(n, time.Now())
	return id
}

// URL is the address of an endpoint.
func (s *Sink) URL(endpoint int) string { return s.url(endpoint) }

// Close ends the sink.
func (s *Sink) Close() error { return s.close() }

// Counts is what a Sink has seen.
type Counts struct {
	Deliveries, Elsewhere, Missing, Repeats, BadSignatures, Malformed, Strays int
}

// Counts reads what was seen until now.
func (s *Sink) Counts() Counts {
	t := s.ledger.tally(0, s.ledger.posted())
	return Counts{
		Deliveries:    t.deliveries,
		Elsewhere:     t.unawaited,
		Missing:       t.missing,
		Repeats:       t.repeats,
		BadSignatures: int(s.badSignatures.Load()),
		Malformed:     int(s.malformed.Load()),
		Strays:        int(s.strays.Load()),
	}
}

// Attempts counts the requests of an endpoint.
func (s *Sink) Attempts(endpoint int) int { return s.attempts(endpoint) }

// StatusOK is what a healthy endpoint answers.
const StatusOK = http.StatusOK

// Get sends a request as the benchmark does.
func Get(ctx context.Context, url string) error {
	c := newClient(url, "", time.Second)
	defer c.close()
	_, err := c.do(ctx, http.MethodGet, "/readyz", nil)
	return err
}

// Entry is an event in a Ledger: when it was due, sent and answered, and when its webhook came; 0 means never.
type Entry struct{ Due, Sent, Answered, Arrived time.Duration }

// Latencies writes entries into a ledger and returns its ingest, end-to-end and late samples and the span.
func Latencies(entries []Entry) (ingest, endToEnd, late []time.Duration, span time.Duration) {
	l := newLedger("t-", 1, 1)
	for _, e := range entries {
		n, id := l.begin(l.origin.Add(e.Due), l.origin.Add(e.Sent))
		if e.Answered != 0 {
			l.accept(n, l.origin.Add(e.Answered))
		}
		if e.Arrived != 0 {
			l.arrive(0, id, l.origin.Add(e.Arrived))
		}
	}
	t := l.tally(0, len(entries))
	return t.ingest, t.endToEnd, t.lag, t.span()
}

// Recovery makes two events arrive before a mark, the second a further time after it at the given offset, and one more event
// 10 ms after that; it returns what is reported of a server that was ready at the mark.
func Recovery(after time.Duration) (first, last *float64) {
	l := newLedger("t-", 1, 1)
	now := time.Now()
	ids := make([]string, 3)
	for i := range ids {
		var n int
		n, ids[i] = l.begin(now, now)
		l.accept(n, now)
	}
	l.arrive(0, ids[0], now)
	l.arrive(0, ids[1], now)
	time.Sleep(time.Millisecond) //nolint:forbidigo // the clock of the test's bubble moves no other way
	l.mark()
	ready := l.origin.Add(l.marked)
	l.arrive(0, ids[1], now) // received before the mark, verified after it
	l.arrive(0, ids[1], ready.Add(after))
	l.arrive(0, ids[2], ready.Add(after+10*time.Millisecond))
	return l.recovery(ready)
}

// Early makes so many events arrive in the given order and returns how early they came.
func Early(events int, order iter.Seq[int], tolerated int) (most, beyond int) {
	l := newLedger("t-", 1, 1)
	for range events {
		n, _ := l.begin(l.origin, l.origin)
		l.accept(n, l.origin)
	}
	at := l.origin
	for n := range order {
		at = at.Add(time.Millisecond)
		l.arrive(0, l.prefix+strconv.Itoa(n), at)
	}
	return l.early(tolerated)
}
