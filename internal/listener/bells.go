package listener

import "sync"

// bells wake those in this process who wait for something with a name.
type bells struct {
	mu    sync.Mutex
	named map[string]*bell
}

type bell struct {
	rung chan struct{}
	ears int
}

func newBells() *bells { return &bells{named: make(map[string]*bell)} }

// listen returns a channel that gets a value after each ring; several rings may be one value. The caller leaves.
func (b *bells) listen(name string) (heard <-chan struct{}, leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	have := b.named[name]
	if have == nil {
		have = &bell{rung: make(chan struct{}, 1)}
		b.named[name] = have
	}
	have.ears++
	return have.rung, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if have.ears--; have.ears == 0 {
			delete(b.named, name)
		}
	}
}

// ring wakes one who listens, if there is any. Whoever is not woken looks by itself a moment later.
func (b *bells) ring(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if have := b.named[name]; have != nil {
		select {
		case have.rung <- struct{}{}:
		default:
		}
	}
}
