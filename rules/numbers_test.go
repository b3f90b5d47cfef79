package rules_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/rules"
)

// numbered is a rule of one push with a parameter.
func numbered(t *testing.T, value string) *rules.Rule {
	t.Helper()
	r, err := rules.ParseJSON([]byte(`{"name":"x","on":["device.updated"],"deviceType":"battery","if":"state.level > 1",
		"then":[{"push":{"device":"device","command":"charge","parameters":{"power":{"value":` + value + `,"unit":"kw"}}}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParameterComesBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"2": "2", "2.50": "2.5", "1e-7": "1e-7", "1e300": "1e+300", "-0.0": "0",
		`"2"`: `"2"`, `" 2 "`: `" 2 "`, `"2.50"`: `"2.50"`, `"clamp(state.level, 1, 5)"`: `"clamp(state.level, 1, 5)"`,
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			r := numbered(t, value)
			if got := toJSON(t, r); !strings.Contains(got, `"power":{"value":`+want+`,"unit":"kw"}`) {
				t.Errorf("JSON is %s", got)
			}
			text, err := r.YAML()
			if err != nil {
				t.Fatal(err)
			}
			fromYAML, err := rules.ParseYAML(text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if diff := cmp.Diff(toJSON(t, r), toJSON(t, fromYAML)); diff != "" {
				t.Errorf("YAML and back:\n%s\n%s", diff, text)
			}
			// As it was kept when numbers were written as texts.
			spec := r.Then[0].Push.Parameters["power"]
			text, err = json.Marshal(spec.Value)
			if err != nil {
				t.Fatal(err)
			}
			same, err := r.SameText(numbered(t, string(text)))
			if err != nil || !same {
				t.Errorf("is not the same as with the text %s: %v", text, err)
			}
			if same, err = r.SameText(numbered(t, "3")); err != nil || same {
				t.Errorf("is the same as with 3: %v", err)
			}
			if diff := cmp.Diff(spec, r.Then[0].Push.Parameters["power"]); diff != "" {
				t.Errorf("comparing changed the rule:\n%s", diff)
			}
		})
	}
}
