package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"busbar"
	"busbar/internal/store"
)

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
		g := group{
			in: in, tx: tx, now: in.cfg.Now(), made: make(map[store.EventRef]bool), fresh: make(map[store.EventRef]store.ContentHash),
		}
		defer func() { handed = g.handed }()
		return g.decide(units)
	})
	if err != nil {
		takeBack()
	}
	return err
}

// group is the work of one transaction. Its units are decided one after the other, and later ones see what earlier ones have
// changed; all of it is written at the end.
type group struct {
	in     *Intake
	tx     *store.DecisionTx
	now    time.Time
	handed []busbar.DeliveryID

	homes    *store.Homes
	sites    changed[*busbar.Site]
	devices  changed[*busbar.Device]
	readings []store.Reading
	accepted []store.Accepted

	// earlier is what devices were like before what is happening to them.
	earlier map[*busbar.Device]busbar.Device
	// emitted are events that follow and have yet to be taken in; made are derived ids that are taken, fresh are others.
	emitted []happening
	made    map[store.EventRef]bool
	fresh   map[store.EventRef]store.ContentHash
	automation
}

// changed are things to be written, each once, in the order in which they were first changed.
type changed[T comparable] struct {
	list []T
	have map[T]bool
}

func (c *changed[T]) add(v T) {
	if c.have == nil {
		c.have = make(map[T]bool)
	}
	if !c.have[v] {
		c.have[v] = true
		c.list = append(c.list, v)
	}
}

func (g *group) decide(units []*unit) error {
	fresh, err := g.replays(units)
	if err != nil {
		return err
	}
	// In one order for all transactions: event ids, then sites.
	offered, err := g.offered(fresh)
	if err != nil {
		return err
	}
	if fresh, err = g.load(fresh); err != nil {
		return err
	}
	for _, u := range fresh {
		if u.subs, err = g.tx.Subscribers(u.env); err != nil {
			return err
		}
		if u.task == nil {
			err = g.accept(u, offered)
		} else {
			err = g.refusal(u, u.task.decide(g, u))
		}
		if err := errorOf(err, g.follow()); err != nil {
			return err
		}
	}
	if err := g.write(); err != nil {
		return err
	}
	return g.keep(fresh)
}

// replays gives units the answers that their Idempotency-Keys already have, and returns the others.
func (g *group) replays(units []*unit) ([]*unit, error) {
	var fresh []*unit
	for _, u := range units {
		u.outcomes, u.refused = make([]Outcome, len(u.candidates)), nil
		u.started, u.emitted, u.launches, u.begun, u.decisions, u.endings = nil, nil, nil, nil, nil, nil
		replayed, err := g.replay(u)
		if err != nil {
			return nil, err
		}
		if !replayed {
			fresh = append(fresh, u)
		}
	}
	return fresh, nil
}

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
	return true, u.restore(answer)
}

// keep stores the answers of keys, and gives up those of units that were refused: a request that is mended may use its key
// again.
func (g *group) keep(units []*unit) error {
	for _, u := range units {
		if u.key == nil || u.refused != nil {
			continue
		}
		answer, err := u.answer()
		if err != nil {
			return err
		}
		if err := g.tx.Keep(*u.key, answer); err != nil {
			return err
		}
	}
	return nil
}

// refusal sorts the errors of tasks: those about the request are its own, all others are the transaction's.
func (g *group) refusal(u *unit, err error) error {
	if !aboutRequest(err) {
		return err
	}
	u.refused = asError(err)
	if u.key == nil {
		return nil
	}
	return g.tx.Release(*u.key)
}

// aboutRequest reports whether an error is for who asked, and not about the transaction.
func aboutRequest(err error) bool {
	e, ok := errors.AsType[*busbar.Error](err)
	return ok && e.Code != busbar.CodeInternal && e.Code != busbar.CodeUnavailable
}

// offers are the events that requests offer, with which of their ids were used before.
type offers struct {
	events map[*unit][]busbar.Event
	taken  map[store.EventRef]store.ContentHash
}

// offered settles the events that are offered and takes their ids.
func (g *group) offered(units []*unit) (*offers, error) {
	o := &offers{events: make(map[*unit][]busbar.Event, len(units))}
	ids := make(map[store.EventRef]store.ContentHash)
	for _, u := range units {
		events := make([]busbar.Event, len(u.candidates))
		for j, c := range u.candidates {
			if c.Err != nil {
				continue
			}
			events[j] = settle(c.Event, u.env, g.now)
			ref := store.EventRef{Environment: u.env, ID: events[j].ID}
			if _, twice := ids[ref]; !twice {
				ids[ref] = u.hashes[j]
			}
		}
		o.events[u] = events
	}
	var err error
	if o.taken, err = g.tx.UseEventIDs(g.now, ids); o.taken == nil {
		o.taken = make(map[store.EventRef]store.ContentHash)
	}
	return o, err
}

// load reads and locks what the units are about, and returns those that are not refused already.
func (g *group) load(units []*unit) ([]*unit, error) {
	var refs []store.DeviceRef
	var sites []store.SiteRef
	var rest []*unit
	whole := false
	for _, u := range units {
		for i := range u.candidates {
			if id := u.candidates[i].Event.DeviceID; id != "" {
				refs = append(refs, store.DeviceRef{Environment: u.env, ID: id})
			}
		}
		if u.task != nil {
			ids, all, err := u.task.concerns(g.tx)
			if err := g.refusal(u, err); err != nil {
				return nil, err
			}
			if u.refused != nil {
				continue
			}
			for _, id := range ids {
				refs = append(refs, store.DeviceRef{Environment: u.env, ID: id})
			}
			if t, ok := u.task.(sited); ok && t.site() != "" {
				sites = append(sites, store.SiteRef{Environment: u.env, ID: t.site()})
			}
			whole = whole || all
		}
		rest = append(rest, u)
	}
	if len(refs)+len(sites) == 0 {
		g.homes = &store.Homes{}
		return rest, nil
	}
	var err error
	g.homes, err = g.tx.Homes(refs, sites, whole)
	return rest, err
}

// device is a registered device as it now is, with its site.
func (g *group) device(env busbar.Environment, id busbar.DeviceID) (*busbar.Device, *busbar.Site, bool) {
	d, ok := g.homes.Devices[store.DeviceRef{Environment: env, ID: id}]
	if !ok {
		return nil, nil, false
	}
	site, ok := g.homes.Sites[store.SiteRef{Environment: env, ID: d.SiteID}]
	return d, site, ok
}

// accept decides of each offered event whether it is new.
func (g *group) accept(u *unit, o *offers) error {
	for j, c := range u.candidates {
		if c.Err != nil {
			u.outcomes[j] = Outcome{Err: c.Err}
			continue
		}
		e := &o.events[u][j]
		ref := store.EventRef{Environment: u.env, ID: e.ID}
		hash, known := o.taken[ref]
		switch {
		case known && hash != u.hashes[j]:
			u.outcomes[j] = Outcome{Err: busbar.Errorf(busbar.CodeEventIDReused,
				"the eventId %q was used for an event with other content; use a new one", e.ID)}
		case known:
			u.outcomes[j] = Outcome{EventID: e.ID, Status: busbar.StatusDuplicate, WorkflowID: e.WorkflowID()}
		default:
			// From here on the id is taken for the units that follow.
			o.taken[ref] = u.hashes[j]
			if refused, err := g.one(u, e); err != nil {
				return err
			} else if refused != nil {
				u.outcomes[j] = Outcome{Err: refused}
				continue
			}
			u.outcomes[j] = Outcome{EventID: e.ID, Status: busbar.StatusAccepted, WorkflowID: e.WorkflowID()}
		}
	}
	return nil
}

// one decides what follows from one offered event, or refuses it.
func (g *group) one(u *unit, e *busbar.Event) (refused *busbar.Error, err error) {
	if u.only == "" {
		switch err := g.effect(u, e); {
		case aboutRequest(err):
			return asError(err), nil
		case err != nil:
			return nil, err
		}
		g.place(e)
		g.take(u, store.Accepted{Event: *e, Deliveries: g.in.filters.route(e, u.subs.All, u.about)})
		h := g.happened(u, *e)
		return nil, errorOf(g.decideRules(&h), g.follow())
	}
	sub, ok := u.subs.Get(u.only)
	if !ok {
		return busbar.NotFound("endpoint", string(u.only)), nil
	}
	d := newDelivery(e, sub)
	d.Single, d.Status = true, busbar.DeliveryPending
	g.take(u, store.Accepted{Event: *e, Deliveries: []busbar.Delivery{d}})
	return nil, nil
}

// place gives an event of a registered device, or of a site, its place in the history of that.
func (g *group) place(e *busbar.Event) {
	switch site, ok := g.home(e); {
	case ok:
		e.SiteID, e.Seq = site.ID, g.raise(site)
	case e.DeviceID != "":
		e.Flags = append(e.Flags, busbar.FlagUnknownDevice)
	}
}

// home is the site at which an event takes place, if that is locked.
func (g *group) home(e *busbar.Event) (*busbar.Site, bool) {
	if _, site, ok := g.device(e.Environment, e.DeviceID); ok {
		return site, true
	}
	site, ok := g.homes.Sites[store.SiteRef{Environment: e.Environment, ID: e.SiteID}]
	return site, ok
}

// raise gives the next number of a site.
func (g *group) raise(site *busbar.Site) int64 {
	site.Seq++
	g.sites.add(site)
	return site.Seq
}

// write writes all that the units have decided.
func (g *group) write() error {
	if _, err := g.tx.UseEventIDs(g.now, g.fresh); err != nil {
		return fmt.Errorf("take ids of events that follow: %w", err)
	}
	if err := g.tx.SaveSites(g.sites.list); err != nil {
		return err
	}
	if err := g.tx.SaveDevices(g.devices.list); err != nil {
		return err
	}
	if err := g.tx.AddReadings(g.readings); err != nil {
		return err
	}
	if err := g.tx.Insert(g.accepted); err != nil {
		return err
	}
	return g.writeRules()
}

// take has an event written and, once that is committed, started.
func (g *group) take(u *unit, a store.Accepted) {
	g.claim(&a, u.subs)
	u.started = append(u.started, a)
	g.accepted = append(g.accepted, a)
}

// claim takes the first attempts of quick endpoints for this process.
func (g *group) claim(a *store.Accepted, subs *store.Subscribers) {
	if g.in.cfg.Handoff == nil {
		return
	}
	for _, d := range a.Deliveries {
		sub, ok := subs.Get(d.EndpointID)
		if !ok || d.Status != busbar.DeliveryPending || !g.in.quick(sub) {
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
