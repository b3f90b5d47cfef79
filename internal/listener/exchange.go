// Package listener hands signed attempts to programs that cannot be dialled, and takes their answers: the server's side
// of `busbar listen`.
package listener

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"busbar"
	"busbar/internal/webhook"
)

// Store is what the exchange needs of the store. Through it attempts of one process meet a program that is connected
// to another.
type Store interface {
	Embedded() bool
	OfferRequest(ctx context.Context, r busbar.ListenerRequest) error
	OpenRequests(ctx context.Context, id busbar.EndpointID, holding []string, limit int) ([]busbar.ListenerRequest, error)
	AnswerRequest(ctx context.Context, id busbar.EndpointID, request string, answer []byte) error
	RequestAnswer(ctx context.Context, request string) ([]byte, error)
	DropRequest(ctx context.Context, request string) error
	DropExpiredRequests(ctx context.Context) error
	Endpoint(ctx context.Context, env busbar.Environment, id busbar.EndpointID) (busbar.Endpoint, error)
	SeeListener(ctx context.Context, id busbar.EndpointID) error
	GoneListeners(ctx context.Context, before time.Time, limit int) ([]busbar.Listener, error)
	FailedFor(ctx context.Context, id busbar.EndpointID, class string, limit int) ([]busbar.DeliveryID, error)
	DeleteEndpoint(ctx context.Context, env busbar.Environment, id busbar.EndpointID) error
}

// Retrier has deliveries tried now.
type Retrier interface {
	// ProbeNow has an endpoint tried at once, and what is parked for it sent if it takes that.
	ProbeNow(ctx context.Context, env busbar.Environment, id busbar.EndpointID) error
	RetryNow(ctx context.Context, env busbar.Environment, id busbar.DeliveryID) (busbar.Delivery, error)
}

// Config says what an exchange works with. All of it is needed.
type Config struct {
	Store   Store
	Retrier Retrier
	Now     func() time.Time
	Logger  *slog.Logger
}

// Exchange brings attempts and programs together. It is safe for concurrent use.
type Exchange struct {
	cfg Config
	// look is how often the store is asked for what another process may have put there.
	look  time.Duration
	bells *bells
	// closed is closed when nobody shall wait any more.
	closed chan struct{}
	once   sync.Once
}

const (
	// Of one process everything is heard at once; the store is asked all the same.
	lookAlone = time.Second
	// Across processes a delivery takes up to twice this longer.
	lookAcross = 100 * time.Millisecond
	// seenEvery bounds how often it is written down that a program is there.
	seenEvery = 5 * time.Second
	// cleanTime is what an attempt that has ended may take to clean up.
	cleanTime = 2 * time.Second
)

// New makes an exchange. Close ends it.
func New(cfg Config) (*Exchange, error) {
	if cfg.Store == nil || cfg.Retrier == nil || cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("make listener exchange: store, retrier, clock and logger are needed")
	}
	x := &Exchange{cfg: cfg, look: lookAcross, bells: newBells(), closed: make(chan struct{})}
	if cfg.Store.Embedded() {
		x.look = lookAlone
	}
	return x, nil
}

// Close has every Fetch return what it has, so that a server can stop.
func (x *Exchange) Close() { x.once.Do(func() { close(x.closed) }) }

// Request is an attempt as a program gets it.
type Request struct {
	ID         string      `json:"id"`
	DeliveryID string      `json:"deliveryId"`
	EventID    string      `json:"eventId"`
	EventType  string      `json:"eventType"`
	Attempt    int         `json:"attempt"`
	Header     http.Header `json:"header"`
	Body       []byte      `json:"body"`
	// ExpiresAt is when the attempt ends, answered or not.
	ExpiresAt time.Time `json:"expiresAt"`
}

// Answer is what a program says about a request: the receiver's response, or why there is none.
type Answer struct {
	RequestID  string      `json:"requestId"`
	StatusCode int         `json:"statusCode,omitempty"`
	Header     http.Header `json:"header,omitempty"`
	Body       []byte      `json:"body,omitempty"`
	// Class is empty when there was a response.
	Class  webhook.ErrorClass `json:"class,omitempty"`
	Reason string             `json:"reason,omitempty"`
}

// Classes are the reasons that a program may give for having no response.
func Classes() []webhook.ErrorClass {
	return []webhook.ErrorClass{
		webhook.ClassConnect, webhook.ClassTimeout, webhook.ClassBodyTimeout, webhook.ClassDNS, webhook.ClassTLS, webhook.ClassProtocol,
	}
}

// FetchRequest asks for what a listener's program has to answer.
type FetchRequest struct {
	// Holding are the requests that the program has already.
	Holding []string
	// Wait is how long to wait for one.
	Wait time.Duration
	// Limit is how many it takes.
	Limit int
}

// Fetch gives the requests that are open, oldest first, as soon as there is one. An answer that is lost on its way to the program costs
// nothing: what the program does not say that it holds is given again.
func (x *Exchange) Fetch(ctx context.Context, l busbar.Listener, r FetchRequest) ([]Request, error) {
	heard, leave := x.bells.listen(string(l.EndpointID))
	defer leave()
	over := time.NewTimer(r.Wait)
	defer over.Stop()
	again := time.NewTicker(x.look)
	defer again.Stop()
	for {
		if now := x.cfg.Now(); now.Sub(l.SeenAt) >= seenEvery {
			if err := x.cfg.Store.SeeListener(ctx, l.EndpointID); err != nil {
				return nil, err
			}
			l.SeenAt = now
		}
		found, err := x.cfg.Store.OpenRequests(ctx, l.EndpointID, r.Holding, r.Limit)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			return unpack(found)
		}
		select {
		case <-heard:
		case <-again.C:
		case <-over.C:
			return nil, nil
		case <-x.closed:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func unpack(found []busbar.ListenerRequest) ([]Request, error) {
	requests := make([]Request, len(found))
	for i, f := range found {
		if err := json.Unmarshal(f.Content, &requests[i]); err != nil {
			return nil, fmt.Errorf("read request %s: %w", f.ID, err)
		}
	}
	return requests, nil
}

// Answer hands an answer to the attempt that waits for it. It is NOT_FOUND when none does any more.
func (x *Exchange) Answer(ctx context.Context, l busbar.Listener, a Answer) error {
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	if err := x.cfg.Store.AnswerRequest(ctx, l.EndpointID, a.RequestID, text); err != nil {
		return err
	}
	x.bells.ring(a.RequestID)
	return nil
}

// Bounds of what Resume hurries at once; what is beyond follows by schedule.
const (
	resumePage  = 100
	resumePages = 20
)

// Resume has the deliveries tried now that failed, or were parked, because their listener was away.
func (x *Exchange) Resume(ctx context.Context, l busbar.Listener) error {
	for range resumePages {
		ids, err := x.cfg.Store.FailedFor(ctx, l.EndpointID, string(webhook.ClassListener), resumePage)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if _, err := x.cfg.Retrier.RetryNow(ctx, l.Environment, id); err != nil {
				return fmt.Errorf("hurry delivery %s: %w", id, err)
			}
		}
		if len(ids) < resumePage {
			break
		}
	}
	e, err := x.cfg.Store.Endpoint(ctx, l.Environment, l.EndpointID)
	if err != nil {
		return err
	}
	if e.Circuit.State != busbar.CircuitOpen {
		return nil
	}
	if err := x.cfg.Retrier.ProbeNow(ctx, l.Environment, l.EndpointID); err != nil {
		return fmt.Errorf("hurry what is parked for %s: %w", l.EndpointID, err)
	}
	return nil
}
