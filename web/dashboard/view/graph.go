package view

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"busbar"
	"busbar/rules"
	"busbar/web/api"
)

// Graph is what an event caused and was caused by: a tree whose causes stand left of what they caused. It is laid out from the
// top, so that the first cause and the first of what followed from it share a line.
type Graph struct {
	roots         []*graphNode
	nodes         []*graphNode
	width, height float64
	// missing: there is more than the picture shows.
	missing bool
}

// graphNode is one thing that happened, or the deliveries of one event together.
type graphNode struct {
	id, kind, label, status, path string
	at                            time.Time
	// later is how long after the first cause it happened.
	later    time.Duration
	x, y     float64
	here     bool
	children []*graphNode
}

// Sizes of the picture, in the units of its view box.
const (
	nodeWidth  = 188.0
	nodeHeight = 44.0
	columnGap  = 36.0
	rowGap     = 10.0
	// maxNodes is what a picture can show; the API has all of them.
	maxNodes = 120
	// mostDeliveries of the event that the page is about stand alone. More, and those of other events, are shown as one.
	mostDeliveries = 6
)

// GraphNames are what nodes are called.
type GraphNames struct {
	Endpoints []api.Endpoint
	Rules     map[busbar.RuleID]string
}

// LayOut puts each node one column right of what caused it. here is the event that the page is about.
func LayOut(g api.Graph, here string, names GraphNames) Graph {
	out := Graph{missing: g.Truncated}
	byID := make(map[string]*graphNode, len(g.Nodes))
	for i := range g.Nodes {
		n := newGraphNode(&g.Nodes[i], names)
		n.here = n.id == here
		byID[n.id] = n
	}
	caused := make(map[string]bool)
	for _, e := range g.Edges {
		from, to := byID[e.From], byID[e.To]
		if from == nil || to == nil || caused[e.To] || reaches(to, from) {
			continue
		}
		caused[e.To] = true
		from.children = append(from.children, to)
	}
	for i := range g.Nodes {
		if n := byID[g.Nodes[i].ID]; !caused[n.id] {
			out.roots = append(out.roots, n)
		}
	}
	y := 4.0
	for _, root := range out.roots {
		root.tidy()
		y = out.place(root, root.at, 4, y)
	}
	return out
}

func newGraphNode(n *api.GraphNode, names GraphNames) *graphNode {
	node := &graphNode{id: n.ID, kind: n.Kind, label: n.Label, status: n.Status, at: time.Time(n.At)}
	switch n.Kind {
	case "delivery":
		node.label, node.path = nameOf(names.Endpoints, busbar.EndpointID(n.Label)), "/deliveries/"+n.ID
	case "event":
		// That it was accepted goes without saying.
		node.status, node.path = "", "/events/"+n.ID
	case "action":
		node.path = "/actions/" + n.ID
	case "run":
		node.label, node.path = cmp.Or(names.Rules[busbar.RuleID(n.Label)], n.Label), "/runs/"+n.ID
	}
	return node
}

// reaches reports whether a node is another's cause, however far.
func reaches(from, to *graphNode) bool {
	return from == to || slices.ContainsFunc(from.children, func(n *graphNode) bool { return reaches(n, to) })
}

// tidy leaves out runs that led to nothing, puts many deliveries together, and what was decided before what was sent.
func (n *graphNode) tidy() {
	n.children = slices.DeleteFunc(n.children, func(c *graphNode) bool { return c.kind == "run" && len(c.children) == 0 && idle(c.status) })
	var sent, rest []*graphNode
	for _, c := range n.children {
		if c.kind == "delivery" {
			sent = append(sent, c)
		} else {
			rest = append(rest, c)
		}
	}
	if len(sent) > mostDeliveries || len(sent) > 1 && !n.here {
		sent = []*graphNode{together(n, sent)}
	}
	n.children = slices.Concat(rest, sent)
	for _, c := range n.children {
		c.tidy()
	}
}

// idle reports whether a decision did nothing that anybody could look for here.
func idle(decision string) bool {
	switch rules.Decision(decision) {
	case rules.DecisionFired, rules.DecisionShadowed, rules.DecisionHolding, rules.DecisionHeld, rules.DecisionError, rules.DecisionDepthLimit:
		return false
	default:
		return true
	}
}

// together makes one node of the deliveries of an event. It stands as badly as the worst of them.
func together(event *graphNode, sent []*graphNode) *graphNode {
	counts := Counts{}
	for _, d := range sent {
		counts[busbar.DeliveryStatus(d.status)]++
	}
	var parts []string
	worst := ""
	for _, s := range Statuses() {
		if counts[s] > 0 {
			parts = append(parts, strconv.Itoa(counts[s])+" "+string(s))
			worst = string(s)
		}
	}
	if counts[busbar.DeliveryFailed] > 0 {
		worst = string(busbar.DeliveryFailed)
	}
	status := worst
	if len(parts) > 1 {
		status = strings.Join(parts, ", ")
	}
	return &graphNode{
		id: event.id + "-deliveries", kind: "delivery", label: strconv.Itoa(len(sent)) + " deliveries", status: status, at: sent[0].at,
		path: "/deliveries?eventId=" + event.id,
	}
}

// place gives a node and all below it their places, the first below it beside it, and says where the next line begins.
func (g *Graph) place(n *graphNode, first time.Time, x, y float64) float64 {
	if len(g.nodes) == maxNodes {
		g.missing = true
		n.children = nil
		return y
	}
	n.x, n.y, n.later = x, y, n.at.Sub(first)
	g.nodes = append(g.nodes, n)
	g.width, g.height = max(g.width, x+nodeWidth+4), max(g.height, y+nodeHeight+4)
	below := y
	for i, c := range n.children {
		if len(g.nodes) == maxNodes {
			g.missing = true
			n.children = n.children[:i]
			break
		}
		below = g.place(c, first, x+nodeWidth+columnGap, below)
	}
	return max(below, y+nodeHeight+rowGap)
}

// bend leads from a node to one that it caused: straight, or down and around a corner.
func (n *graphNode) bend(to *graphNode) string {
	const r = 8.0
	x1, y1, x2, y2 := n.x+nodeWidth, n.y+nodeHeight/2, to.x, to.y+nodeHeight/2
	middle := x1 + columnGap/2
	if math.Abs(y2-y1) < 2*r {
		return strings.Join([]string{"M", num(x1), num(y1), "H", num(x2)}, " ")
	}
	return strings.Join([]string{
		"M", num(x1), num(y1), "H", num(middle - r), "Q", num(middle), num(y1), num(middle), num(y1 + r),
		"V", num(y2 - r), "Q", num(middle), num(y2), num(middle + r), num(y2), "H", num(x2),
	}, " ")
}

// sub is the second line of a node.
func (n *graphNode) sub() string {
	parts := []string{n.kind}
	if n.status != "" {
		parts = []string{strings.ReplaceAll(n.status, "_", " ")}
	}
	if n.later >= 50*time.Millisecond {
		parts = append(parts, "after "+after(n.later))
	}
	return strings.Join(parts, ", ")
}

// after is how long something took, as short as it can be said.
func after(d time.Duration) string {
	switch {
	case d < time.Second:
		return Milliseconds(float64(d.Round(10*time.Millisecond)) / float64(time.Millisecond))
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	default:
		return Span(d, 2)
	}
}

// tone is the colour of the dot that tells how a node stands.
func (n *graphNode) tone() string {
	first, _, several := strings.Cut(n.status, ", ")
	if several && strings.Contains(n.status, string(busbar.DeliveryFailed)) {
		return "bad"
	}
	if several {
		return "warn"
	}
	switch first {
	case "", "delivered", "completed", "fired":
		return "good"
	case "failed", "error", "depth_limit":
		return "bad"
	case "parked", "held":
		return "warn"
	case "pending", "scheduled", "acknowledged", "holding", "shadowed":
		return "info"
	default:
		return "mute"
	}
}
