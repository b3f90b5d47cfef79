package api

import (
	"maps"
	"math"
	"slices"
	"strings"

	"busbar"
	"busbar/web/strictjson"
)

// maxBound is more than any parameter of a home device can be.
const maxBound = 1e9

// commands reads what a device can do: a part of what its family can.
func (p *problems) commands(spec *busbar.Spec, given map[string]CapabilityBody) busbar.Commands {
	commands := make(busbar.Commands, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		path := strictjson.Join("commands", name)
		command, ok := spec.Command(name)
		if !ok {
			p.add(path, "unsupported", "a %s has no such command", spec.Family)
			continue
		}
		body := given[name]
		commands[name] = busbar.Capability{
			Parameters: p.parameters(path+".parameters", command, body.Parameters.Value),
			Execution:  p.execution(path+".execution", command, body.Execution.Value),
		}
	}
	return commands
}

func (p *problems) parameters(path string, command *busbar.CommandSpec, given map[string]RangeBody) map[string]busbar.Range {
	ranges := make(map[string]busbar.Range, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		at := strictjson.Join(path, name)
		parameter, ok := command.Parameter(name)
		if !ok {
			p.add(at, "unsupported", "%s has no such parameter", command.Name)
			continue
		}
		ranges[name] = p.bounds(at, parameter.Range.Unit, given[name])
	}
	for _, parameter := range command.Parameters {
		if _, ok := given[parameter.Name]; parameter.Required && !ok {
			p.add(strictjson.Join(path, parameter.Name), "required", "%s needs it", command.Name)
		}
	}
	return ranges
}

// bounds reads a range whose unit can be converted to another.
func (p *problems) bounds(path string, unit busbar.Unit, given RangeBody) busbar.Range {
	if !given.Unit.Has() || !given.Min.Has() || !given.Max.Has() {
		p.add(path, "required", "must have unit, min and max")
		return busbar.Range{}
	}
	r := busbar.Range{Unit: busbar.Unit(given.Unit.Value), Min: given.Min.Value, Max: given.Max.Value}
	switch {
	case !slices.Contains(unit.Accepts(), r.Unit):
		p.add(path+".unit", "unsupported", "must be %s", anyOf(unit.Accepts()))
	case r.Min > r.Max:
		p.add(path+".min", "out_of_range", "must not be above max")
	case r.Unit == busbar.Percent && (r.Min < 0 || r.Max > 100):
		p.add(path, "out_of_range", "must lie in 0 to 100 percent")
	case max(math.Abs(r.Min), math.Abs(r.Max)) > maxBound:
		p.add(path, "out_of_range", "must lie in %v to %v", -maxBound, maxBound)
	}
	return r
}

func (p *problems) execution(path string, command *busbar.CommandSpec, given []string) []busbar.Execution {
	var ways []busbar.Execution
	for _, text := range given {
		e, err := busbar.ParseExecution(text)
		switch {
		case err != nil || !slices.Contains(command.Execution, e):
			p.add(path, "unsupported", "must be of %s", anyOf(command.Execution))
			return nil
		case !slices.Contains(ways, e):
			ways = append(ways, e)
		}
	}
	if len(ways) == 0 {
		p.add(path, "required", "must name at least one of %s", anyOf(command.Execution))
	}
	return ways
}

// anyOf lists names for people.
func anyOf[T ~string](names []T) string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = string(n)
	}
	return strings.Join(texts, ", ")
}
