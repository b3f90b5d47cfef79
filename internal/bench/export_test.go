package bench

import (
	"log/slog"
	"net/http"
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
