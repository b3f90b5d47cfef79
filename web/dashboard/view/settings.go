package view

import (
	"strings"
	"time"

	"busbar"
	"busbar/web/api"
)

// APIKeysPage is the list of API keys, with the form that makes one.
type APIKeysPage struct {
	Now   time.Time
	Keys  []api.APIKey
	Form  Form
	Pages Pages
	// Created is a key that was just made: it is shown this once.
	Created *api.CreatedAPIKey
}

// scopeHint says what a scope is for.
type scopeHint struct {
	scope busbar.Scope
	hint  string
}

func scopeHints() []scopeHint {
	return []scopeHint{
		{busbar.ScopeEventsWrite, "Post events. What a gateway needs."},
		{busbar.ScopeRead, "Read everything."},
		{busbar.ScopeEndpoints, "Read and change endpoints, and act on deliveries."},
		{busbar.ScopeRules, "Read and change rules."},
		{busbar.ScopeDevices, "Read and change sites and devices, and report their state."},
		{busbar.ScopeActions, "Send commands to devices."},
	}
}

func keyState(k *api.APIKey, now time.Time) (tone, icon, text string) {
	switch {
	case !k.RevokedAt.IsZero():
		return "mute", "cross", "revoked"
	case !k.ExpiresAt.IsZero() && !now.Before(time.Time(k.ExpiresAt)):
		return "mute", "clock", "expired"
	default:
		return "good", "check", "valid"
	}
}

// browserName is what a browser says of itself, made short. What is not known is shown as it is.
func browserName(agent string) string {
	name := ""
	for _, b := range []struct{ token, name string }{
		{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"HeadlessChrome/", "Chrome"}, {"Chrome/", "Chrome"}, {"Version/", "Safari"},
	} {
		if _, rest, ok := strings.Cut(agent, b.token); ok {
			version, _, _ := strings.Cut(rest, ".")
			name = b.name + " " + Short(version, 6)
			break
		}
	}
	if name == "" {
		return Short(agent, 60)
	}
	for _, s := range []struct{ token, name string }{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"},
	} {
		if strings.Contains(agent, s.token) {
			return name + " on " + s.name
		}
	}
	return name
}

// UsersPage is the list of people, with the form that invites one.
type UsersPage struct {
	Now   time.Time
	Users []busbar.User
	Form  Form
	Pages Pages
}

// UserPage is one person.
type UserPage struct {
	Now      time.Time
	User     busbar.User
	Sessions []busbar.Session
	Form     Form
	// Link lets the person in once; it is shown this once.
	Link string
	// Mine is the session of the request.
	Mine busbar.SessionID
}

// AboutPage says what runs here.
type AboutPage struct {
	Accepting, WorkersPolling bool
	Backlog                   int64
	Settings                  []Settings
}

// Settings are some of what the process was started with.
type Settings struct {
	Title string
	List  []Setting
}

// Setting is one of them; one without a variable is always the same.
type Setting struct{ Name, Value, Variable, Doc string }

func roleOptions() []option {
	return []option{
		{string(busbar.RoleViewer), "Viewer: reads"},
		{string(busbar.RoleOperator), "Operator: works with endpoints, events and devices"},
		{string(busbar.RoleAdmin), "Admin: also users, API keys and settings"},
	}
}
