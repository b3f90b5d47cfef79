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
)

// FirstOwner is who claims deliveries for their first attempt in the process that accepted their event.
const FirstOwner = "first"

// Config says what the intake works with.
type Config struct {
	Store *store.Store
	// Starter gets each accepted event.
	Starter *Starter
	// Handoff, if set, is where first attempts in this very process find their deliveries. Set it only when no other
	// process works on the same database.
	Handoff *Handoff
	// Quick reports whether an endpoint answers so well that its first attempt may ride on the event's own task.
	Quick func(busbar.EndpointID) bool
	// AttemptTime bounds an attempt; claims last a little longer.
	AttemptTime time.Duration
	// Lanes is how many transactions may run at once; 1 for SQLite.
	Lanes    int
	Now      func() time.Time
	Logger   *slog.Logger
	Observer Observer
}

// Observer counts events.
type Observer interface {
	Event(env busbar.Environment, status busbar.IngestStatus)
	Refused(env busbar.Environment)
}

// Intake accepts events. It is safe for concurrent use.
type Intake struct {
	cfg     Config
	commits *batch.Batcher[*unit]
}

// unit is what one request offers; it is committed as a whole.
type unit struct {
	env        busbar.Environment
	candidates []Candidate
	key        *Idempotency
	// only, if set, is the one endpoint that gets the event, in one attempt without a schedule.
	only busbar.EndpointID

	hashes   []store.ContentHash
	outcomes []Outcome
	started  []store.Accepted
	subs     *store.Subscribers
	// refused is the error of the unit as a whole.
	refused *busbar.Error
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
	in := &Intake{cfg: cfg}
	in.commits = batch.New(batch.Config[*unit]{
		Max: maxUnits, Lanes: cfg.Lanes, Run: in.commit, Apart: apart,
		Alone: func(err error) bool { return busbar.CodeOf(err) != busbar.CodeUnavailable },
	})
	return in, nil
}

// Close commits what was offered before and ends.
func (in *Intake) Close() { in.commits.Close() }

// apart keeps requests with the same Idempotency-Key out of one transaction, and transactions small.
func apart(gathered []*unit, next *unit) bool {
	events := len(next.candidates)
	for _, u := range gathered {
		if u.key != nil && next.key != nil && *u.key == *next.key {
			return true
		}
		events += len(u.candidates)
	}
	return events > maxGroup
}

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
		return busbar.Unavailable(retryAfter, err, "the event could not be stored in time; try again")
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
	for i := range u.started {
		in.start(ctx, &u.started[i], u.subs)
	}
	return nil
}

// commit is one transaction for a group of units. It may run twice for a unit, so it writes to the unit only what the
// next run overwrites.
func (in *Intake) commit(ctx context.Context, units []*unit) error {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	var handed []busbar.DeliveryID
	takeBack := func() {
		for _, id := range handed {
			in.cfg.Handoff.Take(id)
		}
	}
	err := in.cfg.Store.Decide(ctx, environments(units), func(tx *store.DecisionTx) error {
		takeBack()
		g := group{in: in, tx: tx, now: in.cfg.Now()}
		defer func() { handed = g.handed }()
		return g.decide(units)
	})
	if err != nil {
		takeBack()
	}
	return err
}

func environments(units []*unit) []busbar.Environment {
	var envs []busbar.Environment
	for _, u := range units {
		if !slices.Contains(envs, u.env) {
			envs = append(envs, u.env)
		}
	}
	return envs
}

// group is the work of one transaction.
type group struct {
	in     *Intake
	tx     *store.DecisionTx
	now    time.Time
	handed []busbar.DeliveryID
}

func (g *group) decide(units []*unit) error {
	var fresh []*unit
	for _, u := range units {
		u.outcomes, u.started, u.refused = make([]Outcome, len(u.candidates)), nil, nil
		replayed, err := g.replay(u)
		if err != nil {
			return err
		}
		if !replayed {
			fresh = append(fresh, u)
		}
	}
	if err := g.accept(fresh); err != nil {
		return err
	}
	for _, u := range fresh {
		if u.key == nil {
			continue
		}
		answer, err := marshalAnswer(u.outcomes)
		if err != nil {
			return err
		}
		if err := g.tx.Keep(*u.key, answer); err != nil {
			return err
		}
	}
	return nil
}

// replay gives a unit the answer that its Idempotency-Key already has.
func (g *group) replay(u *unit) (bool, error) {
	if u.key == nil {
		return false, nil
	}
	found, answer, err := g.tx.Reserve(*u.key)
	var known *busbar.Error
	if errors.As(err, &known) && known.Code == busbar.CodeIdempotencyConflict {
		u.refused = known
		return true, nil
	}
	if err != nil || !found {
		return false, err
	}
	u.outcomes, err = unmarshalAnswer(answer)
	return true, err
}

// accept decides of each candidate whether it is new, and inserts those that are.
func (g *group) accept(units []*unit) error {
	ids := make(map[store.EventRef]store.ContentHash)
	events := make([][]busbar.Event, len(units))
	for i, u := range units {
		events[i] = make([]busbar.Event, len(u.candidates))
		for j, c := range u.candidates {
			if c.Err != nil {
				continue
			}
			e := settle(c.Event, u.env, g.now)
			events[i][j] = e
			ref := store.EventRef{Environment: u.env, ID: e.ID}
			if _, twice := ids[ref]; !twice {
				ids[ref] = u.hashes[j]
			}
		}
	}
	taken, err := g.tx.UseEventIDs(ids)
	if err != nil {
		return err
	}
	if taken == nil {
		taken = make(map[store.EventRef]store.ContentHash)
	}
	var all []store.Accepted
	for i, u := range units {
		if u.subs, err = g.tx.Subscribers(u.env); err != nil {
			return err
		}
		for j, c := range u.candidates {
			e := &events[i][j]
			ref := store.EventRef{Environment: u.env, ID: e.ID}
			hash, known := taken[ref]
			switch {
			case c.Err != nil:
				u.outcomes[j] = Outcome{Err: c.Err}
			case known && hash != u.hashes[j]:
				u.outcomes[j] = Outcome{Err: busbar.Errorf(busbar.CodeEventIDReused,
					"the eventId %q was used for an event with other content; use a new one", e.ID)}
			case known:
				u.outcomes[j] = Outcome{EventID: e.ID, Status: busbar.StatusDuplicate, WorkflowID: e.WorkflowID()}
			default:
				// From here on the id is taken for the units that follow.
				taken[ref] = u.hashes[j]
				a, err := g.one(u, e)
				if err != nil {
					u.outcomes[j] = Outcome{Err: err}
					continue
				}
				u.outcomes[j] = Outcome{EventID: e.ID, Status: busbar.StatusAccepted, WorkflowID: e.WorkflowID()}
				u.started = append(u.started, a)
				all = append(all, a)
			}
		}
	}
	return g.tx.Insert(all)
}

// one decides what follows from one event.
func (g *group) one(u *unit, e *busbar.Event) (store.Accepted, *busbar.Error) {
	a := store.Accepted{Event: *e}
	if u.only == "" {
		a.Deliveries = route(e, u.subs.All)
	} else {
		sub, ok := u.subs.Get(u.only)
		if !ok {
			return a, busbar.NotFound("endpoint", string(u.only))
		}
		d := newDelivery(e, sub)
		d.Single, d.Status = true, busbar.DeliveryPending
		a.Deliveries = []busbar.Delivery{d}
	}
	g.claim(&a, u.subs)
	return a, nil
}

// claim takes the first attempts of quick endpoints for this process.
func (g *group) claim(a *store.Accepted, subs *store.Subscribers) {
	if g.in.cfg.Handoff == nil {
		return
	}
	for _, d := range a.Deliveries {
		sub, ok := subs.Get(d.EndpointID)
		if !ok || d.Status != busbar.DeliveryPending || !g.in.cfg.Quick(d.EndpointID) {
			continue
		}
		s := Shipment{Delivery: d, Event: a.Event, Subscriber: sub, Until: g.now.Add(store.StartClaim)}
		if !g.in.cfg.Handoff.put(s, g.now) {
			return
		}
		g.handed = append(g.handed, d.ID)
		if a.Claimed == nil {
			a.Claimed = make(map[busbar.DeliveryID]store.Claim, len(a.Deliveries))
		}
		a.Claimed[d.ID] = store.Claim{Owner: FirstOwner, Until: g.now.Add(g.in.cfg.AttemptTime), Attempt: 1}
	}
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
		ref := Ref{DeliveryID: d.ID, EndpointID: d.EndpointID, Quick: claimed || in.cfg.Quick(d.EndpointID)}
		if sub, ok := subs.Get(d.EndpointID); ok {
			ref.Host = host(sub.URL)
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
