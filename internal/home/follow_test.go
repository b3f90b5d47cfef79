package home_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"busbar"
)

func TestFollow(t *testing.T) {
	t.Parallel()
	h, stepped := newHome(t, 3, monday), newHome(t, 3, monday)
	h.Follow(monday.Add(time.Hour + 9*time.Second))
	for range 120 {
		stepped.Step()
	}
	if h.Now() != monday.Add(time.Hour) || h.Last() != stepped.Last() || h.Stored() != stepped.Stored() {
		t.Errorf("an hour later it is %s with %+v, want %+v", h.Now(), h.Stored(), stepped.Stored())
	}
	h.Follow(h.Now().Add(-time.Second))
	if h.Now() != monday.Add(time.Hour) {
		t.Errorf("the clock was set to %s by less than a tick", h.Now())
	}
	stored := h.Stored()
	for _, jump := range []time.Duration{-time.Hour, 1000 * time.Hour} {
		to := h.Now().Add(jump)
		h.Follow(to)
		if h.Now() != to || h.Stored() != stored {
			t.Errorf("after a jump of %s it is %s with %+v, want %s with %+v", jump, h.Now(), h.Stored(), to, stored)
		}
		h.Step()
		stored = h.Stored()
	}
}

// A home that starts again goes on from what it reported, as JSON brings it back.
func TestRestore(t *testing.T) {
	t.Parallel()
	old := newHome(t, 1, monday)
	for family, c := range map[busbar.Family]busbar.Instruction{
		busbar.Battery: {Command: "charge", Parameters: map[string]busbar.Quantity{"reserve": {Value: 30, Unit: "percent"}}},
		busbar.HVAC:    {Command: "heat", Parameters: map[string]busbar.Quantity{"target": {Value: 23, Unit: "celsius"}}},
	} {
		if err := old.Do(family, c); err != nil {
			t.Fatal(err)
		}
	}
	old.Follow(monday.Add(30 * time.Minute))
	fresh := newHome(t, 2, old.Now())
	for _, f := range busbar.Families() {
		fresh.Restore(f, wire(t, old.State(f)))
	}
	for family, fields := range map[busbar.Family][]string{
		busbar.Battery:       {"level", "currentMode", "dischargeLimit"},
		busbar.Vehicle:       {"batteryLevel", "range"},
		busbar.SolarInverter: {"energyTotal"},
		busbar.HVAC:          {"temperature", "mode", "holdType", "heatSetpoint", "coolSetpoint"},
	} {
		want, got := old.State(family), fresh.State(family)
		for _, field := range fields {
			if diff := cmp.Diff(want[field], got[field]); diff != "" {
				t.Errorf("%s of a %s (-before +after):\n%s", field, family, diff)
			}
		}
	}
}

// Whatever happens, devices report the fields of their family, all of them, with values that are believed.
func TestStatesFitTheFamilies(t *testing.T) {
	t.Parallel()
	h := newHome(t, 5, monday)
	user := rand.New(rand.NewPCG(5, 5))
	for n := range 30 * 120 * 24 {
		if n%300 == 0 {
			command(t, h, user)
		}
		h.Step()
		if n%10 != 0 {
			continue
		}
		for _, f := range busbar.Families() {
			state := h.State(f)
			if len(state) != len(f.Spec().Fields) {
				t.Fatalf("a %s reports %v", f, state)
			}
			if _, err := f.Spec().CheckState("state", state); err != nil {
				t.Fatalf("a %s reports %v: %v", f, state, err)
			}
		}
	}
	if h.State("toaster") != nil {
		t.Error("a toaster reports something")
	}
}

func TestRestoreIgnoresNonsense(t *testing.T) {
	t.Parallel()
	h := newHome(t, 1, monday)
	want, control := h.Stored(), h.Control()
	for _, f := range append(busbar.Families(), "toaster") {
		h.Restore(f, nil)
		h.Restore(f, busbar.State{
			"level": 101.0, "batteryLevel": "full", "temperature": 1e9, "currentMode": "explode", "dischargeLimit": true,
			"mode": "explode", "holdType": "permanent", "heatSetpoint": 20.0, "coolSetpoint": 20.0, "energyTotal": -1.0,
		})
	}
	if h.Stored() != want || h.Control() != control {
		t.Errorf("it holds %+v, want %+v", h.Stored(), want)
	}
}

func wire(t *testing.T, s busbar.State) busbar.State {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back busbar.State
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return back
}
