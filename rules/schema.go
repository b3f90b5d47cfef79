package rules

import (
	"slices"

	"busbar"
)

// Schema is what an editor needs to complete and to document expressions.
type Schema struct {
	Variables []SchemaMember   `json:"variables"`
	Objects   []SchemaObject   `json:"objects" doc:"What the objects among the variables and members have, by the name that is in their of."`
	Functions []SchemaFunction `json:"functions"`
	Operators []string         `json:"operators"`
	Commands  []SchemaCommand  `json:"commands" doc:"What push steps may command, by family."`
	Limits    SchemaLimits     `json:"limits"`
}

// SchemaMember is a variable, or a member of an object.
type SchemaMember struct {
	Name        string   `json:"name"`
	Type        string   `json:"type" enum:"boolean,number,string,time,duration,quantity,list,object,any"`
	Of          string   `json:"of,omitempty" doc:"Of an object: its name in objects. Of a list: the type of its elements, or the name of their object."`
	Unit        string   `json:"unit,omitempty"`
	Enum        []string `json:"enum,omitempty"`
	Min         *float64 `json:"min,omitempty"`
	Max         *float64 `json:"max,omitempty"`
	Resolution  *float64 `json:"resolution,omitempty"`
	Description string   `json:"description,omitempty"`
}

// SchemaObject is a kind of object.
type SchemaObject struct {
	Name    string         `json:"name"`
	Members []SchemaMember `json:"members"`
}

// SchemaFunction is a function.
type SchemaFunction struct {
	Name        string `json:"name"`
	Signature   string `json:"signature"`
	Description string `json:"description"`
	Predicate   bool   `json:"predicate" doc:"Its second operand is asked of each element: . is the element, .name one of its members."`
}

// SchemaCommand is a command of a family.
type SchemaCommand struct {
	DeviceType string            `json:"deviceType"`
	Command    string            `json:"command"`
	Parameters []SchemaParameter `json:"parameters"`
}

// SchemaParameter is a parameter of a command; a single device may allow less.
type SchemaParameter struct {
	Name     string  `json:"name"`
	Unit     string  `json:"unit"`
	Min      float64 `json:"min"`
	Max      float64 `json:"max"`
	Required bool    `json:"required"`
}

// SchemaLimits are the bounds of an expression.
type SchemaLimits struct {
	SourceBytes int `json:"sourceBytes"`
	Nodes       int `json:"nodes"`
	Nesting     int `json:"nesting"`
	Steps       int `json:"steps"`
	MemoryBytes int `json:"memoryBytes"`
}

// Describe gives the schema for rules of a family, or of none.
func Describe(family busbar.Family) Schema {
	d := describer{names: map[*object]string{
		siteObject: "site", eventObject: "event", causeObject: "cause", stepObject: "step", errorObject: "error",
		timeObject: "time", quantityObject: "quantity",
		anyDevice: "device", anyState: "device.state", anyPrevious: "device.previous", anySettingsObject: "device.settings",
	}}
	for _, f := range busbar.Families() {
		o, name := byFamily[f], string(f)
		d.names[o.device], d.names[o.state], d.names[o.previous], d.names[o.settings] = name, name+".state", name+".previous", name+".settings"
	}
	s := Schema{
		Variables: d.members(scene{family: family, steps: true, failure: true}.variables()),
		Operators: []string{
			"and", "or", "not", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "contains", "startsWith", "endsWith", "matches",
			"+", "-", "*", "/", "%", "**", "??", "..", "? :", "|",
		},
		Functions: describeFunctions(),
		Commands:  describeCommands(),
		Limits:    SchemaLimits{MaxSourceBytes, MaxNodes, MaxNesting, MaxSteps, MaxMemory},
	}
	d.want(timeObject)
	d.want(quantityObject)
	for len(d.wanted) > 0 {
		next := d.wanted[0]
		d.wanted = d.wanted[1:]
		s.Objects = append(s.Objects, SchemaObject{d.names[next], d.members(next)})
	}
	return s
}

// describer writes objects once each, when something leads to them.
type describer struct {
	names  map[*object]string
	seen   []*object
	wanted []*object
}

func (d *describer) want(o *object) {
	if !slices.Contains(d.seen, o) {
		d.seen = append(d.seen, o)
		d.wanted = append(d.wanted, o)
	}
}

func (d *describer) members(o *object) []SchemaMember {
	made := make([]SchemaMember, len(o.members))
	for i := range o.members {
		m := &o.members[i]
		made[i] = SchemaMember{Name: m.name, Type: d.typeName(m.typ), Enum: m.typ.enum, Description: m.doc}
		switch m.typ.kind {
		case kindObject:
			made[i].Of = d.names[m.typ.object]
			d.want(m.typ.object)
		case kindList:
			elem := m.typ.element()
			made[i].Of, made[i].Enum = d.typeName(elem), elem.enum
			if elem.kind == kindObject {
				made[i].Of = d.names[elem.object]
				d.want(elem.object)
			}
		case kindUnknown, kindNil, kindBool, kindNumber, kindString, kindTime, kindDuration, kindQuantity, kindMap, kindAny, kindBad:
		}
		if f := m.typ.field; f != nil {
			lowest, highest, resolution := f.Min, f.Max, f.Resolution()
			made[i].Unit, made[i].Min, made[i].Max, made[i].Resolution = f.Unit, &lowest, &highest, &resolution
		}
	}
	return made
}

func (d *describer) typeName(t typ) string {
	switch t.kind {
	case kindBool:
		return "boolean"
	case kindNumber:
		return "number"
	case kindString:
		return "string"
	case kindTime:
		return "time"
	case kindDuration:
		return "duration"
	case kindQuantity:
		return "quantity"
	case kindList:
		return "list"
	case kindObject:
		return "object"
	case kindMap, kindUnknown, kindNil, kindAny, kindBad:
	}
	return "any"
}

func describeFunctions() []SchemaFunction {
	made := make([]SchemaFunction, 0, len(functions)+len(special)+len(predicates))
	for _, name := range functionNames() {
		f := SchemaFunction{Name: name}
		if p, ok := predicates[name]; ok {
			f.Signature, f.Description, f.Predicate = p.signature, p.doc, true
		} else if s, ok := special[name]; ok {
			f.Signature, f.Description = s.signature, s.doc
		} else {
			f.Signature, f.Description = functions[name].signature, functions[name].doc
		}
		made = append(made, f)
	}
	return made
}

func describeCommands() []SchemaCommand {
	var made []SchemaCommand
	for _, family := range busbar.Families() {
		for _, c := range family.Spec().Commands {
			command := SchemaCommand{DeviceType: string(family), Command: c.Name, Parameters: make([]SchemaParameter, len(c.Parameters))}
			for i, p := range c.Parameters {
				command.Parameters[i] = SchemaParameter{p.Name, string(p.Range.Unit), p.Range.Min, p.Range.Max, p.Required}
			}
			made = append(made, command)
		}
	}
	return made
}
