package runlist_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/runlist"
	"busbar/internal/store"
)

// shelf is a store that has so much to list, and takes so long for each step.
type shelf struct {
	mu      sync.Mutex
	steps   int
	each    time.Duration
	idle    map[store.RuleRef]int
	now     time.Time
	sampled []bool
	trimmed []string
	err     error
}

func (s *shelf) ListRuns(_ context.Context, sample bool) (store.ListedRuns, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.steps == 0 {
		return store.ListedRuns{}, s.err
	}
	s.steps--
	s.now = s.now.Add(s.each)
	s.sampled = append(s.sampled, sample)
	return store.ListedRuns{Packs: 1, Idle: s.idle}, nil
}

func (s *shelf) TrimRuns(_ context.Context, ref store.RuleRef) error {
	s.trimmed = append(s.trimmed, string(ref.ID))
	return nil
}

func round(t *testing.T, s *shelf) *runlist.Lister {
	t.Helper()
	l := runlist.New(s, func() time.Time { return s.now }, slog.New(slog.DiscardHandler))
	if err := l.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestIdleRunsAreLeftOutOnlyWhenListingFallsBehind(t *testing.T) {
	t.Parallel()
	s := &shelf{steps: 5, each: 400 * time.Millisecond}
	l := round(t, s)
	if diff := cmp.Diff([]bool{false, false, false, true, true}, s.sampled); diff != "" {
		t.Errorf("sampled (-want +got):\n%s", diff)
	}
	s.steps, s.sampled = 1, nil
	if err := l.Round(t.Context()); err != nil || slices.Contains(s.sampled, true) {
		t.Errorf("the next round: %v, sampled %v", err, s.sampled)
	}
}

func TestRulesAreTrimmedWhenTheyHaveManyMoreAndAtRest(t *testing.T) {
	t.Parallel()
	s := &shelf{steps: 3, idle: map[store.RuleRef]int{{ID: "busy"}: 100, {ID: "quiet"}: 1}}
	l := round(t, s)
	if slices.Sort(s.trimmed); !slices.Equal(s.trimmed, []string{"busy", "busy", "quiet"}) {
		t.Errorf("trimmed %v: busy once while there was work, and each once at rest", s.trimmed)
	}
	if err := l.Round(t.Context()); err != nil || len(s.trimmed) != 3 {
		t.Errorf("a round without work: %v, trimmed %v", err, s.trimmed)
	}
}

func TestAListerGoesOnAfterAnErrorAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{err: errors.New("away")}
		l := runlist.New(s, time.Now, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { l.Run(ctx); close(ended) }()
		time.Sleep(1100 * time.Millisecond) //nolint:forbidigo // the bubble's clock
		synctest.Wait()
		s.mu.Lock()
		s.err, s.steps = nil, 1
		s.mu.Unlock()
		time.Sleep(500 * time.Millisecond) //nolint:forbidigo // the bubble's clock
		synctest.Wait()
		cancel()
		<-ended
		if len(s.sampled) != 1 {
			t.Errorf("listed %d times once the store was back", len(s.sampled))
		}
	})
}
