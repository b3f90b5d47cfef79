package webhook

import (
	"container/list"
	"errors"
	"math/bits"
	"sync"
	"time"
)

const (
	// SlowAfter is the time above which an attempt counts against an endpoint's health.
	SlowAfter = 250 * time.Millisecond
	// hangsAfter is the time in flight after which a single attempt says that its endpoint hangs.
	hangsAfter = 4 * SlowAfter
	// hangWindow is how many attempts back one that hung counts.
	hangWindow = 10
	// healthWindow is how many attempts back a failure or slow answer counts.
	healthWindow = 50
	// healthBad is how many of them a quick endpoint may have: a moment in which this machine is slow says nothing.
	healthBad  = 2
	windowMask = 1<<healthWindow - 1
	hangMask   = 1<<hangWindow - 1

	defaultHealthKeys = 10_000
)

// HealthConfig configures NewHealth.
type HealthConfig struct {
	// MaxKeys bounds the endpoints that are remembered; those that were used longest ago are forgotten first, and count
	// as new. 0 is 10,000. Endpoints with an attempt in flight are kept even beyond the bound.
	MaxKeys int
	// Now is the clock. Nil is time.Now.
	Now func() time.Time
}

// Health remembers, inside one process, how the last 50 attempts at each endpoint went. It is safe for concurrent use.
type Health struct {
	maxKeys int
	now     func() time.Time

	mu   sync.Mutex
	keys map[string]*list.Element
	// used holds *endpointHealth, the one used last in front.
	used *list.List
}

type endpointHealth struct {
	key string
	// bad and hung have one bit an attempt, the newest lowest.
	bad, hung uint64
	// flying holds the start times of the attempts in flight, the oldest in front.
	flying *list.List
}

// NewHealth makes an empty memory, in which every endpoint is healthy.
func NewHealth(config HealthConfig) (*Health, error) {
	if config.MaxKeys < 0 {
		return nil, errors.New("make health: the number of keys must not be negative")
	}
	if config.MaxKeys == 0 {
		config.MaxKeys = defaultHealthKeys
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Health{
		maxKeys: config.MaxKeys, now: config.Now, keys: map[string]*list.Element{}, used: list.New(),
	}, nil
}

// Quick says whether an attempt at key may be expected to be short: at most two of its last 50 failed or took more than
// SlowAfter, no more than two have been in flight for longer than that, and none for four times as long. An endpoint
// without attempts is quick.
func (h *Health) Quick(key string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	element := h.keys[key]
	if element == nil {
		return true
	}
	e := element.Value.(*endpointHealth)
	if bits.OnesCount64(e.bad) > healthBad {
		return false
	}
	now, bad := h.now(), 0
	for flight := e.flying.Front(); flight != nil && bad <= healthBad; flight = flight.Next() {
		age := now.Sub(flight.Value.(time.Time))
		if age <= SlowAfter {
			break
		}
		if age > hangsAfter {
			return false
		}
		bad++
	}
	return bad <= healthBad
}

// Hangs says whether an attempt at key may be expected to hold up who waits for it: one of its last ten took more than a
// second, or one in flight does.
func (h *Health) Hangs(key string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	element := h.keys[key]
	if element == nil {
		return false
	}
	e := element.Value.(*endpointHealth)
	oldest := e.flying.Front()
	return e.hung != 0 || oldest != nil && h.now().Sub(oldest.Value.(time.Time)) > hangsAfter
}

// Begin notes that an attempt at key is in flight, so that those that hang count before their end. The caller calls done at
// the end, which records the attempt with the time that the endpoint took; later calls do nothing.
func (h *Health) Begin(key string) (done func(ok bool, took time.Duration)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.use(key)
	flight := e.flying.PushBack(h.now())
	var once sync.Once
	return func(ok bool, took time.Duration) {
		once.Do(func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			e.flying.Remove(flight)
			h.use(key).record(ok, took)
		})
	}
}

// Record notes an attempt that was not announced by Begin.
func (h *Health) Record(key string, ok bool, took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.use(key).record(ok, took)
}

// Forget drops what is known of key, as when its endpoint was changed. Attempts in flight still count.
func (h *Health) Forget(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if element := h.keys[key]; element != nil {
		e := element.Value.(*endpointHealth)
		e.bad, e.hung = 0, 0
	}
}

// Keys is how many endpoints are remembered.
func (h *Health) Keys() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.keys)
}

func (e *endpointHealth) record(ok bool, took time.Duration) {
	e.bad, e.hung = e.bad<<1&windowMask, e.hung<<1&hangMask
	if !ok || took > SlowAfter {
		e.bad |= 1
	}
	if took > hangsAfter {
		e.hung |= 1
	}
}

// use returns the entry of key as the one used last, and makes room for it.
func (h *Health) use(key string) *endpointHealth {
	if element := h.keys[key]; element != nil {
		h.used.MoveToFront(element)
		return element.Value.(*endpointHealth)
	}
	h.evict()
	e := &endpointHealth{key: key, flying: list.New()}
	h.keys[key] = h.used.PushFront(e)
	return e
}

// evict forgets idle entries until one more fits. Busy ones are passed over: they are as few as the attempts in flight.
func (h *Health) evict() {
	for element := h.used.Back(); element != nil && len(h.keys) >= h.maxKeys; {
		older := element
		element = element.Prev()
		if e := older.Value.(*endpointHealth); e.flying.Len() == 0 {
			delete(h.keys, e.key)
			h.used.Remove(older)
		}
	}
}
