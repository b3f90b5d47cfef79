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

// graphEvent gives the event, the event it follows from, and its deliveries.
func (a *API) graphEvent(ctx context.Context, r *Request) (*Reply, error) {
	event, deliveries, err := a.eventWithDeliveries(ctx, r)
	if err != nil {
		return nil, err
	}
	g := Graph{Nodes: []GraphNode{eventNode(&event)}, Edges: []GraphEdge{}}
	if root := event.Causation.RootEventID; root != event.ID && root != "" {
		cause, err := a.Store.Event(ctx, r.Env, root)
		switch {
		case err == nil:
			g.Nodes = append(g.Nodes, eventNode(&cause))
			g.Edges = append(g.Edges, GraphEdge{string(cause.ID), string(event.ID), "caused"})
		case busbar.CodeOf(err) != busbar.CodeNotFound: // a cause may be older than what is kept
			return nil, err
		}
	}
	for i := range deliveries {
		d := &deliveries[i]
		g.Nodes = append(g.Nodes, GraphNode{string(d.ID), "delivery", string(d.EndpointID), Time(d.CreatedAt), string(d.Status)})
		g.Edges = append(g.Edges, GraphEdge{string(event.ID), string(d.ID), "delivers"})
	}
	return &Reply{http.StatusOK, g}, nil
}

func eventNode(e *busbar.Event) GraphNode {
	return GraphNode{string(e.ID), "event", e.Type, Time(e.Timestamp), string(busbar.StatusAccepted)}
}
