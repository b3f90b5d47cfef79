package activities

import (
	"context"
	"sync"
	"time"

	"busbar/internal/store"
)

// gatherTime is how long the record of an attempt waits for those of others that were begun together. It is on nobody's way:
// the webhook has arrived.
const gatherTime = 20 * time.Millisecond

// sheaf gathers the records of attempts that were begun together, so that they are one transaction and not ten.
type sheaf struct {
	recorder Recorder

	mu sync.Mutex
	// open is how many may still come.
	open    int
	waiting *bundle
}

// bundle is records that are made together.
type bundle struct {
	finished []*store.Finished
	errs     []error
	done     chan struct{}
}

func newSheaf(r Recorder, attempts int) *sheaf { return &sheaf{recorder: r, open: attempts} }

// put puts an attempt on record.
func (s *sheaf) put(ctx context.Context, f *store.Finished) error {
	s.mu.Lock()
	b := s.waiting
	begun := b == nil
	if begun {
		b = &bundle{done: make(chan struct{})}
		s.waiting = b
	}
	at := len(b.finished)
	b.finished = append(b.finished, f)
	last := len(b.finished) >= s.open
	s.mu.Unlock()
	switch {
	case last:
		s.record(ctx, b)
	case begun:
		time.AfterFunc(gatherTime, func() { s.record(ctx, b) })
	}
	<-b.done
	return b.errs[at]
}

// record puts a bundle on record, once.
func (s *sheaf) record(ctx context.Context, b *bundle) {
	s.mu.Lock()
	if s.waiting != b {
		s.mu.Unlock()
		return
	}
	s.waiting = nil
	s.mu.Unlock()
	b.errs = s.recorder.DoAll(context.WithoutCancel(ctx), b.finished)
	close(b.done)
}

// leave is called once for each attempt, at its end.
func (s *sheaf) leave(ctx context.Context) {
	s.mu.Lock()
	s.open--
	b := s.waiting
	last := b != nil && len(b.finished) >= s.open
	s.mu.Unlock()
	if last {
		s.record(ctx, b)
	}
}
