package view

import (
	"fmt"
	"math"
	"strings"

	"busbar"
	"busbar/web/api"
)

// Home is where the energy of a site comes from and goes to, right now, in kW.
type Home struct {
	Site api.Site
	// nodes in the order in which they are drawn.
	nodes []homeNode
	house float64
}

type homeNode struct {
	label, icon, device string
	// in is what flows to the house; negative is away from it.
	in    float64
	extra string
	x, y  float64
}

// NewHome adds up the devices of a site. What a device has not reported counts as nothing.
func NewHome(site api.Site, devices []api.Device) *Home {
	h := &Home{Site: site}
	value := func(d *api.Device, field string) float64 {
		v, ok := d.State[field].(float64)
		if !ok {
			return 0
		}
		return v
	}
	for i := range devices {
		d := &devices[i]
		node := homeNode{icon: familyIcon(d.DeviceType), device: string(d.ID)}
		switch d.DeviceType {
		case busbar.SolarInverter:
			node.label, node.in, node.x, node.y = "Solar", value(d, "currentPower"), 210, 54
		case busbar.Meter:
			node.label, node.in, node.x, node.y = "Grid", value(d, "importPower"), 60, 200
		case busbar.Battery:
			node.label, node.in, node.x, node.y = "Battery", -value(d, "chargeRate"), 360, 200
			node.extra = fmt.Sprintf("%.0f\u202f%%", value(d, "level"))
		case busbar.EVCharger:
			node.label, node.in, node.x, node.y = "Car", -value(d, "currentPower"), 210, 346
		case busbar.HVAC, busbar.Vehicle:
			continue // their power is part of the house's, or the charger's
		default:
			continue
		}
		if h.has(node.label) {
			continue // a picture shows one of each
		}
		h.house += node.in
		h.nodes = append(h.nodes, node)
	}
	return h
}

func (h *Home) has(label string) bool {
	for _, n := range h.nodes {
		if n.label == label {
			return true
		}
	}
	return false
}

// flows reports whether so much flows that it is worth a picture.
func (n homeNode) flows() bool { return math.Abs(n.in) >= 0.05 }

func (n homeNode) path() string { return fmt.Sprintf("M%g %gL210 200", n.x, n.y) }

func kilowatts(v float64) string { return fmt.Sprintf("%.1f\u202fkW", math.Abs(v)) }

// inWords is the picture for those who do not see it.
func (h *Home) inWords() string {
	var text strings.Builder
	fmt.Fprintf(&text, "The house uses %s.", kilowatts(h.house))
	for _, n := range h.nodes {
		switch {
		case !n.flows():
			fmt.Fprintf(&text, " %s: nothing flows.", n.label)
		case n.in > 0:
			fmt.Fprintf(&text, " %s gives %s.", n.label, kilowatts(n.in))
		default:
			fmt.Fprintf(&text, " %s takes %s.", n.label, kilowatts(n.in))
		}
	}
	return text.String()
}
