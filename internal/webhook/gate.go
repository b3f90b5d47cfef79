package webhook

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"
)

var (
	// ErrGateLimit says that a limit below 1 was asked for.
	ErrGateLimit = errors.New("an in-flight limit must be at least 1")
	// ErrGateFull says that as many wait for this key as may.
	ErrGateFull = errors.New("too many wait for this key")
)

// GateConfig configures NewGate.
type GateConfig struct {
	// MaxWaiting bounds how many wait for one key. 0 is no bound.
	MaxWaiting int
}

// Gate gives out in-flight permits per key, inside one process and first come first served. A key that is not used
// takes no memory. It is safe for concurrent use.
type Gate struct {
	maxWaiting int

	mu   sync.Mutex
	keys map[string]*permits
}

type permits struct {
	limit, inFlight int
	// waiting holds *waiter, the first to come in front.
	waiting *list.List
}

type waiter struct {
	granted chan struct{}
}

// NewGate makes an open gate.
func NewGate(config GateConfig) (*Gate, error) {
	if config.MaxWaiting < 0 {
		return nil, errors.New("make gate: the number that may wait must not be negative")
	}
	return &Gate{maxWaiting: config.MaxWaiting, keys: map[string]*permits{}}, nil
}

// Acquire takes a permit of key, waiting for one until ctx is done. At most limit are out at once; the limit that was
// asked for last counts for all who wait. It fails with the context's error, ErrGateLimit or ErrGateFull. The caller
// calls release, once or more.
func (g *Gate) Acquire(ctx context.Context, key string, limit int) (release func(), err error) {
	if limit < 1 {
		return nil, ErrGateLimit
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("acquire permit: %w", err)
	}
	w, place, err := g.enter(key, limit)
	if err != nil {
		return nil, err
	}
	if w == nil {
		return g.releaser(key), nil
	}
	select {
	case <-w.granted:
		return g.releaser(key), nil
	case <-ctx.Done():
		g.leave(key, w, place)
		return nil, fmt.Errorf("acquire permit: %w", ctx.Err())
	}
}

// TryAcquire takes a permit if one is free and nobody waits for it.
func (g *Gate) TryAcquire(key string, limit int) (release func(), ok bool) {
	if limit < 1 {
		return nil, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.at(key, limit)
	defer g.settle(key, p)
	if !p.free() {
		return nil, false
	}
	p.inFlight++
	return g.releaser(key), true
}

// Waiting is how many wait for key now.
func (g *Gate) Waiting(key string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.keys[key]; p != nil {
		return p.waiting.Len()
	}
	return 0
}

// InFlight is how many permits of key are out now.
func (g *Gate) InFlight(key string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.keys[key]; p != nil {
		return p.inFlight
	}
	return 0
}

// Keys is how many keys are in use now.
func (g *Gate) Keys() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.keys)
}

// enter takes a permit, or a place in the line when w is not nil.
func (g *Gate) enter(key string, limit int) (w *waiter, place *list.Element, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.at(key, limit)
	if p.free() {
		p.inFlight++
		return nil, nil, nil
	}
	if g.maxWaiting > 0 && p.waiting.Len() >= g.maxWaiting {
		return nil, nil, ErrGateFull
	}
	w = &waiter{granted: make(chan struct{})}
	return w, p.waiting.PushBack(w), nil
}

// leave gives up a place, or the permit that was granted at the same moment.
func (g *Gate) leave(key string, w *waiter, place *list.Element) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.keys[key]
	select {
	case <-w.granted:
		p.inFlight--
	default:
		p.waiting.Remove(place)
	}
	g.settle(key, p)
}

func (g *Gate) releaser(key string) func() {
	var once sync.Once
	return func() {
		once.Do(func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			p := g.keys[key]
			p.inFlight--
			g.settle(key, p)
		})
	}
}

// at returns the permits of key under its newest limit, which may let some of those in who wait.
func (g *Gate) at(key string, limit int) *permits {
	p := g.keys[key]
	if p == nil {
		p = &permits{waiting: list.New()}
		g.keys[key] = p
	}
	p.limit = limit
	p.admit()
	return p
}

// settle lets in who may go and forgets a key that nobody uses.
func (g *Gate) settle(key string, p *permits) {
	p.admit()
	if p.inFlight == 0 && p.waiting.Len() == 0 {
		delete(g.keys, key)
	}
}

// free is asked after admit, so that a free permit is one that nobody waits for.
func (p *permits) free() bool { return p.inFlight < p.limit }

func (p *permits) admit() {
	for p.inFlight < p.limit && p.waiting.Len() > 0 {
		front := p.waiting.Front()
		p.waiting.Remove(front)
		p.inFlight++
		close(front.Value.(*waiter).granted)
	}
}
