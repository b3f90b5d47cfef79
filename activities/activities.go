// Package activities does what workflows may not: it sends webhooks and writes down how that went.
package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"busbar"
	"busbar/internal/intake"
	"busbar/internal/store"
	"busbar/internal/webhook"
)

// Deliveries is what the activities need of the store.
type Deliveries interface {
	Claim(ctx context.Context, req store.ClaimRequest) (store.Claimable, error)
	ClaimFresh(ctx context.Context, req store.FreshClaim) ([]busbar.Delivery, error)
	Unclaim(ctx context.Context, owner string, ids ...busbar.DeliveryID) error
	CloseDelivery(ctx context.Context, id busbar.DeliveryID, status busbar.DeliveryStatus, reason string) (bool, error)
	// ParkShut parks a delivery if its endpoint takes none now and nobody but the owner is sending it.
	ParkShut(ctx context.Context, env busbar.Environment, id busbar.DeliveryID, owner string, unsent bool) (bool, error)
	// ParkAll does so with several that have no owner, and gives those that it has parked.
	ParkAll(ctx context.Context, env busbar.Environment, ids []busbar.DeliveryID) ([]busbar.DeliveryID, error)
	// Standing gives those of the deliveries that there are, in no order.
	Standing(ctx context.Context, ids []busbar.DeliveryID) ([]busbar.Delivery, error)
	PendingDeliveries(ctx context.Context, ref store.EventRef, after busbar.DeliveryID, limit int) ([]store.DeliveryRef, error)
}

// Sources is where the parts of a shipment are read.
type Sources interface {
	Delivery(ctx context.Context, env busbar.Environment, id busbar.DeliveryID) (busbar.Delivery, error)
	Event(ctx context.Context, env busbar.Environment, id busbar.EventID) (busbar.Event, error)
	Subscribers(ctx context.Context, env busbar.Environment) (*store.Subscribers, error)
	// DisableEndpoint makes an event of it unless it is to be quiet.
	DisableEndpoint(ctx context.Context, env busbar.Environment, id busbar.EndpointID, reason string, quiet bool) error
}

// Circuits is what draining needs of the store.
type Circuits interface {
	Endpoint(ctx context.Context, env busbar.Environment, id busbar.EndpointID) (busbar.Endpoint, error)
	TryCircuit(ctx context.Context, id busbar.EndpointID) (bool, error)
	ShutAgain(ctx context.Context, id busbar.EndpointID) error
	QueueUp(ctx context.Context, env busbar.Environment, id busbar.EndpointID) error
	// Crowd has what comes for an endpoint parked and sent in turn, because it gets as much at once as it may. It reports whether
	// that begins now.
	Crowd(ctx context.Context, env busbar.Environment, id busbar.EndpointID) (bool, error)
	CloseCircuit(ctx context.Context, env busbar.Environment, id busbar.EndpointID) (bool, error)
	ParkWaiting(ctx context.Context, env busbar.Environment, id busbar.EndpointID, limit int) ([]busbar.Delivery, error)
	Parked(ctx context.Context, id busbar.EndpointID, limit int) ([]busbar.Delivery, error)
}

// Director acts on workflows.
type Director interface {
	// StartDrain has the parked deliveries of an endpoint sent when it takes them again.
	StartDrain(ctx context.Context, env busbar.Environment, id busbar.EndpointID) error
	// Wake ends the wait of a delivery's activity, if it waits.
	Wake(ctx context.Context, d busbar.Delivery) error
	// Release gives a parked delivery back to its retry schedule.
	Release(ctx context.Context, d busbar.Delivery) error
}

// Recorder puts a finished attempt on record; it returns when the record is committed.
type Recorder interface {
	Do(ctx context.Context, f *store.Finished) error
	// DoAll records several together; the errors are in their order.
	DoAll(ctx context.Context, finished []*store.Finished) []error
}

// Sender makes one attempt.
type Sender interface {
	Send(ctx context.Context, r webhook.Request) webhook.Result
}

// Prepared is where deliveries wait that this very process has claimed.
type Prepared interface {
	Take(id busbar.DeliveryID) (intake.Shipment, bool)
}

// Observer counts.
type Observer interface {
	Attempt(env busbar.Environment, class string, took time.Duration)
	FirstAttempt(waited time.Duration)
	Delivery(env busbar.Environment, status busbar.DeliveryStatus)
}

// Config says what the activities work with. All of it is needed.
type Config struct {
	Deliveries Deliveries
	Sources    Sources
	Recorder   Recorder
	Sender     Sender
	Prepared   Prepared
	Observer   Observer
	Purger     Purger
	Circuits   Circuits
	Jobs       Jobs
	Director   Director
	Flights    *Flights
	Gate       *webhook.Gate
	Health     *webhook.Health
	// SlowSlots is how many activities may be run at once that wait for endpoints which hang: the worker's others are for
	// everybody else.
	SlowSlots int
	Schedule  webhook.Schedule
	// Jitter spreads the waits of the schedule: 0.2 is ±20 %.
	Jitter float64
	// Random gives numbers in [0, 1).
	Random func() float64
	// Timeout bounds an attempt at an endpoint that names none.
	Timeout time.Duration
	// Patience is how long the first attempts of an event are waited for in its own task; usually DefaultPatience.
	Patience time.Duration
	// Retention is how long history is kept. Its zero value is a retention, too.
	Retention busbar.Retention
	Now       func() time.Time
	Logger    *slog.Logger
}

// Activities are the activities. They are safe for concurrent use.
type Activities struct {
	cfg  Config
	slow slots
}

// New checks the configuration.
func New(cfg Config) (*Activities, error) {
	for name, missing := range map[string]bool{
		"Deliveries": cfg.Deliveries == nil, "Sources": cfg.Sources == nil, "Recorder": cfg.Recorder == nil,
		"Sender": cfg.Sender == nil, "Prepared": cfg.Prepared == nil, "Observer": cfg.Observer == nil,
		"Purger":   cfg.Purger == nil,
		"Circuits": cfg.Circuits == nil, "Jobs": cfg.Jobs == nil, "Director": cfg.Director == nil,
		"Flights": cfg.Flights == nil, "Gate": cfg.Gate == nil, "Health": cfg.Health == nil, "SlowSlots": cfg.SlowSlots <= 0, "Schedule": cfg.Schedule.Len() == 0,
		"Random": cfg.Random == nil, "Timeout": cfg.Timeout <= 0, "Patience": cfg.Patience <= 0, "Now": cfg.Now == nil, "Logger": cfg.Logger == nil,
	} {
		if missing {
			return nil, fmt.Errorf("new activities: %s is missing", name)
		}
	}
	return &Activities{cfg: cfg, slow: make(slots, cfg.SlowSlots)}, nil
}

// Target names a delivery for an activity. Only names travel through workflow histories.
type Target struct {
	Environment busbar.Environment `json:"environment"`
	DeliveryID  busbar.DeliveryID  `json:"deliveryId"`
	EndpointID  busbar.EndpointID  `json:"endpointId"`
}

// Outcome says what an activity made of a delivery.
type Outcome string

// The outcomes.
const (
	// OutcomeDelivered, OutcomeFailed, OutcomeParked, OutcomeCancelled: it has come to that status.
	OutcomeDelivered Outcome = Outcome(busbar.DeliveryDelivered)
	OutcomeFailed    Outcome = Outcome(busbar.DeliveryFailed)
	OutcomeParked    Outcome = Outcome(busbar.DeliveryParked)
	OutcomeCancelled Outcome = Outcome(busbar.DeliveryCancelled)
	// OutcomeRetry: the first attempt failed and the schedule goes on.
	OutcomeRetry Outcome = "retry"
	// OutcomeBusy: nothing was sent, because as many attempts as the endpoint allows are under way.
	OutcomeBusy Outcome = "busy"
	// OutcomePaced: nothing was sent, because the endpoint has a rate limit that may have to be waited for.
	OutcomePaced Outcome = "paced"
	// OutcomeUnderWay: it is being sent, and takes longer than the event's task may.
	OutcomeUnderWay Outcome = "under_way"
	// OutcomeSlow: nothing was sent, because the endpoint's last attempts failed or were slow.
	OutcomeSlow Outcome = "slow"
)

// Open reports whether the delivery has yet to come to an end.
func (o Outcome) Open() bool {
	switch o {
	case OutcomeRetry, OutcomeBusy, OutcomePaced, OutcomeUnderWay, OutcomeSlow:
		return true
	case OutcomeDelivered, OutcomeFailed, OutcomeParked, OutcomeCancelled:
	}
	return false
}

// Refs gives a page of the pending deliveries of an event.
func (a *Activities) Refs(ctx context.Context, in RefsInput) ([]Target, error) {
	ref := store.EventRef{Environment: in.Environment, ID: in.EventID}
	refs, err := a.cfg.Deliveries.PendingDeliveries(ctx, ref, in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	targets := make([]Target, len(refs))
	for i, r := range refs {
		targets[i] = Target{in.Environment, r.DeliveryID, r.EndpointID}
	}
	return targets, nil
}

// RefsInput asks for a page of deliveries.
type RefsInput struct {
	Environment busbar.Environment `json:"environment"`
	EventID     busbar.EventID     `json:"eventId"`
	After       busbar.DeliveryID  `json:"after"`
	Limit       int                `json:"limit"`
}

// load reads what sending needs. An endpoint that is gone is no error: it is nil.
func (a *Activities) load(ctx context.Context, d busbar.Delivery) (intake.Shipment, error) {
	e, err := a.cfg.Sources.Event(ctx, d.Environment, d.EventID)
	if err != nil {
		return intake.Shipment{}, fmt.Errorf("read event: %w", err)
	}
	subs, err := a.cfg.Sources.Subscribers(ctx, d.Environment)
	if err != nil {
		return intake.Shipment{}, fmt.Errorf("read endpoint: %w", err)
	}
	sub, _ := subs.Get(d.EndpointID)
	return intake.Shipment{Delivery: d, Event: e, Subscriber: sub}, nil
}

// errGone is what an attempt at an endpoint that was deleted has for a reason.
var errGone = errors.New("the endpoint was deleted")
