package busbar

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Push is a command that someone wants carried out.
type Push struct {
	Command    string
	Parameters map[string]Quantity
	// Start and End are as given: RFC 3339, a site's wall clock (LocalTimeLayout), or a Go duration from now. Empty is
	// at once, and without an end.
	Start, End string
	// OnConflict is empty when an open action of the device is an error.
	OnConflict ConflictStrategy
	// ExpiresIn is how long after its start it may be tried; zero is DefaultExpiresIn.
	ExpiresIn time.Duration
	// HoldFor keeps rules off the device for that long.
	HoldFor time.Duration
}

// Plan checks a push against what a device can do and when, and gives the action that would carry it out, without id,
// slot and state. A refusal carries `deviceCapabilities`, so that the next request can be right. The checks go command, parameters,
// start.
func (d *Device) Plan(p *Push, loc *time.Location, now time.Time) (Action, error) {
	spec := d.Family.Spec()
	if len(spec.Commands) == 0 {
		return Action{}, d.refuse(CodeDirectAction, "action.command", nil, "a %s takes no commands", d.Family)
	}
	capability, ok := d.Commands[p.Command]
	if !ok {
		return Action{}, d.refuse(CodeUnsupportedMode, "action.command",
			map[string]any{"command": p.Command, "supportedCommands": slices.Sorted(maps.Keys(d.Commands))},
			"the device does not support the command %q; it supports %s", p.Command, strings.Join(slices.Sorted(maps.Keys(d.Commands)), ", "))
	}
	parameters, err := d.planParameters(p, &capability)
	if err != nil {
		return Action{}, err
	}
	a := Action{
		Environment: d.Environment, DeviceID: d.ID, Family: d.Family, SiteID: d.SiteID, Command: p.Command,
		Parameters: parameters, ExpiresIn: p.ExpiresIn, HoldFor: p.HoldFor, Priority: PersonPriority,
	}
	if a.ExpiresIn == 0 {
		a.ExpiresIn = DefaultExpiresIn
	}
	err = d.planTimes(&a, p, &capability, loc, now)
	return a, err
}

func (d *Device) planParameters(p *Push, capability *Capability) (map[string]Quantity, error) {
	var unknown []string
	for name := range p.Parameters {
		if _, ok := capability.Parameters[name]; !ok {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, d.refuse(CodeUnsupportedParameter, "action.parameters."+unknown[0],
			map[string]any{"unsupportedParameters": unknown, "supportedParameters": slices.Sorted(maps.Keys(capability.Parameters))},
			"%s takes no parameter %q on this device", p.Command, unknown[0])
	}
	planned := make(map[string]Quantity, len(p.Parameters))
	for _, name := range slices.Sorted(maps.Keys(p.Parameters)) {
		q, err := d.planQuantity("action.parameters."+name, name, p.Parameters[name], capability.Parameters[name])
		if err != nil {
			return nil, err
		}
		planned[name] = q
	}
	command, ok := d.Family.Spec().Command(p.Command)
	if !ok {
		return planned, nil
	}
	var missing []FieldError
	for _, parameter := range command.Parameters {
		if _, given := planned[parameter.Name]; parameter.Required && !given {
			missing = append(missing, FieldError{"action.parameters." + parameter.Name, "required", fmt.Sprintf("%s needs it", p.Command)})
		}
	}
	if len(missing) == 0 && crossed(planned["heatSetpoint"], planned["coolSetpoint"]) {
		missing = append(missing, FieldError{"action.parameters.heatSetpoint", "out_of_range", "must not be above coolSetpoint"})
	}
	if err := InvalidFields(missing); err != nil {
		return nil, d.withCapabilities(err)
	}
	return planned, nil
}

// crossed reports whether heating would begin above where cooling does. A device may declare the two in different units.
func crossed(heat, cool Quantity) bool {
	cool, ok := cool.In(heat.Unit)
	return ok && heat.Value > cool.Value
}

// planQuantity converts a quantity to the unit that a range is declared in, and checks that it lies in it.
func (d *Device) planQuantity(path, name string, given Quantity, r Range) (Quantity, error) {
	q, ok := given.In(r.Unit)
	if !ok {
		return q, d.refuse(CodeUnsupportedUnit, path+".unit",
			map[string]any{"parameter": name, "providedUnit": given.Unit, "supportedUnits": r.Unit.Accepts()},
			"%s is measured in %s, not in %s", name, r.Unit, given.Unit)
	}
	if !r.Contains(q.Value) {
		return q, d.refuse(CodeParameterOutOfRange, path+".value",
			map[string]any{"parameter": name, "value": q.Value, "min": r.Min, "max": r.Max, "unit": r.Unit},
			"%s must be from %v to %v %s", name, r.Min, r.Max, r.Unit)
	}
	return q, nil
}

// PlanSettings checks new settings of a device and gives them in the units that its family declares.
func (d *Device) PlanSettings(given map[string]Quantity) (map[string]Quantity, error) {
	spec := d.Family.Spec()
	planned := make(map[string]Quantity, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		setting, ok := spec.Setting(name)
		if !ok {
			return nil, d.refuse(CodeUnsupportedParameter, name, map[string]any{"unsupportedParameters": []string{name}},
				"a %s has no setting %q", d.Family, name)
		}
		q, err := d.planQuantity(name, name, given[name], setting.Range)
		if err != nil {
			return nil, err
		}
		planned[name] = q
	}
	return planned, nil
}

func (d *Device) planTimes(a *Action, p *Push, capability *Capability, loc *time.Location, now time.Time) error {
	if p.Start == "" && p.End != "" {
		return d.refuse(CodeInvalidTimeWindow, "action.end", map[string]any{"reason": "end_without_start"},
			"a window needs a start as well; \"0s\" is now")
	}
	wanted := Immediate
	switch {
	case p.End != "":
		wanted = Windowed
	case p.Start != "":
		wanted = Scheduled
	}
	if !capability.Supports(wanted) {
		return d.refuse(CodeExecutionNotSupported, "action."+map[Execution]string{Immediate: "start", Scheduled: "start", Windowed: "end"}[wanted],
			map[string]any{"requestedExecution": wanted, "supportedExecution": capability.Execution},
			"%s cannot be %s on this device", p.Command, wanted)
	}
	if wanted == Immediate {
		return nil
	}
	var err error
	if a.Start, err = readTime(p.Start, loc, now); err != nil {
		return d.withCapabilities(Invalid("action.start", "format", "%v", err))
	}
	if a.Start.Before(now.Truncate(time.Millisecond)) {
		return d.refuse(CodeStartInPast, "action.start", map[string]any{"start": stamp(a.Start), "now": stamp(now)}, "the start lies in the past")
	}
	if a.Start.After(now.Add(Horizon)) {
		return d.refuse(CodeStartOutOfRange, "action.start", map[string]any{"start": stamp(a.Start), "latest": stamp(now.Add(Horizon))},
			"the start must be within %d days", int(Horizon.Hours()/24))
	}
	if wanted == Scheduled {
		return nil
	}
	if a.End, err = readTime(p.End, loc, now); err != nil {
		return d.withCapabilities(Invalid("action.end", "format", "%v", err))
	}
	switch {
	case !a.End.After(a.Start):
		return d.refuse(CodeInvalidTimeWindow, "action.end", map[string]any{"reason": "end_not_after_start"}, "the end must lie after the start")
	case a.End.After(now.Add(Horizon)):
		return d.refuse(CodeInvalidTimeWindow, "action.end", map[string]any{"reason": "end_out_of_range"},
			"the end must be within %d days", int(Horizon.Hours()/24))
	}
	return nil
}

// stamp writes a time as clients see it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// readTime reads a time in any of the three forms, to the millisecond.
func readTime(text string, loc *time.Location, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(d).UTC().Truncate(time.Millisecond), nil
	}
	if t, ok := ParseTime(text); ok {
		return t.Truncate(time.Millisecond), nil
	}
	if t, err := LocalTime(text, loc); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("must be RFC 3339, the site's wall clock as %s, or a duration from now as 30m", LocalTimeLayout)
}

// Capabilities are what an error about a command carries.
type Capabilities struct {
	DeviceType         Family              `json:"deviceType"`
	Commands           Commands            `json:"commands"`
	ConflictStrategies []ConflictStrategy  `json:"conflictStrategies"`
	Settings           map[string]SetRange `json:"settings"`
}

// SetRange is a setting of a device with its bounds; without a value it was never set.
type SetRange struct {
	Value *float64 `json:"value"`
	Range
}

// Capabilities tells what the device can do.
func (d *Device) Capabilities() Capabilities {
	c := Capabilities{DeviceType: d.Family, Commands: d.Commands, ConflictStrategies: ConflictStrategies(), Settings: map[string]SetRange{}}
	for _, s := range d.Family.Spec().Settings {
		r := SetRange{Range: s.Range}
		if q, ok := d.Settings[s.Name]; ok {
			r.Value = &q.Value
		}
		c.Settings[s.Name] = r
	}
	return c
}

func (d *Device) refuse(code Code, path string, details map[string]any, format string, args ...any) error {
	e := Errorf(code, format, args...)
	e.Fields = []FieldError{{path, strings.ToLower(string(code)), e.Message}}
	e.Details = details
	return d.withCapabilities(e)
}

// withCapabilities adds what the device can do to an error about a command.
func (d *Device) withCapabilities(err error) error {
	e, ok := err.(*Error) //nolint:errorlint // what Invalid and refuse have just made
	if !ok {
		return err
	}
	if e.Details == nil {
		e.Details = make(map[string]any, 1)
	}
	e.Details["deviceCapabilities"] = d.Capabilities()
	return e
}
