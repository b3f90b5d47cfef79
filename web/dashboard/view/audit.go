package view

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"busbar"
	"busbar/internal/store"
)

// AuditPage is a part of the audit log.
type AuditPage struct {
	Now     time.Time
	Entries []busbar.AuditEntry
	// Actors and Actions are those that are in the log, to choose from.
	Actors  []store.Actor
	Actions []string
	Filters Form
	Pages   Pages
}

// NeitherEnvironment stands for what concerns both: people, and how they sign in.
const NeitherEnvironment = "neither"

func (p AuditPage) actorOptions() []option {
	options := []option{{"", "Anybody"}}
	for _, a := range p.Actors {
		options = append(options, option{a.ID, Short(Plain(a.Name), 60)})
	}
	return withChosen(options, p.Filters.Get("actor"))
}

// actionOptions are the kinds of actions, after each of their groups that has several.
func (p AuditPage) actionOptions() []option {
	options := []option{{"", "Anything"}}
	groups := make(map[string]int)
	for _, kind := range p.Actions {
		groups[groupOf(kind)]++
	}
	for _, kind := range p.Actions {
		if group := groupOf(kind); groups[group] > 1 {
			options = append(options, option{group + "*", group + "*"})
			delete(groups, group)
		}
		options = append(options, option{kind, kind})
	}
	return withChosen(options, p.Filters.Get("action"))
}

// groupOf is the beginning of a kind of action, as `endpoint.` of `endpoint.update`.
func groupOf(kind string) string {
	thing, _, _ := strings.Cut(kind, ".")
	return thing + "."
}

// withChosen adds what was asked for, when it is not in the log at all.
func withChosen(options []option, chosen string) []option {
	if slices.ContainsFunc(options, func(o option) bool { return o.value == chosen }) {
		return options
	}
	return append(options, option{chosen, Short(Plain(chosen), 60)})
}

func auditEnvironments() []option {
	return []option{{"", "Any"}, {string(busbar.Sandbox), "Sandbox"}, {string(busbar.Live), "Live"}, {NeitherEnvironment, "Neither"}}
}

// auditOf is the address of what is in the log about one thing, or of one actor.
func auditOf(name, value string) string { return "/audit?" + url.Values{name: {value}}.Encode() }
