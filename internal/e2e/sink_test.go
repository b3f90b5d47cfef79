package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"busbar/internal/webhook"
)

// sink is a subscriber: it listens on loopback, verifies each webhook and remembers it.
type sink struct {
	t      *testing.T
	server *httptest.Server
	mu     sync.Mutex
	// changed is closed and made anew with each webhook.
	changed  chan struct{}
	trusted  []webhook.Verifier
	answer   func(arrival) reply
	arrivals []arrival
}

// arrival is one verified webhook.
type arrival struct {
	id, delivery, eventType, environment string
	attempt                              int
	at                                   time.Time
	header                               http.Header
	body                                 []byte
}

// reply is what the sink answers with. The zero reply is 200.
type reply struct {
	status int
	header map[string]string
	body   string
	// after, if set, is waited for before the answer; so is the end of the request.
	after <-chan struct{}
}

// mostBody bounds what a sink reads.
const mostBody = 1 << 20

// newSink starts a sink that answers 200; it ends with the test.
func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{t: t, changed: make(chan struct{}), answer: func(arrival) reply { return reply{} }}
	s.server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() {
		s.server.CloseClientConnections()
		s.server.Close()
	})
	return s
}

func (s *sink) url() string { return s.server.URL + "/hook" }

// trust has webhooks verified by a secret or public key.
func (s *sink) trust(key string) {
	s.t.Helper()
	v, err := webhook.ParseVerifier(key)
	if err != nil {
		s.t.Fatalf("parse key: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trusted = append(s.trusted, v)
}

// behave changes the answers from now on.
func (s *sink) behave(answer func(arrival) reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func status(code int) func(arrival) reply {
	return func(arrival) reply { return reply{status: code} }
}

func (s *sink) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	if err != nil {
		// A sender that is killed does not finish its request.
		return
	}
	a, answer := s.record(r, body)
	rep := answer(a)
	if rep.after != nil {
		select {
		case <-rep.after:
		case <-r.Context().Done():
			return
		}
	}
	for name, value := range rep.header {
		w.Header().Set(name, value)
	}
	if rep.status == 0 {
		rep.status = http.StatusOK
	}
	w.WriteHeader(rep.status)
	_, _ = io.WriteString(w, rep.body) // a sender that is gone has nothing to read
}

func (s *sink) record(r *http.Request, body []byte) (arrival, func(arrival) reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := arrival{
		id: r.Header.Get("webhook-id"), delivery: r.Header.Get("busbar-delivery-id"), eventType: r.Header.Get("busbar-event-type"),
		environment: r.Header.Get("busbar-environment"), at: time.Now(), header: r.Header, body: body,
	}
	if err := webhook.Verify(s.trusted, r.Header, body, a.at); err != nil {
		s.t.Errorf("webhook %s: %v", a.id, err)
	}
	var err error
	if a.attempt, err = strconv.Atoi(r.Header.Get("busbar-attempt")); err != nil {
		s.t.Errorf("webhook %s: busbar-attempt: %v", a.id, err)
	}
	s.arrivals = append(s.arrivals, a)
	close(s.changed)
	s.changed = make(chan struct{})
	return a, s.answer
}

// all returns what has arrived.
func (s *sink) all() []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.arrivals)
}

// byID counts what has arrived, by webhook-id.
func (s *sink) byID() map[string]int {
	count := make(map[string]int)
	for _, a := range s.all() {
		count[a.id]++
	}
	return count
}

// await returns when done says so of what has arrived.
func (s *sink) await(what string, done func([]arrival) bool) []arrival {
	s.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		s.mu.Lock()
		arrivals, changed := slices.Clone(s.arrivals), s.changed
		s.mu.Unlock()
		if done(arrivals) {
			return arrivals
		}
		select {
		case <-changed:
		case <-deadline.C:
			s.t.Fatalf("timed out waiting for %s; %d webhooks arrived", what, len(arrivals))
		}
	}
}

// awaitCount returns when n webhooks have arrived.
func (s *sink) awaitCount(n int) []arrival {
	s.t.Helper()
	return s.await(strconv.Itoa(n)+" webhooks", func(a []arrival) bool { return len(a) >= n })
}

// awaitIDs returns when each of the events has arrived at least once.
func (s *sink) awaitIDs(ids []string) {
	s.t.Helper()
	s.await("every accepted event", func(arrivals []arrival) bool {
		seen := make(map[string]bool, len(arrivals))
		for _, a := range arrivals {
			seen[a.id] = true
		}
		return !slices.ContainsFunc(ids, func(id string) bool { return !seen[id] })
	})
}

// repeats counts the webhooks beyond the first of each event.
func (s *sink) repeats() int {
	n := 0
	for _, count := range s.byID() {
		n += count - 1
	}
	return n
}
