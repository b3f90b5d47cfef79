package rules

import (
	"fmt"
	"time"

	"busbar"
)

// Limits of a rule.
const (
	MaxRuleBytes   = 64 << 10
	MaxNameRunes   = 200
	MaxOn          = 50
	MaxSiteIDs     = 1000
	MaxRuleSteps   = 20
	MaxTests       = 50
	MaxGiven       = 100
	MaxFor         = 24 * time.Hour
	MaxCooldown    = 7 * 24 * time.Hour
	MaxActWithin   = 24 * time.Hour
	MaxPriority    = 99
	MaxRetries     = 10
	MaxTargets     = 50
	MaxDepth       = 8
	PersonPriority = busbar.PersonPriority
)

// Defaults of a rule.
const (
	DefaultActWithin = 15 * time.Minute
	DefaultPriority  = 50
)

// Rule is what someone wrote. JSON and YAML give the same one.
type Rule struct {
	Name       string
	ID         string
	Mode       Mode
	On         []string
	DeviceType busbar.Family
	SiteIDs    []string
	// Scope is empty when it comes from the deviceType and the event.
	Scope Scope
	If    string
	Edge  Edge
	// Rearm is empty for `not if`.
	Rearm      string
	For        time.Duration
	Grace      time.Duration
	Cooldown   time.Duration
	Window     *WindowSpec
	ActWithin  time.Duration
	Priority   int
	Then       []Step
	ElseFailed []Step
	Tests      []Test
}

// Mode says what a rule may do.
type Mode string

// The modes.
const (
	ModeActive   Mode = "active"
	ModeShadow   Mode = "shadow"
	ModeDisabled Mode = "disabled"
)

// ParseMode rejects what is not a mode.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case ModeActive, ModeShadow, ModeDisabled:
		return m, nil
	default:
		return "", fmt.Errorf("%q is none of active, shadow, disabled", s)
	}
}

// Scope is what has one edge, hold and cooldown.
type Scope string

// The scopes.
const (
	ScopeDevice Scope = "device"
	ScopeSite   Scope = "site"
	ScopeRule   Scope = "rule"
)

// ParseScope rejects what is not a scope.
func ParseScope(s string) (Scope, error) {
	switch k := Scope(s); k {
	case ScopeDevice, ScopeSite, ScopeRule:
		return k, nil
	default:
		return "", fmt.Errorf("%q is none of device, site, rule", s)
	}
}

// Edge says when a condition that is true fires.
type Edge string

// The edges.
const (
	// EdgeRising: when it becomes true.
	EdgeRising Edge = "rising"
	// EdgeEvery: at every event at which it is true.
	EdgeEvery Edge = "every"
)

// ParseEdge rejects what is not an edge.
func ParseEdge(s string) (Edge, error) {
	switch e := Edge(s); e {
	case EdgeRising, EdgeEvery:
		return e, nil
	default:
		return "", fmt.Errorf("%q is neither rising nor every", s)
	}
}

// WindowSpec is a window as it was written.
type WindowSpec struct {
	From, To string
	// Days are those on which it begins, as mon; empty is all.
	Days []string
	// Timezone is an IANA name, or SiteTimezone.
	Timezone string
}

// SiteTimezone is the zone of the site that an event is about.
const SiteTimezone = "site"

// Step is one thing that a firing does: one of the two is set.
type Step struct {
	Push *PushStep
	Emit *EmitStep
}

// PushStep commands one device, or several.
type PushStep struct {
	// Device is an expression that gives a device, a list of devices, or nil.
	Device     string
	Command    string
	Parameters map[string]ParameterSpec
	Start, End string
	// Guard is an expression that is asked again before each try; empty is always.
	Guard      string
	OnConflict busbar.ConflictStrategy
	ExpiresIn  time.Duration
	Retries    int
}

// ParameterSpec is a parameter of a command: an expression and the unit of what it gives.
type ParameterSpec struct {
	Value string
	// Number: the expression was written as a number, and not as a text. It is written back as it was, and means the same.
	Number bool
	Unit   busbar.Unit
}

// EmitStep makes an event of a registered type.
type EmitStep struct {
	Type string
	// Data is as decoded from JSON; its texts are expressions.
	Data map[string]any
}

// Test is an example that a rule carries with it.
type Test struct {
	Name   string
	Given  []Given
	Expect []Expectation
}

// Given is an event of a test. What it leaves out is as in the one before.
type Given struct {
	After time.Duration
	// At is the site's wall clock, for the first one only.
	At   string
	Type string
	// Device is a family, or the id of one of the test home's devices.
	Device string
	State  map[string]any
	Data   map[string]any
}

// Expectation is a command or an event that must come of a test, and in this order. What it leaves out may be anything.
type Expectation struct {
	Push *ExpectedPush
	Emit *ExpectedEmit
}

// ExpectedPush is a command.
type ExpectedPush struct {
	Device     string
	DeviceType busbar.Family
	Command    string
	Parameters map[string]float64
}

// ExpectedEmit is an event.
type ExpectedEmit struct {
	Type string
	Data map[string]any
}

// ScopeKeys name what edges, holds and cooldowns belong to at an event. They are empty where it has nothing of a scope.
type ScopeKeys struct{ device, site string }

// KeysOf gives those of an event.
func KeysOf(e *busbar.Event) ScopeKeys {
	var k ScopeKeys
	if e.DeviceID != "" {
		k.device = DeviceKey(e.DeviceID)
	}
	if e.SiteID != "" {
		k.site = SiteKey(e.SiteID)
	}
	return k
}

// Of is the key of a rule; ok is false when the event has nothing of its scope.
func (k *ScopeKeys) Of(r *Rule) (key string, ok bool) {
	scope := r.Scope
	switch {
	case scope != "":
	case r.DeviceType != "":
		scope = ScopeDevice
	case k.site != "":
		scope = ScopeSite
	}
	switch scope {
	case ScopeDevice:
		return k.device, k.device != ""
	case ScopeSite:
		return k.site, k.site != ""
	case ScopeRule:
	}
	return "rule", true
}

// devicePrefix begins the scope keys of devices.
const devicePrefix = "device:"

// DeviceKey is the scope key of a device.
func DeviceKey(id busbar.DeviceID) string { return devicePrefix + string(id) }

// SiteKey is the scope key of a site.
func SiteKey(id busbar.SiteID) string { return "site:" + string(id) }
