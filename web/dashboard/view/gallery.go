package view

import (
	"encoding/json"
	"net/url"
	"time"

	"busbar"
	"busbar/web/api"
)

// galleryForm has a value, a choice and an error in its fields.
func galleryForm() Form {
	return Form{
		Values: url.Values{"a": {"A value"}, "b": {"not a URL"}, "c": {"two"}, "e": {"yes"}},
		Errors: map[string]string{"": "This is about the form as a whole.", "b": "Must be a URL, as https://example.com/hook."},
	}
}

// galleryDay has every status, hours without anything, and one that stands out.
func galleryDay(now time.Time) *Day {
	first := now.UTC().Truncate(time.Hour).Add(-23 * time.Hour)
	d := NewDay(first, 24)
	for i := range 24 {
		hour := first.Add(time.Duration(i) * time.Hour)
		if i == 5 || i == 6 {
			continue
		}
		d.Add("ep_1", hour, busbar.DeliveryDelivered, 40+(i*37)%90)
		d.Add("ep_1", hour, busbar.DeliveryFailed, i%7)
		if i > 20 {
			d.Add("ep_1", hour, busbar.DeliveryPending, 9)
			d.Add("ep_1", hour, busbar.DeliveryParked, 6)
			d.Add("ep_1", hour, busbar.DeliveryCancelled, 3)
		}
	}
	return d
}

func galleryJSON() json.RawMessage {
	return json.RawMessage(`{"text":"<script>alert(1)</script>","right to left":"\u202egnp.exe","emoji":"🔌⚡","number":-1.5e3,"yes":true,"none":null,"list":[1,[2,{"deep":"er"}]]}`)
}

func galleryGraph() Graph {
	return LayOut(api.Graph{
		Nodes: []api.GraphNode{
			{ID: "evt_1", Kind: "event", Label: "device.updated", Status: "accepted"},
			{ID: "run_1", Kind: "run", Label: "Charge the car when the battery is full", Status: "fired"},
			{ID: "act_1", Kind: "action", Label: "charge", Status: "completed"},
			{ID: "evt_2", Kind: "event", Label: "push.completed", Status: "accepted"},
			{ID: "dlv_1", Kind: "delivery", Label: "ep_1", Status: "delivered"},
			{ID: "dlv_2", Kind: "delivery", Label: "ep_2", Status: "failed"},
			{ID: "dlv_3", Kind: "delivery", Label: "ep_1", Status: "pending"},
		},
		Edges: []api.GraphEdge{
			{From: "evt_1", To: "run_1"},
			{From: "run_1", To: "act_1"},
			{From: "act_1", To: "evt_2"},
			{From: "evt_1", To: "dlv_1"},
			{From: "evt_2", To: "dlv_2"},
			{From: "evt_2", To: "dlv_3"},
		},
	}, "evt_1", nil)
}
