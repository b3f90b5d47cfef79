package view_test

import (
	"strings"
	"testing"
	"time"

	"busbar"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

// drawn is the page of an event, of which the graph is a part.
func drawn(t *testing.T, g api.Graph, here string) string {
	t.Helper()
	var b strings.Builder
	page := view.Event(view.Frame{Env: busbar.Sandbox, Home: busbar.Sandbox, User: &busbar.User{Role: busbar.RoleViewer}}, view.EventPage{Graph: view.LayOut(g, here, view.GraphNames{})})
	if err := page.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// chain has an event, a rule that was asked for nothing, and one that fired, with what came of it.
func chain() api.Graph {
	at := api.Time(time.Date(2026, 6, 1, 10, 0, 0, 0, time.UTC))
	return api.Graph{
		Nodes: []api.GraphNode{
			{ID: "evt_1", Kind: "event", Label: "device.updated", At: at, Status: "accepted"},
			{ID: "run_1", Kind: "run", Label: "rests", At: at, Status: "cooldown"},
			{ID: "run_2", Kind: "run", Label: "acts", At: at, Status: "fired"},
			{ID: "act_1", Kind: "action", Label: "charge", At: at, Status: "completed"},
			{ID: "evt_2", Kind: "event", Label: "push.completed", At: at, Status: "accepted"},
			{ID: "dlv_1", Kind: "delivery", Label: "ep_1", At: at, Status: "delivered"},
			{ID: "dlv_2", Kind: "delivery", Label: "ep_2", At: at, Status: "failed"},
			{ID: "dlv_3", Kind: "delivery", Label: "ep_3", At: at, Status: "parked"},
		},
		Edges: []api.GraphEdge{
			{From: "evt_1", To: "run_1"},
			{From: "evt_1", To: "run_2"},
			{From: "run_2", To: "act_1"},
			{From: "act_1", To: "evt_2"},
			{From: "evt_1", To: "dlv_1"},
			{From: "evt_2", To: "dlv_2"},
			{From: "evt_2", To: "dlv_3"},
		},
	}
}

func TestTheGraphIsAPictureAndAList(t *testing.T) {
	t.Parallel()
	page := drawn(t, chain(), "evt_1")
	for what, times := range map[string]int{
		// Twice: in the picture and in the list.
		`href="/sandbox/events/evt_2"`: 2, `href="/sandbox/runs/run_2"`: 2, `href="/sandbox/actions/act_1"`: 2, `href="/sandbox/deliveries/dlv_1"`: 2,
		// The deliveries of another event are one node.
		`href="/sandbox/deliveries?eventId=evt_2"`: 2, `>2 deliveries</text>`: 1, `>1 parked, 1 failed</text>`: 1, `dlv_2`: 0,
		// A rule that rested led to nothing.
		`run_1`:          0,
		`>charge</text>`: 1, `>completed</text>`: 1, `aria-current="page"`: 1, `class="edge"`: 5,
	} {
		if got := strings.Count(page, what); got != times {
			t.Errorf("%s is there %d times, want %d", what, got, times)
		}
	}
}

func TestAGraphThatGoesInACircleIsDrawn(t *testing.T) {
	t.Parallel()
	g := chain()
	g.Edges = append([]api.GraphEdge{{From: "evt_2", To: "evt_1"}, {From: "evt_1", To: "evt_1"}}, g.Edges...)
	if page := drawn(t, g, "evt_2"); strings.Count(page, `class="edge"`) == 0 {
		t.Error("nothing is drawn")
	}
}

func TestABigGraphSaysThatItIsNotWhole(t *testing.T) {
	t.Parallel()
	g := chain()
	for range 200 {
		id := "run_x" + strings.Repeat("x", len(g.Nodes))
		g.Nodes = append(g.Nodes, api.GraphNode{ID: id, Kind: "run", Label: "acts", Status: "fired"})
		g.Edges = append(g.Edges, api.GraphEdge{From: "evt_1", To: id})
	}
	page := drawn(t, g, "evt_1")
	if n := strings.Count(page, "<rect width"); n != 120 {
		t.Errorf("%d nodes are drawn", n)
	}
	if !strings.Contains(page, "There is more than this shows") {
		t.Error("that there is more is not said")
	}
}
