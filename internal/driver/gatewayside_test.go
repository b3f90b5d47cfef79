package driver_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"busbar/internal/driver/drivertest"
	"busbar/internal/webhook"
)

// gatewaySide is a gateway as its owner would write it: it checks the signature, and knows a repeat by its key.
type gatewaySide struct {
	url      string
	verifier webhook.Verifier

	mu   sync.Mutex
	does drivertest.Behaviour
	seen map[string]bool
}

func newGatewaySide(t testing.TB) *gatewaySide {
	t.Helper()
	verifier, err := webhook.ParseVerifier(drivertest.Secret)
	if err != nil {
		t.Fatalf("parse verifier: %v", err)
	}
	side := &gatewaySide{verifier: verifier, does: drivertest.Accepts, seen: map[string]bool{}}
	server := httptest.NewServer(side)
	t.Cleanup(server.Close)
	side.url = server.URL
	return side
}

func (s *gatewaySide) behave(b drivertest.Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.does = b
}

func (s *gatewaySide) effects() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

func (s *gatewaySide) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var given struct {
		ActionID, DeviceID, DeviceType, Command string
		Parameters                              map[string]struct {
			Value float64
			Unit  string
		}
	}
	key := r.Header.Get("Idempotency-Key")
	switch err := json.Unmarshal(body, &given); {
	case webhook.Verify([]webhook.Verifier{s.verifier}, r.Header, body, time.Now()) != nil:
		answer(w, http.StatusUnauthorized, `{"success":false,"errorCode":"BAD_SIGNATURE","message":"not signed"}`)
		return
	case err != nil || r.Method != http.MethodPost || r.URL.Path != "/commands" || key == "" || given.ActionID != key ||
		given.DeviceType != "battery" || given.Command != "charge" || given.Parameters["power"].Unit != "kw":
		answer(w, http.StatusBadRequest, `{"success":false,"errorCode":"BAD_REQUEST","message":"not a command"}`)
		return
	}
	s.mu.Lock()
	does := s.does
	if does == drivertest.Accepts || does == drivertest.Defers || does == drivertest.Breaks {
		s.seen[key] = true
	}
	if does == drivertest.Breaks {
		s.does = drivertest.Accepts
	}
	s.mu.Unlock()
	switch does {
	case drivertest.Accepts:
		answer(w, http.StatusOK, `{"success":true,"message":"charging"}`)
	case drivertest.Defers:
		w.WriteHeader(http.StatusAccepted)
	case drivertest.Refuses:
		answer(w, http.StatusOK, `{"success":false,"errorCode":"TOO_COLD","message":"the battery is below 0 °C"}`)
	case drivertest.Offline:
		answer(w, http.StatusServiceUnavailable, `{"success":false,"errorCode":"DEVICE_OFFLINE","message":"no answer on the bus"}`)
	case drivertest.Swamped:
		w.Header().Set("Retry-After", fmt.Sprint(int(drivertest.RetryAfter.Seconds())))
		w.WriteHeader(http.StatusTooManyRequests)
	case drivertest.Hangs:
		<-r.Context().Done()
	case drivertest.Breaks:
		panic(http.ErrAbortHandler)
	}
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
