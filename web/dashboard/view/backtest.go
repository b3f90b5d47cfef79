package view

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"busbar"
	"busbar/rules"
	"busbar/web/api"
)

// BacktestLast is how far back a rule is tried unless somebody chooses otherwise.
const BacktestLast = "168h"

// backtestRows is how many rows of one kind a page shows; the API has them all.
const backtestRows = 100

// BacktestPage is what a version of a rule would have done.
type BacktestPage struct {
	Now      time.Time
	Rule     api.Rule
	Versions []api.RuleVersion
	// Tried is the version that was tried; zero when it is not saved.
	Tried  int
	Result *api.Backtest
	Names  Names
	Form   Form
}

func backtestSpans() []option {
	return []option{{"24h", "The last day"}, {BacktestLast, "The last 7 days"}, {"720h", "The last 30 days"}}
}

// backtestVersions are the versions that can be tried.
func backtestVersions(r *api.Rule, versions []api.RuleVersion) []option {
	list := make([]option, len(versions))
	for i, v := range versions {
		n := strconv.Itoa(v.Number)
		list[i] = option{n, "Version " + n}
		if v.Number == r.Version {
			list[i].label += ", in force"
		}
	}
	return list
}

// backtestForm is the form of a page that does not try anything yet.
func backtestForm(r *api.Rule) Form {
	return Form{Values: map[string][]string{"last": {BacktestLast}, "version": {strconv.Itoa(r.Version)}}}
}

// firings are the runs that would have done something.
func (p *BacktestPage) firings() []*api.BacktestRun {
	var list []*api.BacktestRun
	for i := range p.Result.Runs {
		if p.Result.Runs[i].Decision == rules.DecisionFired {
			list = append(list, &p.Result.Runs[i])
		}
	}
	return list
}

// compared reports whether it was tried against another version than itself.
func (p *BacktestPage) compared() bool {
	return p.Result.Against != nil && p.Result.Against.Version != p.Tried
}

// firingText says what a firing would have done. Of several at the same instant, nothing says which command is whose.
func (p *BacktestPage) firingText(run *api.BacktestRun) string {
	alike := 0
	for _, other := range p.firings() {
		if time.Time(other.At).Equal(time.Time(run.At)) {
			alike++
		}
	}
	if alike > 1 {
		return "Would have fired, as " + strconv.Itoa(alike) + " did at that instant."
	}
	var told []string
	for i := range p.Result.Commands {
		if c := &p.Result.Commands[i]; time.Time(c.At).Equal(time.Time(run.At)) {
			told = append(told, "send "+p.commandText(c)+" to "+p.device(c.DeviceID))
		}
	}
	for i := range p.Result.Emissions {
		if e := &p.Result.Emissions[i]; time.Time(e.At).Equal(time.Time(run.At)) {
			told = append(told, "make the event "+e.Type)
		}
	}
	if len(told) == 0 {
		return "Would have fired, and had nothing to send."
	}
	return "Would have fired: " + strings.Join(told, ", ") + "."
}

// commandText is a command with its parameters and its hours.
func (p *BacktestPage) commandText(c *api.BacktestCommand) string {
	text := c.Command + quantitiesText(c.Parameters)
	if c.Start != nil {
		text += ", from " + exact(time.Time(*c.Start)) + " UTC"
	}
	if c.End != nil {
		text += ", until " + exact(time.Time(*c.End)) + " UTC"
	}
	return text
}

func (p *BacktestPage) device(id busbar.DeviceID) string {
	panel := RulePanel{Devices: p.Names.Devices}
	return panel.device(id)
}

// decided are the decisions that were made, those that matter most first.
func (p *BacktestPage) decided() []rules.Decision {
	return slices.DeleteFunc(Decisions(), func(d rules.Decision) bool { return p.Result.Decisions[d] == 0 })
}

// differences are the commands that only one of the versions would have sent, by time: what is gone before what is new in its place.
func (p *BacktestPage) differences() []DiffLine {
	type change struct {
		sign    byte
		command *api.BacktestCommand
	}
	var list []change
	diff := &p.Result.Diff
	for i := range diff.Removed {
		list = append(list, change{'-', &diff.Removed[i]})
	}
	for i := range diff.Added {
		list = append(list, change{'+', &diff.Added[i]})
	}
	for i := range diff.Changed {
		list = append(list, change{'-', &diff.Changed[i].Was}, change{'+', &diff.Changed[i].Is})
	}
	slices.SortStableFunc(list, func(a, b change) int { return time.Time(a.command.At).Compare(time.Time(b.command.At)) })
	lines := make([]DiffLine, len(list))
	for i, c := range list {
		lines[i] = DiffLine{c.sign, exact(time.Time(c.command.At)) + " UTC: " + p.commandText(c.command) + " to " + p.device(c.command.DeviceID)}
	}
	return lines
}

// difference says in a sentence how it differs.
func (p *BacktestPage) difference() string {
	diff := &p.Result.Diff
	if len(diff.Added)+len(diff.Removed)+len(diff.Changed) == 0 {
		return "It would have sent the same."
	}
	return fmt.Sprintf("Added commands: %d; removed: %d; changed: %d.", len(diff.Added), len(diff.Removed), len(diff.Changed))
}
