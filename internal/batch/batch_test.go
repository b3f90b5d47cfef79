package batch_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/batch"
)

func TestWhatComesWhileABatchRunsMakesTheNext(t *testing.T) {
	t.Parallel()
	started, release := make(chan struct{}), make(chan struct{})
	var batches [][]int
	var once sync.Once
	b := batch.New(batch.Config[int]{Max: 3, Run: func(_ context.Context, items []int) error {
		once.Do(func() { close(started); <-release })
		batches = append(batches, slices.Clone(items))
		return nil
	}})
	var wg sync.WaitGroup
	do := func(n int) {
		wg.Go(func() {
			if err := b.Do(t.Context(), n); err != nil {
				t.Errorf("Do(%d) = %v", n, err)
			}
		})
	}
	do(0)
	<-started
	for n := range 5 {
		do(n + 1)
	}
	close(release)
	wg.Wait()
	b.Close()
	var all []int
	for i, items := range batches {
		if len(items) > 3 {
			t.Errorf("batch %d has %d items, more than Max", i, len(items))
		}
		all = append(all, items...)
	}
	slices.Sort(all)
	if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5}, all); diff != "" {
		t.Errorf("items run (-want +got):\n%s", diff)
	}
}

func TestOneBadItemDoesNotTakeTheOthersWithIt(t *testing.T) {
	t.Parallel()
	bad := errors.New("bad")
	started, hold := make(chan struct{}), make(chan struct{})
	b := batch.New(batch.Config[int]{
		Max:   8,
		Alone: func(err error) bool { return errors.Is(err, bad) },
		Run: func(_ context.Context, items []int) error {
			if items[0] == -1 {
				close(started)
				<-hold
				return nil
			}
			if slices.Contains(items, 2) {
				return bad
			}
			return nil
		},
	})
	defer b.Close()
	results := make([]error, 4)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := b.Do(t.Context(), -1); err != nil {
			t.Error(err)
		}
	})
	<-started
	for n := range results {
		wg.Go(func() { results[n] = b.Do(t.Context(), n) })
	}
	close(hold)
	wg.Wait()
	for n, err := range results {
		if want := n == 2; errors.Is(err, bad) != want {
			t.Errorf("item %d got %v", n, err)
		}
	}
}

func TestItemsThatMustBeApartAreApart(t *testing.T) {
	t.Parallel()
	b := batch.New(batch.Config[string]{
		Max:   8,
		Apart: slices.Contains[[]string],
		Run: func(_ context.Context, items []string) error {
			seen := map[string]bool{}
			for _, it := range items {
				if seen[it] {
					t.Errorf("%q twice in %v", it, items)
				}
				seen[it] = true
			}
			return nil
		},
	})
	var wg sync.WaitGroup
	for range 20 {
		for _, name := range []string{"a", "b"} {
			wg.Go(func() {
				if err := b.Do(t.Context(), name); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	b.Close()
}

func TestAfterCloseNothingRuns(t *testing.T) {
	t.Parallel()
	b := batch.New(batch.Config[int]{Max: 1, Run: func(context.Context, []int) error { return nil }})
	b.Close()
	b.Close()
	if err := b.Do(t.Context(), 1); !errors.Is(err, batch.ErrClosed) {
		t.Errorf("Do after Close = %v, want ErrClosed", err)
	}
}

// A database that never answers must not keep the process from ending.
func TestCloseDoesNotWaitForeverForABatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := batch.New(batch.Config[int]{Max: 1, Run: func(ctx context.Context, _ []int) error {
			<-ctx.Done()
			return ctx.Err()
		}})
		var wg sync.WaitGroup
		for n := range 2 {
			wg.Go(func() {
				if err := b.Do(t.Context(), n); !errors.Is(err, context.Canceled) {
					t.Errorf("Do(%d) = %v, want it cancelled", n, err)
				}
			})
		}
		synctest.Wait()
		b.Close()
		wg.Wait()
	})
}

// Its results would otherwise be as many transactions as chance makes of them.
func TestWhatIsGivenTogetherRunsTogether(t *testing.T) {
	t.Parallel()
	bad := errors.New("bad")
	var batches [][]int
	b := batch.New(batch.Config[int]{
		Max: 2, Alone: func(error) bool { return true },
		Run: func(_ context.Context, items []int) error {
			batches = append(batches, slices.Clone(items))
			if slices.Contains(items, 3) {
				return bad
			}
			return nil
		},
	})
	if errs := b.DoAll(t.Context(), []int{0, 1, 2}); errors.Join(errs...) != nil {
		t.Errorf("DoAll = %v", errs)
	}
	if diff := cmp.Diff([][]int{{0, 1, 2}}, batches); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	errs := b.DoAll(t.Context(), []int{3, 4})
	if !errors.Is(errs[0], bad) || errs[1] != nil {
		t.Errorf("DoAll with one that is bad = %v", errs)
	}
	b.Close()
	for _, err := range b.DoAll(t.Context(), []int{5, 6}) {
		if !errors.Is(err, batch.ErrClosed) {
			t.Errorf("DoAll after Close = %v", err)
		}
	}
}
