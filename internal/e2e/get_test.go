package e2e_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"testing"
)

// get returns status and body of a plain GET; the status is 0 when nobody answers.
func get(t *testing.T, a *api, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.base+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if a.key != "" {
		req.Header.Set("x-api-key", a.key)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return 0, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return 0, ""
	}
	return resp.StatusCode, string(body)
}

// readyz returns what a process says of itself, and whether that is 200.
func readyz(t *testing.T, a *api) (readiness, bool) {
	t.Helper()
	var r readiness
	code, body := get(t, a, "/readyz")
	if code == 0 {
		return r, false
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		t.Fatalf("GET /readyz: %v in %q", err, body)
	}
	return r, code == http.StatusOK
}

// testLogger writes to the test's output.
func testLogger(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}
