package rules

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"busbar"
)

// TestResult is how a test of a rule ended.
type TestResult struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	// Problem says what came otherwise than expected.
	Problem string `json:"problem,omitempty"`
	// Log is what happened, a line each.
	Log []string `json:"log"`
}

// RunTests runs the tests that a rule carries, as if it were active.
func (c *Compiled) RunTests() []TestResult {
	results := make([]TestResult, len(c.Rule.Tests))
	budget := MaxPlayed
	for i := range c.Rule.Tests {
		results[i] = c.runTest(&c.Rule.Tests[i], &budget)
	}
	return results
}

func (c *Compiled) runTest(t *Test, budget *int) TestResult {
	active, rule := *c, *c.Rule
	rule.Mode, rule.SiteIDs = ModeActive, nil
	active.Rule = &rule
	played, err := play([]*Compiled{&active}, t.Given, budget)
	if err != nil {
		return TestResult{Name: t.Name, Problem: err.Error(), Log: []string{}}
	}
	problem := played.compare(t.Expect)
	return TestResult{Name: t.Name, Passed: problem == "", Problem: problem, Log: append([]string{}, played.Log...)}
}

// compare finds the first difference to what was expected: commands and events each in their order, and nothing else.
func (p *Played) compare(expect []Expectation) string {
	commands, emissions := p.Commands, p.Emissions
	for i := range expect {
		at := fmt.Sprintf("expect[%d]", i)
		switch e := &expect[i]; {
		case e.Push != nil && len(commands) == 0:
			return at + ": no command came"
		case e.Push != nil:
			if problem := e.Push.differs(&commands[0].Command); problem != "" {
				return at + ": " + problem
			}
			commands = commands[1:]
		case len(emissions) == 0:
			return at + ": no event was emitted"
		default:
			if problem := e.Emit.differs(&emissions[0].Emission); problem != "" {
				return at + ": " + problem
			}
			emissions = emissions[1:]
		}
	}
	switch {
	case len(commands) > 0:
		c := &commands[0]
		return fmt.Sprintf("unexpected command: %s %s%s", c.DeviceID, c.Command.Command, parametersText(c.Parameters))
	case len(emissions) > 0:
		return "unexpected event: " + emissions[0].Type
	}
	return ""
}

func (e *ExpectedPush) differs(got *Command) string {
	switch {
	case e.Device != "" && e.Device != string(got.DeviceID):
		return fmt.Sprintf("the command went to %s, not to %s", got.DeviceID, e.Device)
	case e.DeviceType != "" && e.DeviceType != got.Family:
		return fmt.Sprintf("the command went to %s, not to %s", article(got.Family), article(e.DeviceType))
	case e.Command != "" && e.Command != got.Command:
		return fmt.Sprintf("the command was %s, not %s", got.Command, e.Command)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Parameters)) {
		q, ok := got.Parameters[name]
		if !ok {
			return fmt.Sprintf("the command has no parameter %s", name)
		}
		if q != (busbar.Quantity{Value: e.Parameters[name], Unit: q.Unit}) {
			return fmt.Sprintf("%s was %s %s, not %s", name, formatNumber(q.Value), q.Unit, formatNumber(e.Parameters[name]))
		}
	}
	return ""
}

func (e *ExpectedEmit) differs(got *Emission) string {
	if e.Type != "" && e.Type != got.Type {
		return fmt.Sprintf("the event was %s, not %s", got.Type, e.Type)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Data)) {
		if !reflect.DeepEqual(e.Data[name], got.Data[name]) {
			return fmt.Sprintf("data.%s was %v, not %v", name, got.Data[name], e.Data[name])
		}
	}
	return ""
}
