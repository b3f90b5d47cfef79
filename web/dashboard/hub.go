package dashboard

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"busbar"
)

// How live pages are kept up to date. One poller an environment asks the database, however many pages are open, and none
// while there are none; it sees what other processes did, too.
const (
	pollEvery = 500 * time.Millisecond
	// The more pages are open, the less often each is told, so that all of them together cost the same.
	tellEvery   = time.Second
	tellPerPage = 20 * time.Millisecond
	// keepAlive keeps proxies from ending a quiet feed.
	keepAlive = 15 * time.Second
	maxFeeds  = 1000
	// maxFeedsEach bounds one session's open pages.
	maxFeedsEach = 25
)

// hub tells open pages that something has changed.
type hub struct {
	watcher Watcher
	logger  *slog.Logger

	mu     sync.Mutex
	closed bool
	all    int
	each   map[busbar.SessionID]int
	topics map[busbar.Environment]*topic
	polls  sync.WaitGroup
}

// topic is what the pages of one environment wait for.
type topic struct {
	viewers map[*viewer]struct{}
	mark    string
	stop    context.CancelFunc
}

// viewer is one open page.
type viewer struct {
	// changed holds the newest watermark that the page was not told of.
	changed chan string
	ended   chan struct{}
}

func newHub(w Watcher, logger *slog.Logger) *hub {
	return &hub{
		watcher: w, logger: logger, each: make(map[busbar.SessionID]int), topics: make(map[busbar.Environment]*topic),
	}
}

// join adds a page. leave must be called once.
func (h *hub) join(env busbar.Environment, session busbar.SessionID) (v *viewer, leave func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.all >= maxFeeds || h.each[session] >= maxFeedsEach {
		return nil, nil, busbar.Unavailable(keepAlive, nil, "too many pages are open")
	}
	t := h.topics[env]
	if t == nil {
		ctx, cancel := context.WithCancel(context.Background())
		t = &topic{viewers: make(map[*viewer]struct{}), stop: cancel}
		h.topics[env] = t
		h.polls.Go(func() { h.poll(ctx, env, t) })
	}
	v = &viewer{changed: make(chan string, 1), ended: make(chan struct{})}
	t.viewers[v] = struct{}{}
	if t.mark != "" {
		v.changed <- t.mark
	}
	h.all++
	h.each[session]++
	return v, func() { h.leave(env, t, v, session) }, nil
}

func (h *hub) leave(env busbar.Environment, t *topic, v *viewer, session busbar.SessionID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all--
	if h.each[session]--; h.each[session] == 0 {
		delete(h.each, session)
	}
	delete(t.viewers, v)
	if len(t.viewers) == 0 && h.topics[env] == t {
		t.stop()
		delete(h.topics, env)
	}
}

// seen is the watermark of an environment for a page that is about to read it: what changes from here on, the page will be
// told of. One that is a little old only has the page ask once more.
func (h *hub) seen(ctx context.Context, env busbar.Environment) (string, error) {
	h.mu.Lock()
	mark := ""
	if t := h.topics[env]; t != nil {
		mark = t.mark
	}
	h.mu.Unlock()
	if mark != "" {
		return mark, nil
	}
	return h.watcher.Watermark(ctx, env)
}

// pause is how long a page waits between two tellings.
func (h *hub) pause() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(tellEvery, time.Duration(h.all)*tellPerPage)
}

func (h *hub) poll(ctx context.Context, env busbar.Environment, t *topic) {
	ticks := time.NewTicker(pollEvery)
	defer ticks.Stop()
	for failed := false; ; {
		mark, err := h.watcher.Watermark(ctx, env)
		switch {
		case err == nil:
			failed = false
			h.publish(t, mark)
		case ctx.Err() == nil && !failed:
			failed = true // once, not twice a second
			h.logger.WarnContext(ctx, "look for changes", slog.Any("error", err))
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
	}
}

func (h *hub) publish(t *topic, mark string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if mark == t.mark {
		return
	}
	t.mark = mark
	for v := range t.viewers {
		select {
		case <-v.changed: // an older one that the page did not take
		default:
		}
		v.changed <- mark
	}
}

// close ends all feeds and the pollers, and waits for these.
func (h *hub) close() {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		for _, t := range h.topics {
			t.stop()
			for v := range t.viewers {
				close(v.ended)
			}
		}
	}
	h.mu.Unlock()
	h.polls.Wait()
}
