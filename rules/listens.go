package rules

import (
	"slices"

	"busbar"
)

// Listens reports whether a rule may be asked at events of a type about devices of a family; the family is empty for an event
// about no registered device.
func (r *Rule) Listens(eventType string, family busbar.Family) bool {
	if r.Mode == ModeDisabled || r.DeviceType != "" && r.DeviceType != family {
		return false
	}
	return r.Hears(eventType)
}

// Hears reports whether a type of events is among those that a rule is asked at.
func (r *Rule) Hears(eventType string) bool {
	return slices.ContainsFunc(r.On, func(p string) bool { return matches(p, eventType) })
}
