package e2e_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/pgtest"
)

// One event posted sixteen times at once to two processes is one event.
func TestSameEventToTwoProcesses(t *testing.T) {
	t.Parallel()
	p := newTopology(t, pgtest.DSN(t))
	servers := []*server{p.run(t, "serve"), p.run(t, "serve")}
	awaitReady(t, servers...)
	s := newSink(t)
	servers[0].subscribe(t, s, nil)
	const rounds, clients = 5, 16
	for round := range rounds {
		id := "evt_same_" + string(rune('a'+round))
		statuses := postTogether(t, servers, clients, id)
		if diff := cmp.Diff(map[string]int{"accepted": 1, "duplicate": clients - 1}, statuses); diff != "" {
			t.Errorf("answers for %s (-want +got):\n%s", id, diff)
		}
		for _, server := range servers {
			server.awaitDelivered(t, id) // of its only delivery
		}
	}
	// An event that follows has arrived: whatever a duplicate could have sent was sent before.
	servers[1].post(t, "evt_last")
	servers[0].awaitDelivered(t, "evt_last")
	want := map[string]int{"evt_last": 1, "evt_same_a": 1, "evt_same_b": 1, "evt_same_c": 1, "evt_same_d": 1, "evt_same_e": 1}
	if diff := cmp.Diff(want, s.byID()); diff != "" {
		t.Errorf("webhooks by event (-want +got):\n%s", diff)
	}
	other := newEvent("evt_last")
	other.Data["state"] = map[string]any{"level": 1}
	ans, err := call[accepted](t.Context(), servers[0].api, http.MethodPost, "/v1/events", other)
	if err != nil || ans.Status != http.StatusConflict || ans.Error.Code != "EVENT_ID_REUSED" {
		t.Errorf("the id with other content: %d %s %v, want EVENT_ID_REUSED", ans.Status, ans.Error.Code, err)
	}
}

// postTogether posts one event from many clients at once and counts what they are told.
func postTogether(t *testing.T, servers []*server, clients int, id string) map[string]int {
	t.Helper()
	var group sync.WaitGroup
	begin := make(chan struct{})
	told := make([]string, clients)
	for i := range clients {
		group.Go(func() {
			<-begin
			ans, err := call[accepted](t.Context(), servers[i%len(servers)].api, http.MethodPost, "/v1/events", newEvent(id))
			switch {
			case err != nil:
				told[i] = err.Error()
			case ans.Status != http.StatusAccepted:
				told[i] = ans.Text
			default:
				told[i] = ans.Data.Status
			}
		})
	}
	close(begin)
	group.Wait()
	count := make(map[string]int)
	for _, s := range told {
		count[s]++
	}
	return count
}
