package busbar

import (
	"fmt"
	"slices"
)

// Family is a kind of device. Devices of a family report the same fields and understand the same commands.
type Family string

// The families.
const (
	Battery       Family = "battery"
	EVCharger     Family = "ev_charger"
	HVAC          Family = "hvac"
	SolarInverter Family = "solar_inverter"
	Vehicle       Family = "vehicle"
	Meter         Family = "meter"
)

// Families lists all of them.
func Families() []Family { return []Family{Battery, EVCharger, HVAC, SolarInverter, Vehicle, Meter} }

// ParseFamily rejects what is not a family.
func ParseFamily(s string) (Family, error) {
	switch f := Family(s); f {
	case Battery, EVCharger, HVAC, SolarInverter, Vehicle, Meter:
		return f, nil
	default:
		return "", fmt.Errorf("%q is none of battery, ev_charger, hvac, solar_inverter, vehicle, meter", s)
	}
}

// Segment is how the family is called in paths: /v1/{segment}/{id}.
func (f Family) Segment() string {
	switch f {
	case EVCharger:
		return "ev-charger"
	case SolarInverter:
		return "solar-inverter"
	case Battery, HVAC, Vehicle, Meter:
	}
	return string(f)
}

// FieldKind is the type of a field's values.
type FieldKind string

// The kinds.
const (
	KindNumber FieldKind = "number"
	KindBool   FieldKind = "boolean"
	// KindText is a string of a closed set: Field.Enum.
	KindText FieldKind = "string"
)

// Field is what a family's devices report under one name.
type Field struct {
	Name string    `json:"name"`
	Kind FieldKind `json:"type"`
	// Unit is for people, as kW; empty for what has none.
	Unit string   `json:"unit,omitempty"`
	Enum []string `json:"enum,omitempty"`
	// Min and Max bound what is believed of a reading; both are inclusive.
	Min float64 `json:"min,omitempty"`
	Max float64 `json:"max,omitempty"`
	// StepsPerUnit is one over the resolution, which keeps rounded values free of binary dust: 20 is a resolution of 0.05.
	StepsPerUnit float64 `json:"-"`
	// Nullable: a device may say that it does not know.
	Nullable bool   `json:"nullable"`
	Doc      string `json:"description,omitempty"`
}

// Resolution is the smallest difference that makes a number another one; zero for what is no number.
func (f *Field) Resolution() float64 {
	if f.StepsPerUnit == 0 {
		return 0
	}
	return 1 / f.StepsPerUnit
}

// Parameter is what a command may carry.
type Parameter struct {
	Name     string
	Range    Range
	Required bool
}

// CommandSpec is what a family's devices may understand.
type CommandSpec struct {
	Name       string
	Parameters []Parameter
	Execution  []Execution
	// Affects are the fields that change because of the command, so that a later reading can be told to be its echo.
	Affects []string
}

// Setting is a value that a device keeps.
type Setting struct {
	Name  string
	Range Range
	Doc   string
}

// Spec is all that is the same for the devices of a family. It is shared: never change it.
type Spec struct {
	Family   Family
	Fields   []Field
	Commands []CommandSpec
	Settings []Setting
	// Release is the command that gives the device back to itself, when the mode that it was in before is not known.
	Release string
}

// Field finds a field by its name.
func (s *Spec) Field(name string) (*Field, bool) {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return &s.Fields[i], true
		}
	}
	return nil, false
}

// Command finds a command by its name.
func (s *Spec) Command(name string) (*CommandSpec, bool) {
	for i := range s.Commands {
		if s.Commands[i].Name == name {
			return &s.Commands[i], true
		}
	}
	return nil, false
}

// Setting finds a setting by its name.
func (s *Spec) Setting(name string) (*Setting, bool) {
	for i := range s.Settings {
		if s.Settings[i].Name == name {
			return &s.Settings[i], true
		}
	}
	return nil, false
}

// Parameter finds a parameter by its name.
func (c *CommandSpec) Parameter(name string) (*Parameter, bool) {
	for i := range c.Parameters {
		if c.Parameters[i].Name == name {
			return &c.Parameters[i], true
		}
	}
	return nil, false
}

// DefaultCommands are the capabilities of a device that declares none: all of its family's.
func (s *Spec) DefaultCommands() Commands {
	commands := make(Commands, len(s.Commands))
	for _, c := range s.Commands {
		capability := Capability{Parameters: make(map[string]Range, len(c.Parameters)), Execution: slices.Clone(c.Execution)}
		for _, p := range c.Parameters {
			capability.Parameters[p.Name] = p.Range
		}
		commands[c.Name] = capability
	}
	return commands
}

// Spec is the family's; nil for what is no family.
func (f Family) Spec() *Spec {
	i := slices.IndexFunc(specs, func(s *Spec) bool { return s.Family == f })
	if i < 0 {
		return nil
	}
	return specs[i]
}
