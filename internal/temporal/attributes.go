package temporal

import (
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
)

// Names of Busbar's search attributes, for queries.
const (
	AttributeEnvironment      = "BusbarEnvironment"
	AttributeEventType        = "EventType"
	AttributeDeviceID         = "DeviceId"
	AttributeRuleID           = "RuleId"
	AttributeFailingEndpoints = "FailingEndpointIds"
)

// MaxFailingEndpoints is how many ids FailingEndpointIds may hold: Temporal refuses values over 2,048 bytes
// (frontend.searchAttributesSizeOfValueLimit).
const MaxFailingEndpoints = 40

// Keys are Busbar's search attributes with their types; NewKeys makes them. The first four go into the start request,
// FailingEndpoints is set when a delivery has left the fast way.
type Keys struct {
	Environment      temporal.SearchAttributeKeyKeyword
	EventType        temporal.SearchAttributeKeyKeyword
	DeviceID         temporal.SearchAttributeKeyKeyword
	RuleID           temporal.SearchAttributeKeyKeyword
	FailingEndpoints temporal.SearchAttributeKeyKeywordList
}

// NewKeys returns the search attribute keys. They are plain values: workflow code may call it.
func NewKeys() Keys {
	return Keys{
		Environment:      temporal.NewSearchAttributeKeyKeyword(AttributeEnvironment),
		EventType:        temporal.NewSearchAttributeKeyKeyword(AttributeEventType),
		DeviceID:         temporal.NewSearchAttributeKeyKeyword(AttributeDeviceID),
		RuleID:           temporal.NewSearchAttributeKeyKeyword(AttributeRuleID),
		FailingEndpoints: temporal.NewSearchAttributeKeyKeywordList(AttributeFailingEndpoints),
	}
}

// Attribute is a search attribute that a namespace must have.
type Attribute struct {
	Name string
	Type enums.IndexedValueType
}

// Attributes lists the search attributes in a fixed order.
func Attributes() []Attribute {
	return []Attribute{
		{AttributeEnvironment, enums.INDEXED_VALUE_TYPE_KEYWORD},
		{AttributeEventType, enums.INDEXED_VALUE_TYPE_KEYWORD},
		{AttributeDeviceID, enums.INDEXED_VALUE_TYPE_KEYWORD},
		{AttributeRuleID, enums.INDEXED_VALUE_TYPE_KEYWORD},
		{AttributeFailingEndpoints, enums.INDEXED_VALUE_TYPE_KEYWORD_LIST},
	}
}
