package simulator_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"busbar/internal/simulator"
)

// Over a real connection: what is no answer of the API is an outage, and the key goes nowhere else.
func TestServersThatAreNoBusbar(t *testing.T) {
	t.Parallel()
	var leaked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Add(1) }))
	t.Cleanup(elsewhere.Close)
	for name, handle := range map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
		"a page":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>hello</html>") },
		"no data": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"success":true}`) },
		"endless": func(w http.ResponseWriter, _ *http.Request) { endless(w) },
		"cut short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"da`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan struct{}, 100)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				handle(w, r)
				asked <- struct{}{}
			}))
			t.Cleanup(server.Close)
			lines := &log{}
			s, err := simulator.New(simulator.Config{
				BaseURL: server.URL, Key: key, Speed: 1, Now: time.Now, Logger: slog.New(slog.NewTextHandler(lines, nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				s.Run(ctx)
			}()
			for range 3 { // it goes on trying
				<-asked
			}
			cancel()
			<-done
			if n := strings.Count(lines.String(), "cannot reach Busbar"); n != 1 {
				t.Errorf("%d lines say so:\n%s", n, lines)
			}
			if strings.Contains(lines.String(), key) || len(lines.String()) > 1000 {
				t.Errorf("the log shows the key, or too much:\n%.2000s", lines)
			}
		})
	}
	t.Cleanup(func() {
		if leaked.Load() > 0 {
			t.Error("a redirect was followed")
		}
	})
}

// endless writes more than any answer has.
func endless(w http.ResponseWriter) {
	block := []byte(strings.Repeat(" ", 1<<20))
	for range 64 {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}
