package e2e_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// inFlight is how many attempts one process makes at one endpoint at a time, by default.
const inFlight = 16

// load is a number of events that clients post as a careful producer does: with an id of its own for each, and again until it
// is answered 202.
type load struct {
	apis    []*api
	clients int
	// events is how many; zero is one after the other until enough is called.
	events int
	prefix string
}

// running is a load that is being posted.
type running struct {
	load
	// accepted counts the events that were answered 202.
	accepted atomic.Int64
	// failures counts answers other than 202, broken the posts without an answer.
	failures, broken atomic.Int64
	// odd is an answer that a producer would not take for a reason to try again.
	odd     atomic.Pointer[string]
	clients sync.WaitGroup

	mu sync.Mutex
	// posted is how many were taken to be posted, of at most so many.
	posted, most int64
}

// startLoad posts in the background until all is accepted; wait returns then.
func startLoad(t *testing.T, l load) *running {
	t.Helper()
	r := &running{load: l, most: int64(l.events)}
	if l.events == 0 {
		r.most = math.MaxInt64
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience+*away)
	t.Cleanup(cancel)
	for i := range l.clients {
		r.clients.Go(func() {
			for {
				n, more := r.take()
				if !more || !r.post(ctx, l.apis[i%len(l.apis)], r.id(n)) {
					return
				}
			}
		})
	}
	return r
}

// take gives the number of the next event.
func (r *running) take() (n int64, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.posted == r.most {
		return 0, false
	}
	r.posted++
	return r.posted, true
}

// enough ends a load after the events that are being posted.
func (r *running) enough() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.most = r.posted
}

func (r *running) id(n int64) string { return fmt.Sprintf("%s_%04d", r.prefix, n) }

// post gives up only when the time is over.
func (r *running) post(ctx context.Context, a *api, id string) bool {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		ans, err := call[accepted](ctx, a, http.MethodPost, "/v1/events", newEvent(id))
		switch {
		case err == nil && ans.Status == http.StatusAccepted:
			r.accepted.Add(1)
			return true
		case err == nil:
			r.failures.Add(1)
			if ans.Status != http.StatusServiceUnavailable || ans.Error.Code != "UNAVAILABLE" || ans.Header.Get("Retry-After") == "" {
				r.odd.Store(&ans.Text)
			}
		default:
			r.broken.Add(1)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return false
		}
	}
}

// wait returns the ids of the events once all of them were answered 202.
func (r *running) wait(t *testing.T) []string {
	t.Helper()
	r.clients.Wait()
	if odd := r.odd.Load(); odd != nil {
		t.Errorf("a post was answered neither 202 nor 503 UNAVAILABLE with Retry-After: %s", *odd)
	}
	events := r.posted
	if got := r.accepted.Load(); got != events {
		t.Fatalf("%d of %d events were accepted; %d posts were refused, %d got no answer",
			got, events, r.failures.Load(), r.broken.Load())
	}
	ids := make([]string, 0, events)
	for n := range events {
		ids = append(ids, r.id(n+1))
	}
	return ids
}

// refused counts the posts that were not answered 202, or not at all.
func (r *running) refused() int { return int(r.failures.Load() + r.broken.Load()) }

// checkRepeats allows one repeat for each attempt that can have been under way when processes died.
func checkRepeats(t *testing.T, s *sink, killed int) {
	t.Helper()
	if got := s.repeats(); got > killed*inFlight {
		t.Errorf("%d repeats, want at most the %d attempts that were under way", got, killed*inFlight)
	}
	t.Logf("%d webhooks, %d repeats", len(s.all()), s.repeats())
}
