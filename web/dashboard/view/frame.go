// Package view is how the dashboard looks: typed templates, and what they need to say things in words.
package view

//go:generate go run github.com/a-h/templ/cmd/templ@v0.3.977 generate

import (
	"strings"
	"time"

	"busbar"
	"busbar/web/api"
)

// Frame is what every page shows around its content.
type Frame struct {
	Title string
	// Section is the entry of the navigation that the page belongs to.
	Section string
	// Env is the environment that the page is about, empty when it concerns both.
	Env busbar.Environment
	// Home is the environment that links of the navigation lead to: Env, or the one that was last looked at.
	Home busbar.Environment
	// User is nil when nobody is signed in.
	User *busbar.User
	// Theme is light or dark, or empty for what the system prefers.
	Theme string
	// Here is the page's path with its query.
	Here string
	// Feed is the address of the page's live feed; empty for pages that do not change by themselves.
	Feed string
	// AskAgain has browsers without script ask for the page again in a moment: something that it is about is not known yet.
	AskAgain   bool
	Flash      *Flash
	Version    string
	TemporalUI string
	// PublicURL is where clients reach the API.
	PublicURL string
	// Stops are the emergency stops in force.
	Stops []api.AutomationStop
	// StopSites are the sites that they are about, for their names.
	StopSites []api.Site
	Now       time.Time
	// Script is one that only this page needs; empty is none.
	Script string
	// Gallery: the page of all components is served.
	Gallery bool
}

// Flash is one message about what was just done.
type Flash struct {
	// Tone is good, bad or info.
	Tone string `json:"tone"`
	Text string `json:"text"`
}

// At is a path within the page's environment.
func (f Frame) At(path string) string { return "/" + string(f.env()) + path }

func (f Frame) env() busbar.Environment {
	switch {
	case f.Env != "":
		return f.Env
	case f.Home != "":
		return f.Home
	default:
		return busbar.Sandbox
	}
}

// Can reports whether the person may do what a role may.
func (f Frame) Can(role busbar.Role) bool { return f.User != nil && f.User.Role.Includes(role) }

// Other is the environment that the page is not about, and its own page there.
func (f Frame) Other() (env busbar.Environment, path string) {
	env = busbar.Live
	if f.env() == busbar.Live {
		env = busbar.Sandbox
	}
	// The same list, but nothing below it: ids are of one environment.
	section := f.Section
	switch section {
	case "overview", "":
		return env, "/" + string(env)
	case "users", "audit", "about", "account":
		return env, "/" + string(env)
	default:
		return env, "/" + string(env) + "/" + section
	}
}

// documentTitle puts the environment first where a mistake costs most.
func (f Frame) documentTitle() string {
	parts := []string{f.Title, "Busbar"}
	if f.Env == busbar.Live {
		parts = append([]string{"LIVE"}, parts...)
	}
	return strings.Join(parts, " · ")
}

func (f Frame) favicon() string {
	if f.Env == busbar.Live {
		return "favicon-live.svg"
	}
	return "favicon.svg"
}

type navItem struct {
	section, label, icon, path string
	role                       busbar.Role
}

func (f Frame) mainNav() []navItem {
	return []navItem{
		{"overview", "Overview", "home", f.At(""), busbar.RoleViewer},
		{"events", "Events", "bolt", f.At("/events"), busbar.RoleViewer},
		{"deliveries", "Deliveries", "send", f.At("/deliveries"), busbar.RoleViewer},
		{"endpoints", "Endpoints", "plug", f.At("/endpoints"), busbar.RoleViewer},
		{"event-types", "Event types", "shapes", f.At("/event-types"), busbar.RoleViewer},
		{"rules", "Rules", "rule", f.At("/rules"), busbar.RoleViewer},
		{"runs", "Runs", "list", f.At("/runs"), busbar.RoleViewer},
		{"devices", "Devices", "device", f.At("/devices"), busbar.RoleViewer},
		{"actions", "Actions", "command", f.At("/actions"), busbar.RoleViewer},
		{"sites", "Sites", "site", f.At("/sites"), busbar.RoleViewer},
	}
}

func (f Frame) settingsNav() []navItem {
	return []navItem{
		{"api-keys", "API keys", "key", f.At("/api-keys"), busbar.RoleAdmin},
		{"users", "Users", "people", "/users", busbar.RoleAdmin},
		{"audit", "Audit log", "list", "/audit", busbar.RoleAdmin},
		{"about", "About", "info", "/about", busbar.RoleViewer},
	}
}
