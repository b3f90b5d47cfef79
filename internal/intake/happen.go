package intake

import (
	"fmt"

	"busbar"
	"busbar/internal/store"
)

// happening is an event that was decided on, with what rules see as the state before it.
type happening struct {
	unit  *unit
	event busbar.Event
	// before is the device as it was before the event; nil when the event is about none.
	before *busbar.Device
}

// note remembers what a device was like before something happens to it.
func (g *group) note(d *busbar.Device) {
	if g.earlier == nil {
		g.earlier = make(map[*busbar.Device]busbar.Device)
	}
	g.earlier[d] = *d
}

// happened is an event with the state before it.
func (g *group) happened(u *unit, e busbar.Event) happening {
	h := happening{unit: u, event: e}
	d, _, ok := g.device(e.Environment, e.DeviceID)
	if !ok {
		return h
	}
	was, noted := g.earlier[d]
	if !noted {
		was = *d
	}
	delete(g.earlier, d)
	h.before = &was
	return h
}

// emit has an event follow from a task. One with a derived id that was made before is not made again, whatever it says.
func (g *group) emit(u *unit, e busbar.Event) busbar.EventID {
	e = settle(e, u.env, g.now)
	g.place(&e)
	g.emitted = append(g.emitted, g.happened(u, e))
	return e.ID
}

// follow takes in what was emitted and decides the rules at it, until nothing more follows. It ends, because what rules cause
// lies deeper with each turn.
func (g *group) follow() error {
	for len(g.emitted) > 0 {
		batch := g.emitted
		g.emitted = nil
		if err := g.takeDerived(batch); err != nil {
			return err
		}
		for i := range batch {
			h := &batch[i]
			if h.event.ID.Derived() {
				ref := store.EventRef{Environment: h.event.Environment, ID: h.event.ID}
				if g.made[ref] {
					continue
				}
				g.made[ref] = true
			}
			g.take(h.unit, store.Accepted{Event: h.event, Deliveries: g.in.filters.route(&h.event, h.unit.subs.All, h.unit.about)})
			h.unit.emitted = append(h.unit.emitted, h.event)
			if err := g.decideRules(h); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeDerived takes the derived ids among events that follow, and notes which were made before. Ids of chance are taken at the
// end, all at once.
func (g *group) takeDerived(batch []happening) error {
	ids := make(map[store.EventRef]store.ContentHash)
	for i := range batch {
		ref := store.EventRef{Environment: batch[i].event.Environment, ID: batch[i].event.ID}
		switch {
		case !batch[i].event.ID.Derived():
			g.fresh[ref] = store.ContentHash{}
		case !g.made[ref]:
			ids[ref] = store.ContentHash{}
		}
	}
	taken, err := g.tx.UseEventIDs(g.now, ids)
	if err != nil {
		return fmt.Errorf("take ids of events that follow: %w", err)
	}
	for ref := range taken {
		g.made[ref] = true
	}
	return nil
}
