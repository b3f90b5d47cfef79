package rules_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"busbar"
	"busbar/rules"
)

func TestFilter(t *testing.T) {
	t.Parallel()
	const data = `{"level": 97.5, "state": {"status": "idle"}, "tags": ["a", "b"], "note": null}`
	for source, want := range map[string]bool{
		`type == "device.updated"`:                                true,
		`type startsWith "push."`:                                 false,
		`data.level > 90 and data.state.status == "idle"`:         true,
		`data.level > 99`:                                         false,
		`data.missing > 1`:                                        false,
		`not (data.missing > 1)`:                                  false,
		`data.note == "x"`:                                        false,
		`"level" in data`:                                         true,
		`"b" in data.tags`:                                        true,
		`any(data.tags, # startsWith "b")`:                        true,
		`type in ["push.failed", "device.updated"]`:               true,
		`(data.missing ?? 100) > 99`:                              true,
		`data["level"] == 97.5`:                                   true,
		`data.state["status"] matches "^(idle|standby)$"`:         true,
		`let l = data.level; l > 50 and l < 98 and len(type) > 3`: true,
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			f, err := rules.CompileFilter(source)
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Match("device.updated", json.RawMessage(data))
			if err != nil || got != want {
				t.Errorf("Match = %v, %v; want %v", got, err, want)
			}
		})
	}
}

func TestFilterErrorsOnAnEvent(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`data.name > 5`:            "data.name > 5: a string and a number cannot be compared",
		`data.name`:                "data.name: gives a string, where a boolean is needed",
		`data.name.first == "x"`:   "data.name: is a string, where an object is needed",
		`data.list + 1 > 2`:        "where something that + can be used with is needed",
		`any(data.name, # == "x")`: "data.name: is a string, where a list is needed",
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			f, err := rules.CompileFilter(source)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.Match("x", json.RawMessage(`{"name": "Home", "list": [1]}`))
			if _, ok := errors.AsType[*rules.EvaluationError](err); !ok || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one with %q", err, want)
			}
		})
	}
}

func TestFilterThatDoesNotCompile(t *testing.T) {
	t.Parallel()
	_, err := rules.CompileFilter(`tpye == "x" and state.level > 1`)
	e, ok := errors.AsType[*busbar.Error](err)
	if !ok || e.Code != busbar.CodeInvalidExpression {
		t.Fatalf("error %v", err)
	}
	diagnostics, ok := e.Details["diagnostics"].([]rules.Diagnostic)
	if !ok || len(diagnostics) != 2 {
		t.Fatalf("details %v", e.Details)
	}
	want := rules.Diagnostic{Field: "filter", Severity: rules.SeverityError, Message: "unknown name tpye; did you mean type?", From: 0, To: 4}
	if diagnostics[0] != want {
		t.Errorf("got %+v, want %+v", diagnostics[0], want)
	}
}
