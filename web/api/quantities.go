package api

import (
	"maps"
	"slices"

	"busbar"
	"busbar/web/strictjson"
)

// quantities reads quantities by name. Whether their units fit is left to the device that they are for.
func (p *problems) quantities(path string, given map[string]QuantityBody) map[string]busbar.Quantity {
	read := make(map[string]busbar.Quantity, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		q := given[name]
		at := strictjson.Join(path, name)
		if !q.Value.Has() {
			p.add(at+".value", "required", "is missing")
		}
		if !q.Unit.Has() {
			p.add(at+".unit", "required", "is missing")
		}
		read[name] = busbar.Quantity{Value: q.Value.Value, Unit: busbar.Unit(shorten(q.Unit.Value))}
	}
	return read
}
