package view_test

import (
	"testing"

	"busbar"
	"busbar/rules"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

// Each decision has its sentence.
func TestASentenceSaysWhyEachRunEnded(t *testing.T) {
	t.Parallel()
	names := map[busbar.DeviceID]string{"dev_car": "Garage"}
	level := []rules.Clause{{Source: "state.level >= 99", Value: false, Operands: []rules.Operand{{Source: "state.level", Value: 97.5}}}}
	unknown := []rules.Unknown{{Name: "dev_battery.level", Device: "dev_battery", Reason: rules.ReasonMissing}, {Name: "dev_meter.price", Reason: rules.ReasonStale}}
	charge := &api.RunPlan{Status: rules.StepReady, Commands: []api.RunCommand{{
		DeviceID: "dev_car", Command: "charge", Parameters: api.Parameters{"current": {Value: 16, Unit: busbar.Amps}},
	}}}
	for name, c := range map[string]struct {
		run  api.Run
		want string
	}{
		"fired": {api.Run{Decision: rules.DecisionFired, Plan: charge, Status: busbar.RunDone}, "Fired: send charge (current 16\u202fA) to Garage."},
		"fired and failed": {
			api.Run{Decision: rules.DecisionFired, Plan: charge, Status: busbar.RunFailed, Steps: []api.RunStep{{Status: "failed", Message: "the device is offline"}}},
			"Fired: send charge (current 16\u202fA) to Garage, which failed: the device is offline.",
		},
		"fired and under way":       {api.Run{Decision: rules.DecisionFired, Plan: charge, Status: busbar.RunOpen}, "Fired: send charge (current 16\u202fA) to Garage, which is under way."},
		"fired an event":            {api.Run{Decision: rules.DecisionFired, Plan: &api.RunPlan{Emission: &rules.Emission{Type: "a.b"}}}, "Fired: make the event a.b."},
		"fired with a guard":        {api.Run{Decision: rules.DecisionFired, Plan: &api.RunPlan{Status: rules.StepNotNow}}, "Fired: its first step had nothing to send."},
		"shadowed":                  {api.Run{Decision: rules.DecisionShadowed, Plan: charge}, "Would have fired, and in shadow sent nothing: send charge (current 16\u202fA) to Garage."},
		"false":                     {api.Run{Decision: rules.DecisionFalse, Clauses: level}, "Did not fire: state.level is 97.5, the condition needs >= 99."},
		"false without its clauses": {api.Run{Decision: rules.DecisionFalse}, "Did not fire: the condition is false."},
		"false in a part": {
			api.Run{Decision: rules.DecisionFalse, Clauses: []rules.Clause{
				{Source: "a > 1 and state.status == \"idle\"", Value: false},
				{Source: "a > 1", Value: true, Operands: []rules.Operand{{Source: "a", Value: 2.0}}},
				{Source: "state.status == \"idle\"", Value: false, Operands: []rules.Operand{{Source: "state.status", Value: "charging"}}},
			}}, `Did not fire: state.status is "charging", the condition needs == "idle".`,
		},
		"false below a not": {
			api.Run{Decision: rules.DecisionFalse, Clauses: []rules.Clause{
				{Source: "not (a > 1) and b > 1", Value: false},
				{Source: "not (a > 1)", Value: true},
				{Source: "a > 1", Value: false, Operands: []rules.Operand{{Source: "a", Value: 0.0}}},
				{Source: "b > 1", Value: false, Operands: []rules.Operand{{Source: "b", Value: 1.0}}},
			}}, "Did not fire: b is 1, the condition needs > 1.",
		},
		"false of two that differ": {
			api.Run{Decision: rules.DecisionFalse, Clauses: []rules.Clause{{Source: "a > b", Value: false, Operands: []rules.Operand{{Source: "a", Value: 1.0}, {Source: "b", Value: 2.0}}}}},
			"Did not fire: a is 1 and b is 2, the condition needs a > b.",
		},
		"false of no comparison": {api.Run{Decision: rules.DecisionFalse, Clauses: []rules.Clause{{Source: "state.plugged", Value: false}}}, "Did not fire: state.plugged is false."},
		"unknown": {
			api.Run{Decision: rules.DecisionUnknown, Unknown: unknown},
			"Did not fire: dev_battery.level was never reported, dev_meter.price is too old to be believed.",
		},
		"already_true":   {api.Run{Decision: rules.DecisionAlreadyTrue}, "Did not fire: the condition was true already, and the rule was not ready again."},
		"first_sight":    {api.Run{Decision: rules.DecisionFirstSight}, "Did not fire: the condition was true at the first reading, so that it had not become true."},
		"outside_window": {api.Run{Decision: rules.DecisionOutsideWindow}, "Did not fire: it was outside of the rule's hours."},
		"cooldown":       {api.Run{Decision: rules.DecisionCooldown}, "Did not fire: it had fired not long before, and rested."},
		"holding":        {api.Run{Decision: rules.DecisionHolding}, "Waits: the condition is true, and must stay so for a while."},
		"hold_broken":    {api.Run{Decision: rules.DecisionHoldBroken}, "Did not fire: the condition did not stay true for long enough."},
		"superseded":     {api.Run{Decision: rules.DecisionSuperseded}, "Did not fire: the rule was changed, or switched, while it waited."},
		"no_target":      {api.Run{Decision: rules.DecisionNoTarget}, "Did not fire: there was no device to command."},
		"held": {
			api.Run{Decision: rules.DecisionHeld, Targets: []rules.Target{{DeviceID: "dev_car", Reason: "held", Holder: "person"}, {DeviceID: "dev_b", Reason: "held", Holder: "act_1"}}},
			"Did not fire: Garage is kept by a person, dev_b is held by act_1.",
		},
		"disabled":    {api.Run{Decision: rules.DecisionDisabled}, "Did not fire: automation was stopped, or the rule was paused."},
		"late":        {api.Run{Decision: rules.DecisionLate}, "Did not fire: the reading was older than what was known already."},
		"too_old":     {api.Run{Decision: rules.DecisionTooOld, LatenessMs: 1_500_000}, "Did not fire: the event came 25 min late, which is more than the rule acts on."},
		"error":       {api.Run{Decision: rules.DecisionError, Error: "if: the limit of steps was reached here"}, "Failed: if: the limit of steps was reached here."},
		"depth_limit": {api.Run{Decision: rules.DecisionDepthLimit}, "Was cut off: too many firings had followed from each other."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := view.Why(&c.run, names); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	for _, o := range view.Decisions() {
		run := api.Run{Decision: o}
		if got := view.Why(&run, nil); got == "Did not fire: "+string(o)+"." {
			t.Errorf("%s has no sentence of its own", o)
		}
	}
}
