package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"busbar/internal/pgtest"
)

// While Temporal is away events are accepted, and delivered when it is back. The flag -away makes it stay away longer.
func TestTemporalAway(t *testing.T) {
	t.Parallel()
	p := newTopology(t, pgtest.DSN(t))
	serve := p.run(t, "serve")
	awaitReady(t, serve)
	s := newSink(t)
	serve.subscribe(t, s, nil)
	// Some events for each moment of the absence.
	const perSecond = 20
	before := startLoad(t, load{apis: []*api{serve.api}, clients: 4, events: 40, prefix: "evt_before"})
	s.awaitCount(10)
	p.cluster.kill(t)
	ids := before.wait(t)
	if n := before.refused(); n > 0 {
		t.Errorf("%d posts were refused as Temporal went", n)
	}
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	over := time.NewTimer(*away)
	defer over.Stop()
	for n, gone := 0, true; gone; n++ {
		select {
		case <-tick.C:
			id := fmt.Sprintf("evt_away_%05d", n)
			serve.post(t, id)
			ids = append(ids, id)
			if ready, ok := serve.ready(t); !ok || !ready.Accepting {
				t.Fatalf("not ready with Temporal away: %+v", ready)
			}
		case <-over.C:
			gone = false
		}
	}
	if last := ids[len(ids)-1]; serve.onlyDelivery(t, last).Status != "pending" {
		t.Errorf("the last event is %s with Temporal away", serve.onlyDelivery(t, last).Status)
	}
	back := time.Now()
	p.startCluster(t)
	t.Logf("Temporal was back after %s", time.Since(back).Round(time.Millisecond))
	s.awaitIDs(ids)
	t.Logf("the first of %d events was delivered %s after its start, the last %s", len(ids),
		firstAfter(s.all(), back).Sub(back).Round(time.Millisecond), time.Since(back).Round(time.Millisecond))
	checkRepeats(t, s, 1)
	await(t, "the backlog to be gone", func() bool {
		ready, ok := serve.ready(t)
		return ok && ready.Backlog == 0 && ready.WorkersPolling
	})
}
