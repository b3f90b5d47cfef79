package intake

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"busbar"
	"busbar/internal/batch"
	"busbar/internal/store"
	"busbar/rules"
)

// FirstOwner is who claims deliveries for their first attempt in the process that accepted their event.
const FirstOwner = "first"

// Config says what the intake works with.
type Config struct {
	Store *store.Store
	// Starter gets each accepted event.
	Starter *Starter
	// Launcher, if set, gets each action that was made or moved; without one they are left to the sweeps of others.
	Launcher *Launcher[Launch]
	// Rules, if set, gets each run that fired or moved on, and each hold that began; without one they are left to the sweeps of
	// others.
	Rules *Launcher[RuleLaunch]
	// Handoff, if set, is where first attempts in this very process find their deliveries. Set it only when no other
	// process works on the same database.
	Handoff *Handoff
	// Quick reports whether an endpoint answers so well that its first attempt may ride on the event's own task.
	Quick func(busbar.EndpointID) bool
	// AttemptTime bounds an attempt; claims last a little longer.
	AttemptTime time.Duration
	// Clock, if set, gives the clock of a site; sites without one of their own have the zero clock.
	Clock func(*busbar.Site) rules.Clock
	// Lanes is how many transactions may run at once; 1 for SQLite.
	Lanes    int
	Now      func() time.Time
	Logger   *slog.Logger
	Observer Observer
}

// Observer counts what happens, once it is committed.
type Observer interface {
	Event(env busbar.Environment, status busbar.IngestStatus)
	Refused(env busbar.Environment)
	Reading(env busbar.Environment, status string)
	// Decision is told of each run of a rule, Action of each action that came to an end.
	Decision(env busbar.Environment, d rules.Decision)
	Action(env busbar.Environment, s busbar.ActionState)
}

// Intake accepts events. It is safe for concurrent use.
type Intake struct {
	cfg     Config
	commits *batch.Batcher[*unit]
	filters filters

	rulebooks rulebooks
}

// Most units of a transaction, and most events: enough to make a sync to disk cheap for each, few enough to stay quick.
const (
	maxUnits = 64
	maxGroup = 1000
)

// A transaction that takes this long has lost its database; a request waits for the one before its own, too.
const (
	commitTimeout = 8 * time.Second
	offerTimeout  = 2 * commitTimeout
	retryAfter    = 2 * time.Second
)

// New starts an intake; Close ends it.
func New(cfg Config) (*Intake, error) {
	if cfg.Store == nil || cfg.Starter == nil || cfg.Observer == nil || cfg.Quick == nil {
		return nil, errors.New("new intake: a store, a starter, an observer and a judge of endpoints are needed")
	}
	in := &Intake{cfg: cfg, rulebooks: rulebooks{logger: cfg.Logger}}
	in.commits = batch.New(batch.Config[*unit]{
		Max: maxUnits, Lanes: cfg.Lanes, Run: in.commit, Apart: apart,
		Alone: func(err error) bool { return busbar.CodeOf(err) != busbar.CodeUnavailable },
	})
	return in, nil
}

// Close commits what was offered before and ends.
func (in *Intake) Close() { in.commits.Close() }

// Accept takes events in. When it returns without an error, each event whose outcome has none survives a crash of
// this process and has been, or will be, started. The outcomes are in the order of the candidates.
func (in *Intake) Accept(ctx context.Context, env busbar.Environment, candidates []Candidate, key *Idempotency) ([]Outcome, error) {
	if err := in.cfg.Starter.Accepting(); err != nil {
		return nil, err
	}
	u := &unit{env: env, candidates: candidates, key: key}
	if err := in.offer(ctx, u); err != nil {
		return nil, err
	}
	return u.outcomes, nil
}

// SendTest sends an event to one endpoint only, whatever it subscribed to and even when it is disabled, in a single
// attempt. With a key that was used before, it names the event that was sent then, and sends nothing.
func (in *Intake) SendTest(
	ctx context.Context, env busbar.Environment, id busbar.EndpointID, e busbar.Event, key *Idempotency,
) (busbar.DeliveryID, busbar.EventID, error) {
	if err := in.cfg.Starter.Accepting(); err != nil {
		return "", "", err
	}
	e.Flags = append(slices.Clone(e.Flags), busbar.FlagTest)
	u := &unit{env: env, candidates: []Candidate{{Event: e}}, only: id, key: key}
	if err := in.offer(ctx, u); err != nil {
		return "", "", err
	}
	if out := u.outcomes[0]; out.Err != nil {
		return "", "", out.Err
	}
	eventID := u.outcomes[0].EventID
	if len(u.started) > 0 {
		return u.started[0].Deliveries[0].ID, eventID, nil
	}
	sent, err := in.cfg.Store.DeliveriesOfEvent(ctx, env, eventID)
	if err != nil {
		return "", "", err
	}
	if len(sent) == 0 {
		return "", "", busbar.NotFound("event", string(eventID)) // its retention is over
	}
	return sent[0].ID, eventID, nil
}

func (in *Intake) offer(ctx context.Context, u *unit) error {
	u.hashes = make([]store.ContentHash, len(u.candidates))
	for i := range u.candidates {
		if u.candidates[i].Err != nil {
			continue
		}
		var err error
		if u.hashes[i], err = hashContent(&u.candidates[i].Event); err != nil {
			return err
		}
	}
	// A client that goes away does not take its events with it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), offerTimeout)
	defer cancel()
	switch err := in.commits.Do(ctx, u); {
	case errors.Is(err, batch.ErrClosed), errors.Is(err, context.DeadlineExceeded):
		return busbar.Unavailable(retryAfter, err, "it could not be stored in time; try again")
	case err != nil:
		return err
	case u.refused != nil:
		return u.refused
	}
	for _, o := range u.outcomes {
		if o.Err != nil {
			in.cfg.Observer.Refused(u.env)
		} else {
			in.cfg.Observer.Event(u.env, o.Status)
		}
	}
	for range u.emitted {
		in.cfg.Observer.Event(u.env, busbar.StatusAccepted)
	}
	for _, d := range u.decisions {
		in.cfg.Observer.Decision(u.env, d)
	}
	for _, s := range u.endings {
		in.cfg.Observer.Action(u.env, s)
	}
	for i := range u.started {
		in.start(ctx, &u.started[i], u.subs)
	}
	enqueue(in.cfg.Launcher, u.launches)
	enqueue(in.cfg.Rules, u.begun)
	return nil
}

func enqueue[J Job](to *Launcher[J], jobs []J) {
	if to == nil {
		return
	}
	for _, job := range jobs {
		to.Enqueue(job)
	}
}

// do has a task decided.
func (in *Intake) do(ctx context.Context, env busbar.Environment, t task) error {
	if err := in.cfg.Starter.Accepting(); err != nil {
		return err
	}
	return in.offer(ctx, &unit{env: env, task: t})
}

// quick reports whether the first attempt at an endpoint may ride on the event's own task.
func (in *Intake) quick(sub *store.Subscriber) bool {
	return sub.RateLimit == 0 && in.cfg.Quick(sub.ID)
}

// start hands an accepted event to the starter. When there is no room it stays in the table for the sweeper.
func (in *Intake) start(ctx context.Context, a *store.Accepted, subs *store.Subscribers) {
	refs := make([]Ref, 0, len(a.Deliveries))
	for _, d := range a.Deliveries {
		if d.Status != busbar.DeliveryPending {
			continue
		}
		// What was claimed for the quick way must go there: its claim would keep the other way waiting.
		_, claimed := a.Claimed[d.ID]
		ref := Ref{DeliveryID: d.ID, EndpointID: d.EndpointID, Quick: claimed}
		if sub, ok := subs.Get(d.EndpointID); ok {
			ref.Host, ref.Quick = host(sub.URL), claimed || in.quick(sub)
			ref.Paced = !ref.Quick && sub.RateLimit > 0
		}
		refs = append(refs, ref)
	}
	if len(refs) == 0 && len(a.Deliveries) > 0 {
		return
	}
	s := Start{
		Event: store.EventRef{Environment: a.Event.Environment, ID: a.Event.ID},
		Type:  a.Event.Type, DeviceID: a.Event.DeviceID, Refs: refs,
		Forget: func() {
			for id := range a.Claimed {
				in.cfg.Handoff.Take(id)
			}
		},
	}
	if err := in.cfg.Starter.Enqueue(ctx, s); err != nil {
		s.Forget()
		in.cfg.Logger.DebugContext(ctx, "left an event to the sweeper", "event_id", a.Event.ID, "reason", err)
	}
}
