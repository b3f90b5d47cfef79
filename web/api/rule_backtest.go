package api

import (
	"cmp"
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
	Rule   strictjson.Optional[json.RawMessage] `json:"rule" doc:"A rule as for POST /v1/rules. It is compared with the one of its id, or of ruleId."`
	RuleID strictjson.Optional[string]          `json:"ruleId" doc:"A saved rule: what it would have done, when no other rule is given."`
	Since  strictjson.Optional[string]          `json:"since" required:"true" format:"date-time" doc:"From when on events were received; RFC 3339."`
	Until  strictjson.Optional[string]          `json:"until" format:"date-time" doc:"Until when; now when absent."`
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
	Against   *BacktestAgainst       `json:"against" doc:"What it was compared with; null: no rule of this id is saved."`
	Diff      BacktestDiff           `json:"diff" doc:"To that; when there is none, all commands are added."`
}

// BacktestAgainst is the version in force of a saved rule.
type BacktestAgainst struct {
	RuleID  busbar.RuleID `json:"ruleId"`
	Version int           `json:"version"`
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
	Parameters Parameters      `json:"parameters"`
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
	Added   []BacktestCommand `json:"added"`
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
	versions, err := a.versionsToTry(ctx, r.Env, &body)
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
	if len(versions) > 1 {
		view.Against = &BacktestAgainst{busbar.RuleID(versions[1].ID), versions[1].Version}
	}
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
	if err := p.err(); err != nil {
		return since, until, err
	}
	if err := checkPast(since, now); err != nil {
		return since, until, err
	}
	if err := checkPeriod(since, until); err != nil {
		return since, until, err
	}
	if until.After(now) {
		until = now
	}
	return since, until, nil
}

// versionsToTry are the rule to try and, after it, the one to compare it with, when there is one. A saved rule is compared with
// itself.
func (a *API) versionsToTry(ctx context.Context, env busbar.Environment, b *BacktestBody) ([]*rules.Standing, error) {
	var given *rules.Standing
	id := b.RuleID.Value
	switch {
	case b.Rule.Has():
		rule, err := rules.ParseJSON(b.Rule.Value)
		if err != nil {
			return nil, within("rule", err)
		}
		compiled, err := rules.Compile(rule)
		if err != nil {
			return nil, err
		}
		given = &rules.Standing{Compiled: compiled, ID: cmp.Or(id, rule.ID), Version: 1}
		id = given.ID
	case !b.RuleID.Has():
		return nil, busbar.Invalid("rule", "required", "one of rule and ruleId is needed")
	}
	saved, err := a.savedRule(ctx, env, id)
	switch {
	case busbar.CodeOf(err) == busbar.CodeNotFound && given != nil && !b.RuleID.Has():
		return []*rules.Standing{given}, nil
	case err != nil:
		return nil, err
	case given == nil:
		return []*rules.Standing{saved, saved}, nil
	}
	given.Version = saved.Version + 1
	return []*rules.Standing{given, saved}, nil
}

// savedRule is the version in force of a rule.
func (a *API) savedRule(ctx context.Context, env busbar.Environment, id string) (*rules.Standing, error) {
	if !busbar.ValidID(id) {
		return nil, busbar.NotFound("rule", shorten(id))
	}
	saved, err := a.Store.Rule(ctx, env, busbar.RuleID(id))
	if err != nil {
		return nil, err
	}
	rule, err := rules.ParseJSON(saved.Text)
	if err != nil {
		return nil, fmt.Errorf("read rule %s: %w", id, err)
	}
	compiled, err := rules.Compile(rule)
	if err != nil {
		return nil, err
	}
	return &rules.Standing{Compiled: compiled, ID: id, Version: saved.Version}, nil
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
	return BacktestCommand{
		At: Time(c.At), DeviceID: c.DeviceID, DeviceType: c.Family, Command: c.Command.Command, Parameters: viewParameters(c.Parameters),
		Start: optionalTime(c.Start), End: optionalTime(c.End),
	}
}
