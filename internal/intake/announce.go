package intake

import (
	"context"

	"busbar"
	"busbar/internal/store"
)

// Announce takes in an event that Busbar has made about an endpoint. Its id is derived from what happened, so that
// announcing it twice makes one event; the endpoint that it is about does not get it.
func (in *Intake) Announce(ctx context.Context, n store.Notice) error {
	if err := in.cfg.Starter.Accepting(); err != nil {
		return err
	}
	e := busbar.Event{ID: n.ID, Type: n.Type, Timestamp: n.At, Data: n.Data}
	if n.Parent != "" {
		e.Causation = busbar.Causation{RootEventID: n.Parent, ParentID: string(n.Parent), Depth: 1}
		parent, err := in.cfg.Store.Event(ctx, n.Environment, n.Parent)
		switch {
		case err == nil:
			e.Causation.RootEventID, e.Causation.Depth = parent.Causation.RootEventID, parent.Causation.Depth+1
		case busbar.CodeOf(err) != busbar.CodeNotFound: // gone with its retention
			return err
		}
	}
	return in.offer(ctx, &unit{env: n.Environment, task: announcement{e}, about: n.About})
}

// announcement makes an event of a notice.
type announcement struct{ event busbar.Event }

func (announcement) concerns(*store.DecisionTx) ([]busbar.DeviceID, bool, error) {
	return nil, false, nil
}

func (a announcement) decide(g *group, u *unit) error {
	g.emit(u, a.event)
	return nil
}

func (announcement) size() int { return 1 }
