// Package api is the HTTP API under /v1: one list of routes, and what each of them decodes, calls and renders.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/listener"
	"busbar/internal/store"
)

// Intake is the door through which events enter. An error is about the whole request; what is wrong with one candidate
// stands in its outcome.
type Intake interface {
	Accept(ctx context.Context, env busbar.Environment, candidates []intake.Candidate, key *intake.Idempotency) ([]intake.Outcome, error)
	// SendTest makes an event that goes to one endpoint, once; with a key that was used before, it names what was made then.
	SendTest(
		ctx context.Context, env busbar.Environment, endpoint busbar.EndpointID, event busbar.Event, key *intake.Idempotency,
	) (busbar.DeliveryID, busbar.EventID, error)
}

// Devices takes what is said of devices. Each change is decided in the order of the device's site.
type Devices interface {
	// Read takes readings; what is wrong with one stands in its outcome.
	Read(ctx context.Context, env busbar.Environment, readings []intake.Reading) ([]intake.ReadingOutcome, error)
	Connect(ctx context.Context, env busbar.Environment, report intake.ConnectionReport) (intake.ConnectionOutcome, error)
	ReleaseHold(ctx context.Context, env busbar.Environment, id busbar.DeviceID) error
}

// Commands carries commands out. When one of its methods returns without an error, a crash of this process changes nothing.
type Commands interface {
	Push(ctx context.Context, env busbar.Environment, r intake.PushRequest, key *intake.Idempotency) (busbar.Action, error)
	CancelAction(ctx context.Context, env busbar.Environment, id busbar.ActionID) (busbar.Action, error)
	// ReportResult takes what a gateway says of a command that it took.
	ReportResult(ctx context.Context, env busbar.Environment, id busbar.ActionID, r intake.ResultReport) (busbar.Action, error)
}

// Holds are what rules have begun and wait with.
type Holds interface {
	// RestartHolds has the holds of a rule that was saved begin anew.
	RestartHolds(ctx context.Context, env busbar.Environment, id busbar.RuleID) error
}

// Redeliverer acts on deliveries that exist.
type Redeliverer interface {
	RetryNow(ctx context.Context, env busbar.Environment, id busbar.DeliveryID) (busbar.Delivery, error)
	Cancel(ctx context.Context, env busbar.Environment, id busbar.DeliveryID) (busbar.Delivery, error)
	// ProbeNow has an endpoint tried at once, and what is parked for it sent if it takes that.
	ProbeNow(ctx context.Context, env busbar.Environment, id busbar.EndpointID) error
	// WakeJob has a job carried out, or its row looked at again.
	WakeJob(ctx context.Context, j busbar.Job) error
}

// Listeners bring attempts and the programs that fetch them together.
type Listeners interface {
	Fetch(ctx context.Context, l busbar.Listener, r listener.FetchRequest) ([]listener.Request, error)
	Answer(ctx context.Context, l busbar.Listener, a listener.Answer) error
	Resume(ctx context.Context, l busbar.Listener) error
}

// URLChecker says whether a URL may be a target: nil, webhook.ErrNotURL, *webhook.ForbiddenError or the context's error.
type URLChecker interface {
	CheckURL(ctx context.Context, rawURL string, allowHTTP bool) error
}

// Config is what an API needs. All of it is required but where a field says otherwise.
type Config struct {
	Store       *store.Store
	Intake      Intake
	Devices     Devices
	Commands    Commands
	Holds       Holds
	Redeliverer Redeliverer
	Listeners   Listeners
	Guard       URLChecker
	Logger      *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// RateLimit is how many requests a second a key may make, with bursts of as many; zero is unlimited.
	RateLimit float64
	// DeliveryTimeout bounds an attempt to an endpoint without a timeout of its own.
	DeliveryTimeout time.Duration
	// WorkflowURL links to a workflow in the Temporal UI, empty when there is none; nil is always empty.
	WorkflowURL func(workflowID, runID string) string
	// WorkflowRetention is how long Temporal keeps a workflow; older ones are not linked to. Zero is for ever.
	WorkflowRetention time.Duration
	// PublicURL is where clients reach the API, for links; it may be empty.
	PublicURL string
	// Document answers GET /v1/openapi.json.
	Document []byte
}

// API answers requests. It is safe for concurrent use.
type API struct {
	Config
	catalog *catalog
	limits  *limits
	// backtests has room for those that run at the same time.
	backtests chan struct{}
	inForce   inForce
}

// New checks the configuration.
func New(cfg Config) (*API, error) {
	switch {
	case cfg.Store == nil:
		return nil, errors.New("make API: no store was given")
	case cfg.Intake == nil:
		return nil, errors.New("make API: no intake was given")
	case cfg.Devices == nil:
		return nil, errors.New("make API: nothing was given that takes readings")
	case cfg.Commands == nil:
		return nil, errors.New("make API: nothing was given that carries commands out")
	case cfg.Holds == nil:
		return nil, errors.New("make API: nothing was given that restarts holds")
	case cfg.Redeliverer == nil:
		return nil, errors.New("make API: no redeliverer was given")
	case cfg.Listeners == nil:
		return nil, errors.New("make API: no listeners were given")
	case cfg.Guard == nil:
		return nil, errors.New("make API: no guard was given")
	case cfg.Logger == nil:
		return nil, errors.New("make API: no logger was given")
	case cfg.DeliveryTimeout <= 0:
		return nil, errors.New("make API: the delivery timeout must be positive")
	case !(cfg.RateLimit >= 0 && cfg.RateLimit <= maxRateLimit): // not a number, too
		return nil, fmt.Errorf("make API: the rate limit must be from 0 to %d", maxRateLimit)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.WorkflowURL == nil {
		cfg.WorkflowURL = func(string, string) string { return "" }
	}
	return &API{Config: cfg, catalog: newCatalog(cfg.Store), limits: newLimits(rate.Limit(cfg.RateLimit)), backtests: make(chan struct{}, 1)}, nil
}
