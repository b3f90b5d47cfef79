package busbar

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"
)

// EventType is a kind of event with the JSON Schema that its data must fit.
type EventType struct {
	Environment Environment
	Name        string
	Description string
	Schema      json.RawMessage
	Example     json.RawMessage
	BuiltIn     bool
	CreatedAt   time.Time
}

// Limits of custom event types.
const (
	MaxEventTypes           = 500
	MaxEventTypeNameBytes   = 128
	MaxEventTypeSchemaBytes = 64 << 10
)

var typeName = regexp.MustCompile(`^[a-zA-Z0-9_]+(\.[a-zA-Z0-9_]+)*$`)

// ValidTypeName reports whether a custom event type may have this name: dot-separated parts of letters, digits and _.
func ValidTypeName(name string) bool {
	return len(name) <= MaxEventTypeNameBytes && typeName.MatchString(name)
}

// Operational reports whether events of this type are about Busbar itself. They reach only endpoints that name them.
func Operational(eventType string) bool {
	switch eventType {
	case TypeEndpointFailing, TypeEndpointDisabled, TypeEndpointRecovered, TypeDeliveryExhausted,
		TypeRuleFailed, TypeRulePaused, TypeTest:
		return true
	default:
		return false
	}
}

// Reserved reports whether only Busbar makes events of this type.
func Reserved(eventType string) bool {
	return strings.HasPrefix(eventType, "push.") || Operational(eventType)
}
