package intake_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
)

// prepared is a process whose judgement, clock and cluster are the test's.
type prepared struct {
	*process
	handoff *intake.Handoff
	asked   chan intake.Start
	// slow: endpoints are not quick any more. It may be set while the cluster is asked.
	slow atomic.Bool
	now  atomic.Int64
}

func startPrepared(t *testing.T, s *store.Store, room int, answer func(intake.Start) error) *prepared {
	t.Helper()
	p := &prepared{handoff: intake.NewHandoff(room, 1<<20), asked: make(chan intake.Start, 10)}
	p.now.Store(time.Now().UnixMicro())
	now := func() time.Time { return time.UnixMicro(p.now.Load()) }
	logger := slog.New(slog.DiscardHandler)
	starter := intake.NewStarter(intake.StarterConfig{
		Store: s, Workers: 1, Now: now, Logger: logger,
		Start: func(_ context.Context, job intake.Start) error {
			defer func() { p.asked <- job }()
			return answer(job)
		},
	})
	in, err := intake.New(intake.Config{
		Store: s, Starter: starter, Handoff: p.handoff, AttemptTime: 20 * time.Second, Lanes: 1, Now: now, Logger: logger,
		Observer: nobody{},
		// The endpoint is found slow right after the transaction has judged it.
		Quick: func(busbar.EndpointID) bool { return !p.slow.Swap(true) },
	})
	must(t, err)
	p.process = &process{Intake: in, starter: starter}
	return p
}

func (p *prepared) await(t *testing.T) intake.Start {
	t.Helper()
	select {
	case job := <-p.asked:
		return job
	case <-time.After(20 * time.Second):
		t.Fatal("the cluster was never asked")
		return intake.Start{}
	}
}

// Its claim would keep the regular way waiting, and what was prepared would stay in memory for good.
func TestAnEndpointFoundSlowAfterTheClaimStillGoesTheQuickWay(t *testing.T) {
	t.Parallel()
	s := sqlite(t)
	createEndpoint(t, s, true)
	p := startPrepared(t, s, 10, func(intake.Start) error { return nil })
	defer p.close()
	accept(t, p.process, nil, candidate("one", `{}`))
	job := p.await(t)
	if len(job.Refs) != 1 || !job.Refs[0].Quick {
		t.Errorf("refs = %+v, want one that is quick", job.Refs)
	}
}

// A start that was not answered may have happened: the first attempt must find what was claimed for it.
func TestAStartWithoutAnAnswerKeepsWhatWasPrepared(t *testing.T) {
	t.Parallel()
	s := sqlite(t)
	createEndpoint(t, s, true)
	p := startPrepared(t, s, 10, func(intake.Start) error { return errors.New("no answer in time") })
	accept(t, p.process, nil, candidate("one", `{}`))
	job := p.await(t)
	p.close()
	shipment, ok := p.handoff.Take(job.Refs[0].DeliveryID)
	if !ok {
		t.Fatal("nothing is prepared")
	}
	if want := time.UnixMicro(p.now.Load()).Add(store.StartClaim); !shipment.Until.Equal(want) {
		t.Errorf("prepared until %s, want %s: then the sweep takes over", shipment.Until, want)
	}
}

func TestWhatNobodyComesForMakesRoom(t *testing.T) {
	t.Parallel()
	s := sqlite(t)
	createEndpoint(t, s, true)
	p := startPrepared(t, s, 1, func(intake.Start) error { return nil })
	defer p.close()
	for i, id := range []string{"first", "second", "third"} {
		p.slow.Store(false)
		accept(t, p.process, nil, candidate(id, `{}`))
		job := p.await(t)
		if i == 1 { // The first is still in time, so there was no room.
			if _, ok := p.handoff.Take(job.Refs[0].DeliveryID); ok {
				t.Error("the second was prepared beyond the bound")
			}
			p.now.Add((2 * store.StartClaim).Microseconds())
		}
		if i == 2 {
			if _, ok := p.handoff.Take(job.Refs[0].DeliveryID); !ok {
				t.Error("the third found no room, though nobody came for the first")
			}
		}
	}
}

// A request that the server gave up waiting for may still be at it when the process ends.
func TestAnEventAtTheVeryEndIsLeftToTheNextStart(t *testing.T) {
	t.Parallel()
	p := startPrepared(t, sqlite(t), 1, func(intake.Start) error { return nil })
	p.close()
	if err := p.starter.Enqueue(t.Context(), intake.Start{Forget: func() {}}); err == nil {
		t.Error("a closed starter took a start")
	}
}
