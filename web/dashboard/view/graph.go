package view

import (
	"strings"
	"time"

	"busbar"
	"busbar/web/api"
)

// Graph is what an event caused and was caused by, laid out from left to right.
type Graph struct {
	nodes         []graphNode
	edges         []graphEdge
	width, height float64
}

type graphNode struct {
	id, kind, label, sub, status, path string
	at                                 time.Time
	x, y                               float64
	here                               bool
}

type graphEdge struct{ x1, y1, x2, y2 float64 }

// Sizes of the picture.
const (
	nodeWidth  = 208.0
	nodeHeight = 46.0
	columnGap  = 56.0
	rowGap     = 14.0
	// maxNodes is what a picture can show; the API has all of them.
	maxNodes = 120
)

// LayOut puts each node one column right of what caused it.
func LayOut(g api.Graph, here string, endpoints []api.Endpoint) Graph {
	nodes := g.Nodes[:min(len(g.Nodes), maxNodes)]
	column := make(map[string]int, len(nodes))
	for _, n := range nodes {
		column[n.ID] = 0
	}
	// At most as many rounds as there are nodes: more would mean that something causes itself.
	for range nodes {
		moved := false
		for _, e := range g.Edges {
			from, ok1 := column[e.From]
			to, ok2 := column[e.To]
			if ok1 && ok2 && to <= from && from+1 < len(nodes) {
				column[e.To], moved = from+1, true
			}
		}
		if !moved {
			break
		}
	}
	var out Graph
	rows := map[int]int{}
	place := make(map[string]int, len(nodes))
	for _, n := range nodes {
		c := column[n.ID]
		node := graphNode{
			id: n.ID, kind: n.Kind, label: n.Label, sub: n.ID, status: n.Status, at: time.Time(n.At), here: n.ID == here,
			x: 4 + float64(c)*(nodeWidth+columnGap), y: 4 + float64(rows[c])*(nodeHeight+rowGap),
		}
		rows[c]++
		switch n.Kind {
		case "delivery":
			node.label, node.sub, node.path = nameOf(endpoints, busbar.EndpointID(n.Label)), n.Status, "/deliveries/"+n.ID
		case "event":
			node.path = "/events/" + n.ID
		case "action":
			node.sub, node.path = n.Status, "/actions/"+n.ID
		case "run":
			node.sub, node.path = n.Status, "/runs/"+n.ID
		}
		place[n.ID] = len(out.nodes)
		out.nodes = append(out.nodes, node)
		out.width, out.height = max(out.width, node.x+nodeWidth+4), max(out.height, node.y+nodeHeight+4)
	}
	// Columns with fewer nodes stand in the middle.
	for i := range out.nodes {
		n := &out.nodes[i]
		used := float64(rows[column[n.id]])*(nodeHeight+rowGap) - rowGap
		n.y += (out.height - 8 - used) / 2
	}
	for _, e := range g.Edges {
		from, ok1 := place[e.From]
		to, ok2 := place[e.To]
		if ok1 && ok2 {
			a, b := out.nodes[from], out.nodes[to]
			out.edges = append(out.edges, graphEdge{a.x + nodeWidth, a.y + nodeHeight/2, b.x, b.y + nodeHeight/2})
		}
	}
	return out
}

// curve leads from one node to the next.
func (e graphEdge) curve() string {
	middle := num((e.x1 + e.x2) / 2)
	return strings.Join([]string{"M", num(e.x1), num(e.y1), "C", middle, num(e.y1), middle, num(e.y2), num(e.x2), num(e.y2)}, " ")
}

// pip is the class of the dot that tells how a node stands.
func (n graphNode) pip() string {
	switch n.status {
	case "delivered", "completed", "fired", "accepted":
		return "p-good"
	case "failed", "error":
		return "p-bad"
	case "parked", "held":
		return "p-warn"
	case "pending", "scheduled", "acknowledged", "holding":
		return "p-info"
	default:
		return ""
	}
}
