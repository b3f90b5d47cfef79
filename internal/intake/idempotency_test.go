package intake_test

import (
	"crypto/sha256"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
)

func TestARequestWithTheSameIdempotencyKeyGetsTheSameAnswer(t *testing.T) {
	t.Parallel()
	c := newCluster()
	s := sqlite(t)
	p := start(t, s, c, nil)
	defer p.close()
	key := &intake.Idempotency{APIKeyID: "key_1", Route: "POST /v1/events", Key: "k", BodyHash: sha256.Sum256([]byte("a"))}
	first := accept(t, p, key, candidate("", `{"n":1}`), candidate("", `{"n":2}`))
	second := accept(t, p, key, candidate("", `{"n":1}`), candidate("", `{"n":2}`))
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("the answer changed (-first +second):\n%s", diff)
	}
	if first[0].Status != busbar.StatusAccepted || first[0].EventID == first[1].EventID {
		t.Errorf("first answer = %+v", first)
	}
	other := *key
	other.BodyHash = sha256.Sum256([]byte("b"))
	if _, err := p.Accept(t.Context(), busbar.Sandbox, []intake.Candidate{candidate("", `{}`)}, &other); busbar.CodeOf(err) != busbar.CodeIdempotencyConflict {
		t.Errorf("another body under the same key = %v, want IDEMPOTENCY_CONFLICT", err)
	}
	events, err := s.Events(t.Context(), busbar.Sandbox, store.EventFilter{}, busbar.PageRequest{Limit: 10})
	must(t, err)
	if len(events.Items) != 2 {
		t.Errorf("%d events are stored, want 2", len(events.Items))
	}
}

// A refused item whose error has a cause is given again, without the cause.
func TestARefusedItemIsRefusedAgainUnderItsIdempotencyKey(t *testing.T) {
	t.Parallel()
	p := start(t, sqlite(t), newCluster(), nil)
	defer p.close()
	key := &intake.Idempotency{APIKeyID: "key_1", Route: "POST /v1/events", Key: "k"}
	refused := busbar.Invalid("data.level", "type", "must be a number")
	refused.Err = errors.New("cause")
	items := []intake.Candidate{candidate("", `{}`), {Err: refused}}
	first := accept(t, p, key, items...)
	second := accept(t, p, key, items...)
	if diff := cmp.Diff(first, second, cmpopts.IgnoreFields(busbar.Error{}, "Err")); diff != "" {
		t.Errorf("the answer changed (-first +second):\n%s", diff)
	}
}

func TestTheSameKeyAtOnceIsOneRequest(t *testing.T) {
	t.Parallel()
	p := start(t, sqlite(t), newCluster(), nil)
	defer p.close()
	key := &intake.Idempotency{APIKeyID: "key_1", Route: "POST /v1/events", Key: "k"}
	var mu sync.Mutex
	ids := map[busbar.EventID]bool{}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			out, err := p.Accept(t.Context(), busbar.Sandbox, []intake.Candidate{candidate("", `{}`)}, key)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			ids[out[0].EventID] = true
			mu.Unlock()
		})
	}
	wg.Wait()
	if len(ids) != 1 {
		t.Errorf("one key made %d events", len(ids))
	}
}
