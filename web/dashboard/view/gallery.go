package view

import (
	"encoding/json"
	"net/url"
	"time"

	"busbar"
	"busbar/rules"
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

// galleryGraph has an event that two rules acted on, with deliveries that went well, wait and failed.
func galleryGraph(now time.Time) Graph {
	var g api.Graph
	add := func(from, id, kind, label, status string, later time.Duration) {
		g.Nodes = append(g.Nodes, api.GraphNode{ID: id, Kind: kind, Label: label, Status: status, At: api.Time(now.Add(later))})
		if from != "" {
			g.Edges = append(g.Edges, api.GraphEdge{From: from, To: id})
		}
	}
	add("", "evt_1", "event", "device.updated", "accepted", 0)
	add("evt_1", "run_1", "run", "Charge the car when the battery is full", "fired", time.Millisecond)
	add("evt_1", "run_2", "run", "Heat ahead", "fired", time.Millisecond)
	add("run_1", "act_1", "action", "charge", "completed", 20*time.Millisecond)
	add("act_1", "evt_2", "event", "push.completed", "accepted", 2*time.Second)
	add("evt_2", "dlv_1", "delivery", "Energy app", "delivered", 2*time.Second)
	add("evt_2", "dlv_2", "delivery", "Billing", "failed", 2*time.Second)
	add("run_2", "act_2", "action", "heat", "acknowledged", 20*time.Millisecond)
	add("run_2", "act_3", "action", "heat", "failed", 30*time.Millisecond)
	for i, status := range []string{"delivered", "delivered", "pending", "parked"} {
		add("evt_1", "dlv_1"+string(rune('a'+i)), "delivery", "ep_1", status, time.Millisecond)
	}
	return LayOut(g, "evt_1", GraphNames{})
}

// galleryStopped is a frame in which automation is stopped everywhere and at one site.
func galleryStopped(f Frame, now time.Time) Frame {
	f.Stops = []api.AutomationStop{{By: "Ada", At: api.Time(now.Add(-time.Hour))}, {SiteID: "site_home", By: "Grace", At: api.Time(now)}}
	f.Now = now
	return f
}

// galleryClauses are true, false and not known.
func galleryClauses() []rules.Clause {
	return []rules.Clause{
		{Source: "state.level >= 99 and site.meter.state.importPower < 0", Value: nil, Unknown: []rules.Unknown{{Name: "meter.importPower", Device: "meter", Reason: rules.ReasonStale}}},
		{Source: "state.level >= 99", Value: true, Operands: []rules.Operand{{Source: "state.level", Value: 99.5}}},
		{Source: "site.meter.state.importPower < 0", Value: nil, Unknown: []rules.Unknown{{Name: "meter.importPower", Device: "meter", Reason: rules.ReasonStale}}},
		{Source: "device.connected", Value: false},
	}
}

func galleryHome() *Home {
	device := func(family busbar.Family, state busbar.State) api.Device {
		return api.Device{DeviceRead: api.DeviceRead{ID: busbar.DeviceID(family), DeviceType: family, State: state, Connection: busbar.Connected}}
	}
	return NewHome(api.Site{ID: "home", Name: "Home"}, []api.Device{
		device(busbar.Meter, busbar.State{"importPower": -1.2}),
		device(busbar.SolarInverter, busbar.State{"currentPower": 4.6}),
		device(busbar.Battery, busbar.State{"chargeRate": 2.1, "level": 64.5}),
		device(busbar.EVCharger, busbar.State{"currentPower": 0.0}),
	})
}

// galleryActions have every state.
func galleryActions(now time.Time) []api.Action {
	var list []api.Action
	for i, s := range []busbar.ActionState{
		busbar.ActionScheduled, busbar.ActionAcknowledged, busbar.ActionCompleted, busbar.ActionFailed, busbar.ActionCancelled,
	} {
		list = append(list, api.Action{
			ID: busbar.ActionID("act_" + string(s)), DeviceID: "battery", DeviceType: busbar.Battery, Command: "charge", State: s,
			Parameters: api.Parameters{"power": {Value: 3, Unit: busbar.Kilowatts}}, CreatedAt: api.Time(now.Add(-time.Duration(i) * time.Hour)),
		})
	}
	return list
}
