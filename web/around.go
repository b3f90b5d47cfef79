package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"busbar"
	"busbar/web/api"
)

// around gives every request an id, every answer its security headers, every panic an answer, and counts.
func (s *Server) around(next http.Handler, m *metrics) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w, requestID: busbar.NewRequestID(), began: s.cfg.Now()}
		h := w.Header()
		h.Set("X-Request-Id", rec.requestID)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		defer func() {
			if p := recover(); p != nil {
				s.recovered(rec, r, p)
			}
			m.observe(r.Method, rec, s.cfg.Now().Sub(rec.began))
		}()
		next.ServeHTTP(rec, r)
	})
}

// recovered answers for a handler that panicked.
func (s *Server) recovered(rec *recorder, r *http.Request, p any) {
	if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(p) // asks the server to drop the connection without a word
	}
	s.cfg.Logger.ErrorContext(r.Context(), "handler panicked", slog.String("request_id", rec.requestID),
		slog.String("route", rec.route), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	if rec.status != 0 {
		return // too late for another answer
	}
	s.api.Fail(r.Context(), rec, api.Call{ID: rec.requestID, Began: rec.began}, "", fmt.Errorf("handle %s: it panicked", rec.route))
}
