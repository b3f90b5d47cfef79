package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"busbar/internal/webhook"
)

// maxWebhook bounds what the sink reads of one request: the largest event data and its envelope fit.
const maxWebhook = 512 << 10

const closeTimeout = 500 * time.Millisecond

// behaviour is how an endpoint of the sink answers a verified webhook.
type behaviour struct {
	status int
	hold   time.Duration
}

func healthy() behaviour { return behaviour{status: http.StatusOK} }

func refusing() behaviour { return behaviour{status: http.StatusInternalServerError} }

func holding(d time.Duration) behaviour { return behaviour{status: http.StatusOK, hold: d} }

// sink receives webhooks on loopback, verifies each and reports it to a ledger.
type sink struct {
	ledger    *ledger
	address   string
	server    *http.Server
	served    chan error
	released  chan struct{}
	release   sync.Once
	endpoints []sinkEndpoint

	badSignatures atomic.Int64
	malformed     atomic.Int64
	strays        atomic.Int64
}

type sinkEndpoint struct {
	behaviour behaviour
	trusted   atomic.Pointer[webhook.Verifier]
	attempts  atomic.Int64
	// down makes it answer 503 to everything; nothing arrives then.
	down atomic.Bool
}

// newSink starts a sink with one endpoint for each behaviour. close ends it.
func newSink(l *ledger, behaviours []behaviour, log *slog.Logger) (*sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for webhooks: %w", err)
	}
	s := &sink{
		ledger:    l,
		address:   listener.Addr().String(),
		served:    make(chan error, 1),
		released:  make(chan struct{}),
		endpoints: make([]sinkEndpoint, len(behaviours)),
	}
	var longest time.Duration
	for i, b := range behaviours {
		s.endpoints[i].behaviour = b
		longest = max(longest, b.hold)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{endpoint}", s.receive)
	s.server = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30*time.Second + longest,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	go func() { s.served <- s.server.Serve(listener) }()
	return s, nil
}

func (s *sink) url(endpoint int) string {
	return "http://" + s.address + "/" + strconv.Itoa(endpoint)
}

// trust sets what an endpoint's webhooks are verified by; until then they all count as badly signed.
func (s *sink) trust(endpoint int, by webhook.Verifier) {
	s.endpoints[endpoint].trusted.Store(&by)
}

// setDown has an endpoint refuse everything, or end that.
func (s *sink) setDown(endpoint int, down bool) {
	s.endpoints[endpoint].down.Store(down)
}

// attempts counts the whole requests an endpoint received.
func (s *sink) attempts(endpoint int) int {
	return int(s.endpoints[endpoint].attempts.Load())
}

// receive takes the arrival time when the whole body is read, before anything is computed from it.
func (s *sink) receive(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("endpoint"))
	if err != nil || n < 0 || n >= len(s.endpoints) {
		s.strays.Add(1)
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWebhook))
	now := time.Now()
	if err != nil {
		s.unread(w, err)
		return
	}
	endpoint := &s.endpoints[n]
	endpoint.attempts.Add(1)
	trusted := endpoint.trusted.Load()
	if trusted == nil || webhook.Verify([]webhook.Verifier{*trusted}, r.Header, body, now) != nil {
		s.badSignatures.Add(1)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	id := r.Header.Get("webhook-id")
	var envelope struct {
		EventID string `json:"eventId"`
		Type    string `json:"type"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil || envelope.EventID != id || envelope.Type != eventType {
		s.malformed.Add(1)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if endpoint.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if !s.ledger.arrive(n, id, now) {
		s.strays.Add(1)
	}
	s.hold(r.Context(), endpoint.behaviour.hold)
	w.WriteHeader(endpoint.behaviour.status)
}

// unread tells a body that is too large, which is the sender's fault, from one that a dying sender did not finish.
func (s *sink) unread(w http.ResponseWriter, err error) {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		s.malformed.Add(1)
	}
	w.WriteHeader(http.StatusBadRequest)
}

func (s *sink) hold(ctx context.Context, d time.Duration) {
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.released:
	}
}

// close lets held requests go and ends the server. Connections that never carried a request are not waited for long.
func (s *sink) close() error {
	s.release.Do(func() { close(s.released) })
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		if err := s.server.Close(); err != nil {
			return fmt.Errorf("close sink: %w", err)
		}
	}
	if err := <-s.served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve sink: %w", err)
	}
	return nil
}
