package api

import (
	"context"
	"net/http"

	"busbar"
)

// Graph is what an event caused and was caused by.
type Graph struct {
	Nodes []GraphNode `json:"nodes"`
	Edges []GraphEdge `json:"edges"`
}

// GraphNode is one thing that happened.
type GraphNode struct {
	ID     string `json:"id"`
	Kind   string `json:"kind" enum:"event,run,action,delivery"`
	Label  string `json:"label"`
	At     Time   `json:"at"`
	Status string `json:"status"`
}

// GraphEdge leads from a cause to what it caused.
type GraphEdge struct {
	From string `json:"from"`
	To   string `json:"to"`
	Kind string `json:"kind" enum:"caused,delivers"`
}

// graphEvent gives the event, the event and the action that it follows from, and its deliveries.
func (a *API) graphEvent(ctx context.Context, r *Request) (*Reply, error) {
	event, deliveries, err := a.eventWithDeliveries(ctx, r)
	if err != nil {
		return nil, err
	}
	g := Graph{Nodes: []GraphNode{eventNode(&event)}, Edges: []GraphEdge{}}
	if err := a.addCauses(ctx, &g, &event); err != nil {
		return nil, err
	}
	for i := range deliveries {
		d := &deliveries[i]
		g.Nodes = append(g.Nodes, GraphNode{string(d.ID), "delivery", string(d.EndpointID), Time(d.CreatedAt), string(d.Status)})
		g.Edges = append(g.Edges, GraphEdge{string(event.ID), string(d.ID), "delivers"})
	}
	return &Reply{http.StatusOK, g}, nil
}

// addCauses adds what an event follows from: the first event of its chain, and the action in between. A cause may be older
// than what is kept; then it is left out.
func (a *API) addCauses(ctx context.Context, g *Graph, event *busbar.Event) error {
	effect := string(event.ID)
	if id := busbar.ActionID(event.Causation.ActionID); id != "" {
		act, err := a.Store.Action(ctx, event.Environment, id)
		switch {
		case err == nil:
			g.Nodes = append(g.Nodes, GraphNode{string(id), "action", act.Command, Time(act.CreatedAt), string(act.State)})
			g.Edges = append(g.Edges, GraphEdge{string(id), effect, "caused"})
			effect = string(id)
		case busbar.CodeOf(err) != busbar.CodeNotFound:
			return err
		}
	}
	root := event.Causation.RootEventID
	if root == event.ID || root == "" {
		return nil
	}
	cause, err := a.Store.Event(ctx, event.Environment, root)
	switch {
	case err == nil:
		g.Nodes = append(g.Nodes, eventNode(&cause))
		g.Edges = append(g.Edges, GraphEdge{string(cause.ID), effect, "caused"})
	case busbar.CodeOf(err) != busbar.CodeNotFound:
		return err
	}
	return nil
}

func eventNode(e *busbar.Event) GraphNode {
	return GraphNode{string(e.ID), "event", e.Type, Time(e.Timestamp), string(busbar.StatusAccepted)}
}
