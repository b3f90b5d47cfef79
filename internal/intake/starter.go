package intake

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"busbar"
	"busbar/internal/batch"
	"busbar/internal/store"
)

// Ref is what an event's workflow is told of a delivery.
type Ref struct {
	DeliveryID busbar.DeliveryID
	EndpointID busbar.EndpointID
	// Host is the endpoint's, for people who read the workflow.
	Host string
	// Quick: the first attempt may ride on the event's own task.
	Quick bool
	// Paced: the endpoint has a rate limit, which the delivery waits for by itself.
	Paced bool
}

// Start is an event whose workflow is to be started.
type Start struct {
	Event    store.EventRef
	Type     string
	DeviceID busbar.DeviceID
	Refs     []Ref
	// Forget is called when this process does not ask Temporal to start it now.
	Forget func()
}

// StartFunc starts the workflow of an event. Starting one that has started already is a success. An error means that
// Temporal could not be asked.
type StartFunc func(ctx context.Context, s Start) error

// StarterConfig says what a starter works with.
type StarterConfig struct {
	Store   *store.Store
	Start   StartFunc
	Workers int
	Now     func() time.Time
	Logger  *slog.Logger
}

// Starter starts the workflows of accepted events: at once what this process accepted, by a sweep what a crash, another
// process or a Temporal that was away has left. The table is the truth; the queue is only quick.
type Starter struct {
	cfg     StarterConfig
	queue   chan Start
	forget  *batch.Batcher[store.EventRef]
	breaker breaker
	backlog atomic.Pointer[store.Backlog]
	// refuse holds the reason why no events are accepted, if there is one.
	refuse atomic.Pointer[busbar.Error]

	// mu is held for reading by those who enqueue, so that nobody does after Close.
	mu     sync.RWMutex
	closed bool

	endSweep, endStarts context.CancelFunc
	sweeping, starting  sync.WaitGroup
}

const (
	startTimeout = 2 * time.Second
	sweepEvery   = time.Second
	sweepPage    = 200
	admission    = 500 * time.Millisecond
	// readTimeout bounds a look into the database: one that takes longer is as good as away.
	readTimeout   = 5 * time.Second
	maxBacklogAge = time.Hour
)

var (
	errFull = errors.New("the queue of workflows to start is full")
	errOpen = errors.New("temporal did not answer the last starts")
	errStop = errors.New("the process is going down")
)

// NewStarter starts the workers and the sweep; Close ends them.
func NewStarter(cfg StarterConfig) *Starter {
	sweep, endSweep := context.WithCancel(context.Background())
	starts, endStarts := context.WithCancel(context.Background())
	s := &Starter{
		cfg: cfg, queue: make(chan Start, 4*cfg.Workers), breaker: breaker{now: cfg.Now},
		endSweep: endSweep, endStarts: endStarts,
	}
	s.backlog.Store(&store.Backlog{})
	s.forget = batch.New(batch.Config[store.EventRef]{Max: 200, Lanes: 1, Run: cfg.Store.Started})
	for range cfg.Workers {
		s.starting.Go(func() {
			for job := range s.queue {
				s.start(starts, job)
			}
		})
	}
	s.sweeping.Go(func() { s.sweepUntil(sweep) })
	return s
}

// Close ends the sweep, starts what is queued while Temporal answers, and returns when all is quiet.
func (s *Starter) Close() {
	s.endSweep()
	s.sweeping.Wait()
	s.mu.Lock()
	s.closed = true
	close(s.queue)
	s.mu.Unlock()
	patience := time.AfterFunc(startTimeout, s.endStarts)
	s.starting.Wait()
	patience.Stop()
	s.endStarts()
	s.forget.Close()
}

// Accepting says why no events can be accepted now, or nothing.
func (s *Starter) Accepting() error {
	if err := s.refuse.Load(); err != nil {
		return err
	}
	return nil
}

// Backlog is what waited to be started at the last count, a second ago at most.
func (s *Starter) Backlog() store.Backlog { return *s.backlog.Load() }

// Enqueue has a workflow started soon. It waits a little for room, so that producers who are faster than the workflows
// are slowed down, and then leaves the event to the sweep.
func (s *Starter) Enqueue(ctx context.Context, job Start) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return errStop
	}
	if s.breaker.open() {
		return errOpen
	}
	select {
	case s.queue <- job:
		return nil
	default:
	}
	timer := time.NewTimer(admission)
	defer timer.Stop()
	select {
	case s.queue <- job:
		return nil
	case <-timer.C:
		return errFull
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start reports whether Temporal answered.
func (s *Starter) start(ctx context.Context, job Start) bool {
	if s.breaker.open() {
		job.Forget()
		return false
	}
	callCtx, cancel := context.WithTimeout(ctx, startTimeout)
	err := s.cfg.Start(callCtx, job)
	cancel()
	first := s.breaker.record(err == nil)
	if err != nil {
		// It may have started all the same, so what was prepared for it stays. One line says that Temporal is away, not one
		// for each event.
		level := slog.LevelDebug
		if first {
			level = slog.LevelWarn
		}
		s.cfg.Logger.Log(ctx, level, "could not start a workflow; the sweep will", "event_id", job.Event.ID, "error", err)
		return false
	}
	if err := s.forget.Do(context.WithoutCancel(ctx), job.Event); err != nil {
		// The row stays and the sweep starts it again, which does nothing.
		s.cfg.Logger.WarnContext(ctx, "could not forget a started event", "event_id", job.Event.ID, "error", err)
	}
	return true
}

func (s *Starter) sweepUntil(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		s.sweep(ctx)
		s.count(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// sweep starts what others left, page by page, as long as Temporal answers.
func (s *Starter) sweep(ctx context.Context) {
	for ctx.Err() == nil && !s.breaker.open() {
		refs, err := s.cfg.Store.ClaimStarts(ctx, sweepPage)
		if err != nil {
			s.cfg.Logger.WarnContext(ctx, "could not look for unstarted events", "error", err)
			return
		}
		if !s.startAll(ctx, refs) || len(refs) < sweepPage {
			return
		}
	}
}

func (s *Starter) startAll(ctx context.Context, refs []store.EventRef) bool {
	var group sync.WaitGroup
	var failed atomic.Bool
	room := make(chan struct{}, s.cfg.Workers)
	for _, ref := range refs {
		room <- struct{}{}
		group.Go(func() {
			defer func() { <-room }()
			job, err := s.load(ctx, ref)
			if busbar.CodeOf(err) == busbar.CodeNotFound {
				// Its retention is over.
				err = s.forget.Do(ctx, ref)
			}
			if err != nil {
				s.cfg.Logger.WarnContext(ctx, "could not read an unstarted event", "event_id", ref.ID, "error", err)
				failed.Store(true)
				return
			}
			if !s.start(ctx, job) {
				failed.Store(true)
			}
		})
	}
	group.Wait()
	return !failed.Load()
}

// load reads from the database what the accepting process knew.
func (s *Starter) load(ctx context.Context, ref store.EventRef) (Start, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	e, err := s.cfg.Store.Event(ctx, ref.Environment, ref.ID)
	if err != nil {
		return Start{}, err
	}
	deliveries, err := s.cfg.Store.PendingDeliveries(ctx, ref, "", busbar.MaxEndpoints)
	if err != nil {
		return Start{}, err
	}
	subs, err := s.cfg.Store.Subscribers(ctx, ref.Environment)
	if err != nil {
		return Start{}, err
	}
	job := Start{Event: ref, Type: e.Type, DeviceID: e.DeviceID, Forget: func() {}}
	for _, d := range deliveries {
		r := Ref{DeliveryID: d.DeliveryID, EndpointID: d.EndpointID, Quick: true}
		if sub, ok := subs.Get(d.EndpointID); ok {
			r.Host, r.Paced = host(sub.URL), sub.RateLimit > 0
			r.Quick = !r.Paced
		}
		job.Refs = append(job.Refs, r)
	}
	return job, nil
}

// count looks at the backlog and decides whether it has room.
func (s *Starter) count(ctx context.Context) {
	reading, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	b, err := s.cfg.Store.Backlog(reading)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.refuse.Store(busbar.Unavailable(retryAfter, err, "the database cannot be reached; try again"))
		return
	}
	s.backlog.Store(&b)
	tooOld := b.Count > 0 && s.cfg.Now().Sub(b.Oldest) > maxBacklogAge
	if b.Count >= store.BacklogLimit || tooOld {
		s.refuse.Store(busbar.Unavailable(10*time.Second, nil,
			"%d events wait to be processed since Temporal cannot be reached; try again later", b.Count))
		return
	}
	s.refuse.Store(nil)
}

func host(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return u.Host
}

// breaker stops asking a Temporal that does not answer: after a few failures in a row it is open for a second.
type breaker struct {
	now      func() time.Time
	mu       sync.Mutex
	failures int
	until    time.Time
}

const breakerFailures = 3

func (b *breaker) open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now().Before(b.until)
}

// record reports whether this is the first failure after a success.
func (b *breaker) record(ok bool) (first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ok {
		b.failures, b.until = 0, time.Time{}
		return false
	}
	if b.failures++; b.failures >= breakerFailures {
		b.until = b.now().Add(time.Second)
	}
	return b.failures == 1
}
