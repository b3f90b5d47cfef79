package rules_test

import (
	"slices"
	"strings"
	"testing"

	"busbar"
	"busbar/rules"
)

// TestSchemaIsTheLanguage holds that everything the schema names can be used, so that an editor never completes what is
// then refused.
func TestSchemaIsTheLanguage(t *testing.T) {
	t.Parallel()
	for _, family := range append(busbar.Families(), "") {
		schema := rules.Describe(family)
		objects := map[string][]rules.SchemaMember{}
		for _, o := range schema.Objects {
			objects[o.Name] = o.Members
		}
		var walk func(path string, members []rules.SchemaMember, depth int)
		walk = func(path string, members []rules.SchemaMember, depth int) {
			for _, m := range members {
				source := path + m.Name
				if m.Name == "steps" || m.Name == "error" {
					continue // only in later steps
				}
				if _, diagnostics := rules.Evaluate(source, family, home(t)); len(rules.Errors(diagnostics)) > 0 {
					t.Errorf("%s: %+v", source, diagnostics)
				}
				if m.Type == "object" && depth < 4 {
					if objects[m.Of] == nil {
						t.Errorf("%s is of %q, which is not described", source, m.Of)
					}
					walk(source+".", objects[m.Of], depth+1)
				}
				if m.Type == "list" && objects[m.Of] != nil && depth < 3 {
					walk("first("+source+").", objects[m.Of], depth+1)
				}
			}
		}
		walk("", schema.Variables, 0)
	}
}

func TestSchemaHasUnitsAndResolutions(t *testing.T) {
	t.Parallel()
	schema := rules.Describe(busbar.Battery)
	i := slices.IndexFunc(schema.Objects, func(o rules.SchemaObject) bool { return o.Name == "battery.state" })
	if i < 0 {
		t.Fatal("no battery.state")
	}
	members := schema.Objects[i].Members
	level := members[slices.IndexFunc(members, func(m rules.SchemaMember) bool { return m.Name == "level" })]
	if level.Type != "number" || level.Unit != "%" || *level.Resolution != 0.1 || *level.Max != 100 || level.Description == "" {
		t.Errorf("level %+v", level)
	}
	status := members[slices.IndexFunc(members, func(m rules.SchemaMember) bool { return m.Name == "status" })]
	if !slices.Equal(status.Enum, []string{"charging", "discharging", "idle", "standby"}) {
		t.Errorf("status %+v", status)
	}
	for _, f := range schema.Functions {
		if !strings.HasPrefix(f.Signature, f.Name+"(") || f.Description == "" {
			t.Errorf("function %+v", f)
		}
	}
}
