package simulator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"busbar"
	"busbar/internal/home"
)

// Config says which Busbar, and how fast the home lives.
type Config struct {
	// BaseURL is the API's, without /v1.
	BaseURL string
	// Key needs the scopes of Scopes.
	Key string
	// Speed is simulated seconds a second.
	Speed float64
	// Seed chooses weather and habits.
	Seed uint64
	// Transport is nil for the network.
	Transport http.RoundTripper
	Now       func() time.Time
	Logger    *slog.Logger
}

// Scopes is what the home's API key has to allow.
func Scopes() []busbar.Scope {
	return []busbar.Scope{busbar.ScopeDevices, busbar.ScopeActions, busbar.ScopeRead}
}

// How often the home does what.
const (
	pollInterval   = 250 * time.Millisecond
	faultInterval  = time.Second
	reportInterval = time.Second
)

// errGone says that Busbar does not know the home any more, as after a start with an empty database.
var errGone = errors.New("the simulated home is not there any more")

// Simulator runs one home against one Busbar.
type Simulator struct {
	cfg    Config
	client *client
	link   link

	// mu guards what follows.
	mu      sync.Mutex
	home    *home.Home
	clock   home.Clock
	devices []*device
	orders  orders
	// returns are devices that go back to what they did before, because a fault says so.
	returns map[busbar.DeviceID]comeback
}

// comeback is what a device goes back to, and when.
type comeback struct {
	at time.Time
	to home.Control
}

// New checks the configuration. Run does the rest.
func New(cfg Config) (*Simulator, error) {
	u, err := url.Parse(cfg.BaseURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("simulated home: %q is no base URL such as http://127.0.0.1:8080", cfg.BaseURL)
	}
	if err := busbar.CheckKey(cfg.Key); err != nil || cfg.Key == "" {
		return nil, errors.New("simulated home: it needs a usable API key")
	}
	if !(cfg.Speed > 0) { // not a number, too
		return nil, fmt.Errorf("simulated home: speed %v is not above 0", cfg.Speed)
	}
	if cfg.Now == nil || cfg.Logger == nil {
		return nil, errors.New("simulated home: it needs a clock and a logger")
	}
	return &Simulator{
		cfg: cfg, client: newClient(strings.TrimSuffix(cfg.BaseURL, "/"), cfg.Key, cfg.Transport), link: link{logger: cfg.Logger, failing: make(map[string]bool)},
		devices: newDevices(), orders: newOrders(), returns: make(map[busbar.DeviceID]comeback),
	}, nil
}

// Run lives until the context ends. It survives everything that Busbar may do meanwhile: being away, starting
// again, starting empty, refusing the key.
func (s *Simulator) Run(ctx context.Context) {
	defer s.client.http.CloseIdleConnections()
	for ctx.Err() == nil {
		if !s.settle(ctx) {
			return
		}
		s.live(ctx)
	}
}

// settle sets the home up, however long that takes.
func (s *Simulator) settle(ctx context.Context) bool {
	for failures := 0; ; failures++ {
		err := s.setUp(ctx)
		if ctx.Err() != nil {
			return false
		}
		s.link.note("set up", err)
		if err == nil {
			return true
		}
		if !pause(ctx, backoff(err, failures)) {
			return false
		}
	}
}

// live runs the loops until the context ends or the home is gone.
func (s *Simulator) live(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var loops sync.WaitGroup
	for _, loop := range []struct {
		name     string
		interval time.Duration
		step     func(context.Context) error
	}{
		{"obey", pollInterval, s.obey},
		{"faults", faultInterval, s.readFaults},
		{"report", reportInterval, s.report},
	} {
		loops.Go(func() {
			if err := s.every(ctx, loop.name, loop.interval, loop.step); errors.Is(err, errGone) {
				s.cfg.Logger.Warn("Busbar does not know the simulated home any more; it is set up again")
			}
			cancel()
		})
	}
	loops.Wait()
}

// advance brings the physics up to now. The caller holds mu.
func (s *Simulator) advance(now time.Time) { s.home.Follow(s.clock.At(now)) }
