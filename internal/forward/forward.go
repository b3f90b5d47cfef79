// Package forward fetches the signed requests of a temporary endpoint from a Busbar server and takes them to a URL that
// the server need not reach: the user's side of `busbar listen`.
package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"busbar"
)

const (
	// maxHeld is how many requests are under way at once.
	maxHeld = 64
	// The waits after a call that failed for a passing reason.
	firstBackoff, maxBackoff = 200 * time.Millisecond, 2 * time.Second
)

// Config says what to forward from where to where.
type Config struct {
	// Server is the URL of the Busbar server, Target the one that requests are taken to.
	Server, Target string
	APIKey         string
	// EventTypes are names and globs; none is all but operational.
	EventTypes []string
	// Out gets the live list.
	Out io.Writer
}

// CheckURL refuses what no requests can be sent to.
func CheckURL(text, example string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not a URL like %s", text, example)
	}
	return u, nil
}

// forwarder is one run.
type forwarder struct {
	server   *server
	target   *target
	screen   *screen
	endpoint endpoint

	mu   sync.Mutex
	held map[string]bool
	// freed gets a value when a request is no longer held.
	freed chan struct{}
	work  sync.WaitGroup
}

// Run makes a temporary endpoint and forwards until ctx ends; then it deletes the endpoint. Breaks of the connection
// are sat out. It ends with an error when it cannot begin, and when the server takes it for gone.
func Run(ctx context.Context, cfg Config) error {
	base, err := CheckURL(cfg.Server, "http://127.0.0.1:8080")
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	to, err := CheckURL(cfg.Target, "http://localhost:3000/hook")
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	f := &forwarder{
		server: newServer(base.String(), cfg.APIKey), target: newTarget(to), screen: &screen{out: cfg.Out},
		held: make(map[string]bool), freed: make(chan struct{}, 1),
	}
	f.endpoint, err = f.server.create(ctx, cfg.EventTypes, "busbar listen: forwards to "+to.Redacted())
	if _, refused := errors.AsType[*refusal](err); refused {
		return fmt.Errorf("%s refuses: %w", base, err)
	}
	if err != nil {
		return fmt.Errorf("cannot reach Busbar at %s: %w", base, err)
	}
	f.screen.begin(base.String(), to.String(), f.endpoint)
	err = f.loop(ctx)
	f.work.Wait()
	f.target.transport.CloseIdleConnections()
	if err != nil {
		return err
	}
	f.end(context.WithoutCancel(ctx))
	return nil
}

// loop fetches until ctx ends.
func (f *forwarder) loop(ctx context.Context) error {
	wait, resumed := firstBackoff, false
	for ctx.Err() == nil {
		holding := f.holding()
		if len(holding) == maxHeld {
			select {
			case <-f.freed:
			case <-ctx.Done():
			}
			continue
		}
		found, err := f.server.fetch(ctx, f.endpoint.ID, holding, resumed)
		switch {
		case ctx.Err() != nil:
			continue
		case final(err) != nil:
			return f.ended(final(err))
		case err != nil:
			f.screen.lost(err)
			resumed = true
			pause(ctx, wait)
			wait = min(2*wait, maxBackoff)
			continue
		}
		if resumed {
			f.screen.back()
		}
		wait, resumed = firstBackoff, false
		for _, r := range found {
			f.hold(r.ID)
			f.work.Go(func() {
				defer f.release(r.ID)
				f.forward(ctx, r)
			})
		}
	}
	return nil
}

// final is the refusal that an error is, or nil.
func final(err error) *refusal {
	r, _ := errors.AsType[*refusal](err)
	return r
}

func (f *forwarder) ended(r *refusal) error {
	if r.code == string(busbar.CodeNotFound) {
		return fmt.Errorf("the temporary endpoint %s is gone: it was deleted, or nobody listened for %s; run this again for a new one",
			f.endpoint.ID, busbar.ListenerTimeout)
	}
	return fmt.Errorf("the server refuses: %w", r)
}

// forward takes one request to the target and its answer to the server, as long as somebody waits for it.
func (f *forwarder) forward(ctx context.Context, r request) {
	began := time.Now()
	a := f.target.send(ctx, r)
	if ctx.Err() != nil {
		return // the endpoint is about to go, and its deliveries with it
	}
	f.screen.line(r, a, time.Since(began))
	ctx, cancel := context.WithDeadline(ctx, began.Add(time.Duration(r.TimeoutMs)*time.Millisecond))
	defer cancel()
	for wait := firstBackoff; ctx.Err() == nil; wait = min(2*wait, maxBackoff) {
		err := f.server.answer(ctx, f.endpoint.ID, a)
		if err == nil {
			return
		}
		if r := final(err); r != nil {
			if r.status != http.StatusNotFound {
				f.screen.note("the answer was refused: " + r.message)
				return
			}
			break
		}
		pause(ctx, wait)
	}
	f.screen.note("too late: " + r.EventID + " is tried again")
}

func pause(ctx context.Context, wait time.Duration) {
	select {
	case <-time.After(wait):
	case <-ctx.Done():
	}
}

func (f *forwarder) hold(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held[id] = true
}

func (f *forwarder) release(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.held, id)
	select {
	case f.freed <- struct{}{}:
	default:
	}
}

func (f *forwarder) holding() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.held))
}

// end deletes the endpoint. One that cannot be deleted now goes by itself.
func (f *forwarder) end(ctx context.Context) {
	err := f.server.delete(ctx, f.endpoint.ID)
	if err != nil && (final(err) == nil || final(err).status != http.StatusNotFound) {
		f.screen.note(fmt.Sprintf("endpoint %s could not be deleted (%s); it goes by itself in %s", f.endpoint.ID, err, busbar.ListenerTimeout))
		return
	}
	f.screen.note("endpoint " + f.endpoint.ID + " is deleted")
}
