package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
)

//go:embed landing.html landing.css
var landingFiles embed.FS

// landing is the page at the root: what this is, how it is, where to go.
type landing struct {
	server   *Server
	template *template.Template
	css      []byte
}

// landingView is what the page shows.
type landingView struct {
	Version    string
	Ready      bool
	Readiness  Readiness
	URL        string
	TemporalUI string
}

func newLanding(s *Server) (*landing, error) {
	t, err := template.ParseFS(landingFiles, "landing.html")
	if err != nil {
		return nil, fmt.Errorf("read landing page: %w", err)
	}
	css, err := landingFiles.ReadFile("landing.css")
	if err != nil {
		return nil, fmt.Errorf("read landing page: %w", err)
	}
	return &landing{s, t, css}, nil
}

func (l *landing) page(w http.ResponseWriter, r *http.Request) {
	readiness, ready := l.server.readiness(r)
	view := landingView{
		Version: l.server.cfg.Version, Ready: ready, Readiness: readiness,
		URL: l.server.cfg.PublicURL, TemporalUI: l.server.cfg.TemporalUIURL,
	}
	if view.URL == "" {
		view.URL = "http://" + r.Host
	}
	var page bytes.Buffer
	if err := l.template.Execute(&page, view); err != nil {
		l.server.cfg.Logger.ErrorContext(r.Context(), "write landing page", slog.Any("error", err))
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	l.server.write(r, w, page.Bytes())
}

func (l *landing) style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=300")
	l.server.write(r, w, l.css)
}
