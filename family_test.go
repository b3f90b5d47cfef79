package busbar_test

import (
	"slices"
	"strings"
	"testing"

	"busbar"
)

func TestFamiliesAreSound(t *testing.T) {
	t.Parallel()
	segments := map[string]bool{}
	for _, family := range busbar.Families() {
		spec := family.Spec()
		if spec == nil || spec.Family != family {
			t.Fatalf("%s has no spec of its own", family)
		}
		if parsed, err := busbar.ParseFamily(string(family)); err != nil || parsed != family {
			t.Errorf("%s is read as %s, %v", family, parsed, err)
		}
		if s := family.Segment(); segments[s] || s != strings.ReplaceAll(string(family), "_", "-") {
			t.Errorf("%s has the segment %s", family, s)
		}
		segments[family.Segment()] = true
		fields(t, spec)
		commands(t, spec)
	}
	if f := busbar.Family("toaster"); f.Spec() != nil {
		t.Error("a toaster is a family")
	}
}

func fields(t *testing.T, spec *busbar.Spec) {
	t.Helper()
	names := map[string]bool{}
	for _, f := range spec.Fields {
		if names[f.Name] || f.Doc == "" {
			t.Errorf("%s %s is there twice, or says nothing", spec.Family, f.Name)
		}
		names[f.Name] = true
		switch f.Kind {
		case busbar.KindNumber:
			if f.Min >= f.Max || f.Resolution() <= 0 || f.Unit == "" || f.Enum != nil {
				t.Errorf("%s %s: %+v", spec.Family, f.Name, f)
			}
		case busbar.KindText:
			if len(f.Enum) < 2 || f.Resolution() != 0 {
				t.Errorf("%s %s: %+v", spec.Family, f.Name, f)
			}
		case busbar.KindBool:
			if f.Enum != nil || f.Unit != "" || f.Resolution() != 0 {
				t.Errorf("%s %s: %+v", spec.Family, f.Name, f)
			}
		}
	}
}

func commands(t *testing.T, spec *busbar.Spec) {
	t.Helper()
	for _, c := range spec.Commands {
		if !slices.Contains(c.Execution, busbar.Immediate) {
			t.Errorf("%s %s cannot be done at once", spec.Family, c.Name)
		}
		for _, name := range c.Affects {
			if _, ok := spec.Field(name); !ok {
				t.Errorf("%s %s affects %s, which is no field", spec.Family, c.Name, name)
			}
		}
		for _, p := range c.Parameters {
			if _, err := busbar.ParseUnit(string(p.Range.Unit)); err != nil || p.Range.Min >= p.Range.Max {
				t.Errorf("%s %s %s: %+v, %v", spec.Family, c.Name, p.Name, p.Range, err)
			}
		}
	}
	// A window ends with a command that needs no parameters.
	if release, ok := spec.Command(spec.Release); len(spec.Commands) > 0 && (!ok || release.Parameters != nil) {
		t.Errorf("%s is released by %q", spec.Family, spec.Release)
	}
	for _, s := range spec.Settings {
		if _, err := busbar.ParseUnit(string(s.Range.Unit)); err != nil || s.Range.Min >= s.Range.Max || s.Doc == "" {
			t.Errorf("%s setting %s: %+v", spec.Family, s.Name, s)
		}
	}
}

// Devices have capabilities of their own: changing those of one leaves the family alone.
func TestDefaultCommandsAreACopy(t *testing.T) {
	t.Parallel()
	mine := busbar.Battery.Spec().DefaultCommands()
	mine["charge"].Parameters["power"] = busbar.Range{Unit: busbar.Kilowatts, Max: 99}
	mine["charge"].Execution[0] = busbar.Windowed
	delete(mine, "idle")
	theirs := busbar.Battery.Spec().DefaultCommands()
	charge := theirs["charge"]
	if charge.Parameters["power"].Max != 5 || !charge.Supports(busbar.Immediate) || len(theirs) != 6 {
		t.Errorf("the family's commands are now %v", theirs)
	}
}
