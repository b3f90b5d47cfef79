package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"busbar"
	"busbar/internal/store"
	"busbar/rules"
	"busbar/web/strictjson"
)

// maxBacktestBytes is how much data the events of a back-test may have together.
const maxBacktestBytes = 64 << 20

// BacktestBody says what is to be tried on which part of the history.
type BacktestBody struct {
	Rule  strictjson.Optional[json.RawMessage] `json:"rule" required:"true" doc:"A rule as for POST /v1/rules/check."`
	Since strictjson.Optional[string]          `json:"since" required:"true" format:"date-time" doc:"From when on events were received; RFC 3339."`
	Until strictjson.Optional[string]          `json:"until" format:"date-time" doc:"Until when; now when absent."`
}

// Backtest is what a rule would have done, had it been active.
type Backtest struct {
	Since     Time                   `json:"since"`
	Until     Time                   `json:"until" doc:"How far it got; earlier than asked for when it was truncated."`
	Events    int                    `json:"events" doc:"How many events it looked at."`
	Truncated bool                   `json:"truncated" doc:"A bound ended it at until: 50,000 events or 64 MiB of them, or 1,000 runs or commands."`
	Decisions map[rules.Decision]int `json:"decisions" doc:"How often it decided what."`
	Runs      []BacktestRun          `json:"runs" doc:"All but where the condition was false, or true already."`
	Commands  []BacktestCommand      `json:"commands"`
	Emissions []BacktestEmission     `json:"emissions"`
	Diff      BacktestDiff           `json:"diff"`
}

// BacktestRun is a would-be run.
type BacktestRun struct {
	At       Time            `json:"at"`
	Trigger  rules.Trigger   `json:"trigger" enum:"event,hold,window"`
	EventID  busbar.EventID  `json:"eventId,omitempty"`
	Key      string          `json:"key" doc:"The device, the site or the rule that its edge belongs to."`
	Decision rules.Decision  `json:"decision"`
	Unknown  []rules.Unknown `json:"unknown,omitempty" doc:"What was not known."`
	LeftOut  []rules.Unknown `json:"leftOut,omitempty" doc:"What was left out of lists, because it was not known."`
	Targets  []rules.Target  `json:"targets,omitempty"`
	Error    string          `json:"error,omitempty"`
}

// BacktestCommand is a would-be command.
type BacktestCommand struct {
	At         Time            `json:"at"`
	DeviceID   busbar.DeviceID `json:"deviceId"`
	DeviceType busbar.Family   `json:"deviceType"`
	Command    string          `json:"command"`
	Parameters *Parameters     `json:"parameters"`
	Start      *Time           `json:"start,omitempty"`
	End        *Time           `json:"end,omitempty"`
}

// BacktestEmission is an event that the rule would have made.
type BacktestEmission struct {
	At   Time           `json:"at"`
	Type string         `json:"type"`
	Data map[string]any `json:"data"`
}

// BacktestDiff is what the rule would have commanded otherwise than the version in force.
type BacktestDiff struct {
	Added   []BacktestCommand `json:"added" doc:"All, when there is no version to compare with."`
	Removed []BacktestCommand `json:"removed"`
	Changed []BacktestChange  `json:"changed"`
}

// BacktestChange is another command to the same device at the same time.
type BacktestChange struct {
	Was BacktestCommand `json:"was"`
	Is  BacktestCommand `json:"is"`
}

func (a *API) backtestRule(ctx context.Context, r *Request) (*Reply, error) {
	body, err := decode[BacktestBody](r)
	if err != nil {
		return nil, err
	}
	since, until, err := body.period(a.Now())
	if err != nil {
		return nil, err
	}
	versions, err := body.versions()
	if err != nil {
		return nil, err
	}
	// One at a time: each may take the memory of tens of thousands of events.
	select {
	case a.backtests <- struct{}{}:
		defer func() { <-a.backtests }()
	case <-ctx.Done():
		return nil, busbar.Unavailable(time.Second, ctx.Err(), "other back-tests are running; try again")
	}
	rec, more, err := a.Store.Recording(ctx, r.Env, spanOf(versions, since, until))
	if err != nil {
		return nil, err
	}
	results, err := rules.Backtest(rec, versions, nil)
	if err != nil {
		return nil, fmt.Errorf("back-test rule: %w", err)
	}
	view := viewBacktest(results)
	view.Since, view.Events, view.Truncated = Time(since), len(rec.Events), view.Truncated || more
	return &Reply{http.StatusOK, view}, nil
}

// period is what to play again.
func (b *BacktestBody) period(now time.Time) (since, until time.Time, err error) {
	var p problems
	read := func(name string, given strictjson.Optional[string], otherwise time.Time) time.Time {
		if !given.Has() {
			return otherwise
		}
		t, ok := busbar.ParseTime(given.Value)
		if !ok {
			p.add(name, "format", "must be RFC 3339 with a zone, as 2026-06-01T10:30:00Z")
		}
		return t
	}
	if !b.Since.Has() {
		p.add("since", "required", "is missing")
	}
	since, until = read("since", b.Since, now), read("until", b.Until, now)
	if until.After(now) {
		until = now
	}
	if err := p.err(); err != nil {
		return since, until, err
	}
	if !since.Before(until) {
		return since, until, busbar.Invalid("since", "out_of_range", "must lie before until, and in the past")
	}
	return since, until, nil
}

// versions are the rule to try and, after it, the one to compare it with.
func (b *BacktestBody) versions() ([]*rules.Standing, error) {
	if !b.Rule.Has() {
		return nil, busbar.Invalid("rule", "required", "is missing")
	}
	rule, err := rules.ParseJSON(b.Rule.Value)
	if err != nil {
		return nil, err
	}
	compiled, err := rules.Compile(rule)
	if err != nil {
		return nil, err
	}
	return []*rules.Standing{{Compiled: compiled, ID: rule.ID, Version: 1}}, nil
}

// spanOf is the part of the history that versions of a rule are about.
func spanOf(versions []*rules.Standing, since, until time.Time) *store.Span {
	span := &store.Span{Since: since, Until: until, MaxEvents: rules.MaxBacktestEvents, MaxBytes: maxBacktestBytes, Wanted: func(eventType string) bool {
		return slices.ContainsFunc(versions, func(v *rules.Standing) bool { return v.Rule.Hears(eventType) })
	}}
	for _, v := range versions {
		if len(v.Rule.SiteIDs) == 0 {
			span.SiteIDs = nil
			break
		}
		span.SiteIDs = append(span.SiteIDs, v.Rule.SiteIDs...)
	}
	return span
}

func viewBacktest(results []rules.Backtested) *Backtest {
	is := &results[0]
	view := &Backtest{
		Until: Time(is.Until), Truncated: is.Truncated, Decisions: is.Decisions, Runs: make([]BacktestRun, len(is.Runs)),
		Commands: viewCommands(is.Commands), Emissions: make([]BacktestEmission, len(is.Emissions)),
	}
	for i := range is.Runs {
		run := &is.Runs[i]
		view.Runs[i] = BacktestRun{
			At: Time(run.DecidedAt), Trigger: run.Trigger, EventID: run.EventID, Key: run.Key, Decision: run.Decision, Unknown: run.Unknown,
			LeftOut: run.LeftOut, Targets: run.Targets, Error: run.Error,
		}
	}
	for i := range is.Emissions {
		view.Emissions[i] = BacktestEmission{Time(is.Emissions[i].At), is.Emissions[i].Type, is.Emissions[i].Data}
	}
	var was []rules.PlayedCommand
	if len(results) > 1 {
		was = results[1].Commands
	}
	diff := rules.DiffCommands(was, is.Commands)
	view.Diff = BacktestDiff{Added: viewCommands(diff.Added), Removed: viewCommands(diff.Removed), Changed: make([]BacktestChange, len(diff.Changed))}
	for i := range diff.Changed {
		view.Diff.Changed[i] = BacktestChange{viewCommand(&diff.Changed[i].Was), viewCommand(&diff.Changed[i].Is)}
	}
	return view
}

func viewCommands(commands []rules.PlayedCommand) []BacktestCommand {
	views := make([]BacktestCommand, len(commands))
	for i := range commands {
		views[i] = viewCommand(&commands[i])
	}
	return views
}

func viewCommand(c *rules.PlayedCommand) BacktestCommand {
	view := BacktestCommand{
		At: Time(c.At), DeviceID: c.DeviceID, DeviceType: c.Family, Command: c.Command.Command, Start: optionalTime(c.Start), End: optionalTime(c.End),
	}
	if len(c.Parameters) > 0 {
		parameters := Parameters(c.Parameters)
		view.Parameters = &parameters
	}
	return view
}
