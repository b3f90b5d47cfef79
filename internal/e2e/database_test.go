package e2e_test

import (
	"net/http"
	"strconv"
	"testing"

	"busbar/internal/pgtest"
)

// Without its database a server promises nothing, says so at once, and needs no restart when the database is back.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	db := pgtest.NewServer(t)
	p := newTopology(t, db.DSN())
	serve := p.run(t, "serve")
	awaitReady(t, serve)
	s := newSink(t)
	serve.subscribe(t, s, nil)
	serve.post(t, "evt_before")
	serve.awaitDelivered(t, "evt_before")

	for round := range 2 {
		// The database goes while events come in.
		l := startLoad(t, load{apis: []*api{serve.api}, clients: 8, prefix: "evt_load_" + strconv.Itoa(round)})
		arrived := len(s.all())
		s.awaitCount(arrived + 50)
		db.Stop(t)
		await(t, "a post to be refused", func() bool { return l.refused() > 0 })
		l.enough()
		for _, id := range []string{"evt_a", "evt_b", "evt_c"} {
			checkUnavailable(t, serve, http.MethodPost, "/v1/events", newEvent(id))
		}
		checkUnavailable(t, serve, http.MethodPost, "/v1/events", []event{newEvent("evt_a"), newEvent("evt_b")})
		checkUnavailable(t, serve, http.MethodGet, "/v1/events/evt_before", nil)
		if !serve.healthy(t) {
			t.Error("the process is not healthy without its database")
		}
		db.Start(t)
		id := "evt_after_" + strconv.Itoa(round)
		await(t, "events to be accepted again", func() bool {
			ans, err := call[accepted](t.Context(), serve.api, http.MethodPost, "/v1/events", newEvent(id))
			return err == nil && ans.Status == http.StatusAccepted
		})
		serve.awaitDelivered(t, id)
		s.awaitIDs(l.wait(t))
	}
	// What was refused was not stored.
	for _, id := range []string{"evt_a", "evt_b", "evt_c"} {
		if got := serve.post(t, id); got.Status != "accepted" {
			t.Errorf("%s is %s, though it was refused before", id, got.Status)
		}
	}
	s.awaitIDs([]string{"evt_a", "evt_b", "evt_c"})
}

func checkUnavailable(t *testing.T, s *server, method, path string, body any) {
	t.Helper()
	ans, err := call[any](t.Context(), s.api, method, path, body)
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
		return
	}
	if ans.Status != http.StatusServiceUnavailable || ans.Error.Code != "UNAVAILABLE" {
		t.Errorf("%s %s: status %d: %s; want 503 UNAVAILABLE", method, path, ans.Status, ans.Text)
	}
	if seconds, err := strconv.Atoi(ans.Header.Get("Retry-After")); err != nil || seconds < 1 {
		t.Errorf("%s %s: Retry-After = %q", method, path, ans.Header.Get("Retry-After"))
	}
}
