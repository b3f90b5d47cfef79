package busbar_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar"
)

func TestRoundingToResolution(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		family   busbar.Family
		field    string
		in, want any
	}{
		{busbar.Battery, "capacity", 10.404, 10.4},
		{busbar.Battery, "capacity", 10.406, 10.41},
		{busbar.Battery, "level", 99.94, 99.9},
		{busbar.Battery, "level", 99.96, 100.0},
		{busbar.Battery, "chargeRate", 2.43, 2.45},
		{busbar.Battery, "chargeRate", -1.82, -1.8},
		{busbar.Battery, "chargeRate", -0.02, 0.0},
		{busbar.Battery, "dischargeLimit", 10.5, 11.0},
		{busbar.Battery, "temperature", 24.96, 25.0},
		{busbar.Battery, "status", "charging", "charging"},
		{busbar.EVCharger, "maxCurrent", 15.96, 16.0},
		{busbar.EVCharger, "currentPower", 7.374, 7.35},
		{busbar.EVCharger, "isCharging", true, true},
		{busbar.Vehicle, "range", 183.6, 184.0},
		{busbar.Meter, "price", 0.31415926, 0.3142},
		{busbar.Meter, "importPower", nil, nil},
	} {
		f, ok := tc.family.Spec().Field(tc.field)
		if !ok {
			t.Errorf("%s has no %s", tc.family, tc.field)
			continue
		}
		if got := f.Round(tc.in); got != tc.want {
			t.Errorf("%s %s: %v becomes %v, want %v", tc.family, tc.field, tc.in, got, tc.want)
		}
		if n, ok := f.Round(tc.in).(float64); ok && math.Signbit(n) && n == 0 {
			t.Errorf("%s %s: %v becomes a negative zero", tc.family, tc.field, tc.in)
		}
	}
}

// randomState makes a state of which some fields are there, in their bounds, or null.
func randomState(r *rand.Rand, spec *busbar.Spec) busbar.State {
	state := busbar.State{}
	for i := range spec.Fields {
		f := &spec.Fields[i]
		switch {
		case r.IntN(3) == 0:
			continue
		case r.IntN(8) == 0:
			state[f.Name] = nil
		case f.Kind == busbar.KindNumber:
			state[f.Name] = f.Min + r.Float64()*(f.Max-f.Min)
		case f.Kind == busbar.KindBool:
			state[f.Name] = r.IntN(2) == 0
		case f.Kind == busbar.KindText:
			state[f.Name] = f.Enum[r.IntN(len(f.Enum))]
		}
	}
	return state
}

func TestRoundingAndMergingProperties(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for _, family := range busbar.Families() {
		spec := family.Spec()
		for range 500 {
			a, b, c := randomState(r, spec), randomState(r, spec), randomState(r, spec)
			for name, v := range a {
				f, _ := spec.Field(name)
				if n, ok := v.(float64); ok && math.Abs(f.Round(n).(float64)-n) > f.Resolution()/2*(1+1e-9) {
					t.Fatalf("%s %s: %v moves to %v, further than half of %v", family, name, n, f.Round(n), f.Resolution())
				}
			}
			rounded := spec.Round(a)
			same(t, "rounding twice", rounded, spec.Round(rounded))
			same(t, "rounding before or after a merge", spec.Round(a.Merge(b)), spec.Round(a).Merge(spec.Round(b)))
			same(t, "the order of merges", a.Merge(b).Merge(c), a.Merge(b.Merge(c)))
			same(t, "merging a state with itself", a, a.Merge(a))
			same(t, "merging with nothing", a, busbar.State{}.Merge(a).Merge(nil))
			if changed := spec.Changed(rounded, spec.Round(a)); changed != nil {
				t.Fatalf("%s: %v differ from themselves", family, changed)
			}
			checked, err := spec.CheckState("state", a)
			if err != nil {
				t.Fatalf("%s: %v", family, err)
			}
			same(t, "checking", a, checked)
			// What a merge changes is among what the second says.
			for _, name := range spec.Changed(a, a.Merge(b)) {
				if _, said := b[name]; !said {
					t.Fatalf("%s: a merge changed %s", family, name)
				}
			}
		}
	}
}

func same(t *testing.T, what string, a, b busbar.State) {
	t.Helper()
	if diff := cmp.Diff(a, b); diff != "" {
		t.Fatalf("%s matters:\n%s", what, diff)
	}
}

func TestMergeLeavesBothStatesAlone(t *testing.T) {
	t.Parallel()
	a, b := busbar.State{"level": 1.0, "status": "idle"}, busbar.State{"level": 2.0}
	merged := a.Merge(b)
	if merged["level"] != 2.0 || merged["status"] != "idle" || a["level"] != 1.0 || len(b) != 1 {
		t.Errorf("%v and %v make %v", a, b, merged)
	}
}

func TestChangedIsInTheOrderOfFields(t *testing.T) {
	t.Parallel()
	before := busbar.State{"temperature": 20.0, "level": 50.0, "status": "idle"}
	after := busbar.State{"temperature": 20.1, "level": nil, "status": "idle", "chargeRate": 1.0, "currentMode": nil}
	want := []string{"level", "chargeRate", "temperature"}
	if got := busbar.Battery.Spec().Changed(before, after); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestCheckStateNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		family busbar.Family
		state  map[string]any
		code   busbar.Code
		paths  string
	}{
		{"nothing", busbar.Battery, map[string]any{}, "", ""},
		{"nulls", busbar.HVAC, map[string]any{"mode": nil, "active": nil, "temperature": nil}, "", ""},
		{"bounds are inclusive", busbar.Battery, map[string]any{"level": 100.0, "dischargeLimit": 0.0}, "", ""},
		{"unknown", busbar.Battery, map[string]any{"soc": 1.0, "level": 1.0}, busbar.CodeUnknownField, "state.soc"},
		{"of another family", busbar.Meter, map[string]any{"level": 1.0}, busbar.CodeUnknownField, "state.level"},
		{"unknown and wrong", busbar.Battery, map[string]any{"soc": 1.0, "level": "x"}, busbar.CodeUnknownField, "state.soc state.level"},
		{"too high", busbar.Battery, map[string]any{"level": 100.1}, busbar.CodeValidationFailed, "state.level"},
		{"too low", busbar.EVCharger, map[string]any{"currentPower": -0.1}, busbar.CodeValidationFailed, "state.currentPower"},
		{"no number", busbar.Battery, map[string]any{"level": math.NaN()}, busbar.CodeValidationFailed, "state.level"},
		{"number as text", busbar.Battery, map[string]any{"level": "50"}, busbar.CodeValidationFailed, "state.level"},
		{"flag as number", busbar.EVCharger, map[string]any{"isConnected": 1.0}, busbar.CodeValidationFailed, "state.isConnected"},
		{"no such word", busbar.HVAC, map[string]any{"mode": "HEAT", "holdType": true}, busbar.CodeValidationFailed, "state.holdType state.mode"},
		{"quantity", busbar.Battery, map[string]any{"level": map[string]any{"value": 1.0}}, busbar.CodeValidationFailed, "state.level"},
	} {
		_, err := tc.family.Spec().CheckState("state", tc.state)
		code, paths := refusal(err)
		if code != tc.code || paths != tc.paths {
			t.Errorf("%s: %v, want %s at %s", tc.name, err, tc.code, tc.paths)
		}
	}
}

// An answer is not longer than what was sent by more than a constant.
func TestCheckStateTellsAFewErrorsOfMany(t *testing.T) {
	t.Parallel()
	state := map[string]any{}
	for i := range 1000 {
		state[fmt.Sprintf("field%d", i)] = 1.0
	}
	_, err := busbar.Battery.Spec().CheckState("state", state)
	if code, paths := refusal(err); code != busbar.CodeUnknownField || len(strings.Fields(paths)) != 20 {
		t.Errorf("%s at %s", code, paths)
	}
}

// refusal takes an error apart.
func refusal(err error) (code busbar.Code, paths string) {
	if err == nil {
		return "", ""
	}
	e, ok := err.(*busbar.Error) //nolint:errorlint // the domain gives it as it is
	if !ok {
		return busbar.CodeInternal, err.Error()
	}
	list := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		list[i] = f.Path
	}
	return e.Code, strings.Join(list, " ")
}
