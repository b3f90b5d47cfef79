package api

import (
	"context"

	"busbar"
)

// Family is what devices of one kind have in common.
type Family struct {
	Type     busbar.Family   `json:"type" enum:"battery,ev_charger,hvac,solar_inverter,vehicle,meter"`
	Segment  string          `json:"segment" doc:"How it is called in paths: /v1/{segment}." example:"ev-charger"`
	Fields   []Field         `json:"fields" doc:"What its devices report."`
	Commands []FamilyCommand `json:"commands" doc:"What its devices may understand. A device has its own in commands."`
	Settings []FamilySetting `json:"settings"`
}

// Field is one value that devices report.
type Field struct {
	Name        string           `json:"name" example:"level"`
	Type        busbar.FieldKind `json:"type" enum:"number,boolean,string"`
	Unit        *string          `json:"unit" example:"%"`
	Enum        []string         `json:"enum,omitempty" doc:"All values there are."`
	Min         *float64         `json:"min,omitempty" doc:"What is below is not believed."`
	Max         *float64         `json:"max,omitempty" doc:"What is above is not believed."`
	Resolution  *float64         `json:"resolution,omitempty" doc:"Events and rules see multiples of it." example:"0.1"`
	Nullable    bool             `json:"nullable" doc:"A device may say that it does not know."`
	Description string           `json:"description"`
}

// FamilyCommand is a command with everything that it may carry.
type FamilyCommand struct {
	Name       string             `json:"name" example:"charge"`
	Parameters []FamilyParameter  `json:"parameters"`
	Execution  []busbar.Execution `json:"execution" doc:"immediate, scheduled, windowed"`
	Affects    []string           `json:"affects" doc:"The fields that change because of it."`
}

// FamilyParameter is a parameter of a command.
type FamilyParameter struct {
	Name string `json:"name" example:"power"`
	FamilyRange
	Required bool `json:"required"`
}

// FamilySetting is a value that devices keep.
type FamilySetting struct {
	Name string `json:"name" example:"discharge_floor"`
	FamilyRange
	Description string `json:"description"`
}

// FamilyRange bounds a quantity; both ends are inclusive.
type FamilyRange struct {
	Unit    busbar.Unit   `json:"unit" example:"kw"`
	Min     float64       `json:"min"`
	Max     float64       `json:"max"`
	Accepts []busbar.Unit `json:"accepts" doc:"The units that are converted to it."`
}

// listFamilies gives the schema that readings, commands and forms are made by.
func (*API) listFamilies(_ context.Context, r *Request) (*Reply, error) {
	return listOf(r, busbar.Page[busbar.Family]{Items: busbar.Families()}, viewFamily), nil
}

func viewFamily(f *busbar.Family) Family {
	spec := f.Spec()
	v := Family{
		Type: *f, Segment: f.Segment(), Fields: make([]Field, len(spec.Fields)),
		Commands: make([]FamilyCommand, len(spec.Commands)), Settings: make([]FamilySetting, len(spec.Settings)),
	}
	for i := range spec.Fields {
		v.Fields[i] = viewField(&spec.Fields[i])
	}
	for i, c := range spec.Commands {
		v.Commands[i] = FamilyCommand{c.Name, make([]FamilyParameter, len(c.Parameters)), c.Execution, c.Affects}
		for j, p := range c.Parameters {
			v.Commands[i].Parameters[j] = FamilyParameter{p.Name, viewRange(p.Range), p.Required}
		}
	}
	for i, s := range spec.Settings {
		v.Settings[i] = FamilySetting{s.Name, viewRange(s.Range), s.Doc}
	}
	return v
}

func viewField(f *busbar.Field) Field {
	v := Field{Name: f.Name, Type: f.Kind, Unit: optionalText(f.Unit), Enum: f.Enum, Nullable: f.Nullable, Description: f.Doc}
	if f.Kind == busbar.KindNumber {
		resolution := f.Resolution()
		v.Min, v.Max, v.Resolution = &f.Min, &f.Max, &resolution
	}
	return v
}

func viewRange(r busbar.Range) FamilyRange {
	return FamilyRange{r.Unit, r.Min, r.Max, r.Unit.Accepts()}
}
