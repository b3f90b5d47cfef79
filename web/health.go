package web

import (
	"encoding/json"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// HealthHandler answers health, readiness and metrics only, for processes without an API.
func (s *Server) HealthHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.cfg.Registry, promhttp.HandlerOpts{}))
	return mux
}

// health says that the process lives.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	s.write(r, w, []byte(`{"status":"ok"}`))
}

// ready is 200 once a worker has polled, and from then on while events are accepted: without a worker they are kept,
// and delivered when one is back.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	readiness, ok := s.readiness(r)
	body, err := json.Marshal(readiness)
	if err != nil {
		s.cfg.Logger.ErrorContext(r.Context(), "write readiness", slog.Any("error", err))
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if !ok {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	s.write(r, w, body)
}

// write sends a body. An error means that the client is gone, and it knows.
func (s *Server) write(r *http.Request, w http.ResponseWriter, body []byte) {
	if _, err := w.Write(body); err != nil {
		s.cfg.Logger.DebugContext(r.Context(), "write answer", slog.Any("error", err))
	}
}

func (s *Server) readiness(r *http.Request) (Readiness, bool) {
	readiness := s.cfg.Ready(r.Context())
	if readiness.WorkersPolling {
		s.polled.Store(true)
	}
	return readiness, readiness.Accepting && s.polled.Load()
}
