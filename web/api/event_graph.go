package api

import (
	"context"
	"net/http"

	"busbar"
	"busbar/internal/store"
)

// Graph is what an event caused and was caused by.
type Graph struct {
	Nodes []GraphNode `json:"nodes"`
	Edges []GraphEdge `json:"edges"`
	// Limit and Truncated say what is missing.
	Limit     int  `json:"limit" doc:"At most so many events, runs, actions and deliveries are shown, of each the oldest."`
	Truncated bool `json:"truncated" doc:"There is more of one of them."`
}

// GraphNode is one thing that happened.
type GraphNode struct {
	ID     string `json:"id"`
	Kind   string `json:"kind" enum:"event,run,action,delivery"`
	Label  string `json:"label" doc:"The type of an event, the rule of a run, the command of an action, the endpoint of a delivery."`
	At     Time   `json:"at"`
	Status string `json:"status" doc:"Of a run its decision, of an action its state."`
}

// GraphEdge leads from a cause to what it caused.
type GraphEdge struct {
	From string `json:"from"`
	To   string `json:"to"`
	Kind string `json:"kind" enum:"caused,decided,delivers" doc:"decided: a rule was asked at the event."`
}

// Kinds of nodes and edges.
const (
	nodeEvent    = "event"
	nodeRun      = "run"
	nodeAction   = "action"
	nodeDelivery = "delivery"

	edgeCaused   = "caused"
	edgeDecided  = "decided"
	edgeDelivers = "delivers"
)

// graphMost bounds each kind of node: what followed from one event may be a lot.
const graphMost = 200

// graphEvent gives all that belongs to the first event of the chain that an event is part of. Rules that were asked and had
// nothing to do are left out.
func (a *API) graphEvent(ctx context.Context, r *Request) (*Reply, error) {
	id, err := r.id("event")
	if err != nil {
		return nil, err
	}
	event, err := a.Store.Event(ctx, r.Env, busbar.EventID(id))
	if err != nil {
		return nil, err
	}
	chain, err := a.Store.Chain(ctx, &event, graphMost)
	if err != nil {
		return nil, err
	}
	g := graph{Graph: Graph{Nodes: []GraphNode{}, Edges: []GraphEdge{}, Limit: graphMost, Truncated: chain.Truncated}, known: make(map[string]bool)}
	g.addNodes(&chain)
	g.addEdges(&chain)
	return &Reply{http.StatusOK, g.Graph}, nil
}

// graph is a graph that is being made.
type graph struct {
	Graph
	known map[string]bool
}

func (g *graph) add(n GraphNode) {
	g.known[n.ID] = true
	g.Nodes = append(g.Nodes, n)
}

func (g *graph) addNodes(c *store.Chain) {
	for i := range c.Events {
		e := &c.Events[i]
		g.add(GraphNode{string(e.ID), nodeEvent, e.Type, Time(e.Timestamp), string(busbar.StatusAccepted)})
	}
	for i := range c.Runs {
		r := &c.Runs[i]
		g.add(GraphNode{string(r.ID), nodeRun, string(r.RuleID), Time(r.DecidedAt), r.Decision})
	}
	for i := range c.Actions {
		a := &c.Actions[i]
		g.add(GraphNode{string(a.ID), nodeAction, a.Command, Time(a.CreatedAt), string(a.State)})
	}
	for i := range c.Deliveries {
		d := &c.Deliveries[i]
		g.add(GraphNode{string(d.ID), nodeDelivery, string(d.EndpointID), Time(d.CreatedAt), string(d.Status)})
	}
}

func (g *graph) addEdges(c *store.Chain) {
	for i := range c.Events {
		e := &c.Events[i]
		g.follow(string(e.ID), edgeCaused, e.Causation.ParentID, e.Causation.ActionID, string(e.Causation.RootEventID))
	}
	for i := range c.Runs {
		r := &c.Runs[i]
		g.follow(string(r.ID), edgeDecided, string(r.EventID))
	}
	for i := range c.Actions {
		a := &c.Actions[i]
		g.follow(string(a.ID), edgeCaused, a.RunID, a.Causation.ParentID, string(a.Causation.RootEventID))
	}
	for i := range c.Deliveries {
		d := &c.Deliveries[i]
		g.follow(string(d.ID), edgeDelivers, string(d.EventID))
	}
}

// follow leads to an effect from the nearest of its causes that is there: one may be older than what is kept.
func (g *graph) follow(effect, kind string, causes ...string) {
	for _, cause := range causes {
		if cause != effect && g.known[cause] {
			g.Edges = append(g.Edges, GraphEdge{cause, effect, kind})
			return
		}
	}
}
