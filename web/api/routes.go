package api

import (
	"net/http"
	"slices"

	"busbar"
)

// Groups of routes.
const (
	groupEvents     = "Events"
	groupTypes      = "Event types"
	groupEndpoints  = "Endpoints"
	groupListeners  = "Listeners"
	groupDeliveries = "Deliveries"
	groupJobs       = "Jobs"
	groupRules      = "Rules"
	groupKeys       = "API keys"
	groupSites      = "Sites"
	groupDevices    = "Devices"
	groupTelemetry  = "Telemetry"
	groupActions    = "Actions"
	groupSimulator  = "Simulator"
	// groupFamily is followed by the segment of a family.
	groupFamily = "Devices: "
	groupMeta   = "Description"
)

// Routes lists every route of the API: the server serves exactly these, and the API's description describes them.
func Routes() []Route {
	return slices.Concat(
		eventRoutes(), eventTypeRoutes(), endpointRoutes(), endpointCareRoutes(), listenerRoutes(), deliveryRoutes(), siteRoutes(),
		deviceRoutes(), telemetryRoutes(), familyRoutes(), actionRoutes(), faultRoutes(), ruleRoutes(), runRoutes(), apiKeyRoutes(), metaRoutes(),
	)
}

func metaRoutes() []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/v1/openapi.json", Group: groupMeta, Summary: "This description, OpenAPI 3.1",
			Public: true, Status: http.StatusOK,
		},
	}
}

func readOnly() []busbar.Scope { return []busbar.Scope{busbar.ScopeRead} }

func readEndpoints() []busbar.Scope { return []busbar.Scope{busbar.ScopeRead, busbar.ScopeEndpoints} }

func writeEndpoints() []busbar.Scope { return []busbar.Scope{busbar.ScopeEndpoints} }

// everything is for routes that only a bootstrap key may use.
func everything() []busbar.Scope { return []busbar.Scope{busbar.ScopeAll} }

func notFoundCodes() []busbar.Code { return []busbar.Code{busbar.CodeNotFound} }

// bodyCodes are what reading any body may answer with.
func bodyCodes() []busbar.Code {
	return []busbar.Code{busbar.CodeInvalidJSON, busbar.CodePayloadTooLarge}
}

func paging() []Param {
	return []Param{
		{"limit", "1 to 200, default 50.", "50"},
		{"cursor", "nextCursor of the page before, with the same filters; limit, since and until may be others.", ""},
	}
}

func period() []Param {
	return []Param{
		{"since", "RFC 3339, inclusive.", "2026-06-01T00:00:00Z"},
		{"until", "RFC 3339, exclusive.", "2026-06-02T00:00:00Z"},
	}
}

func with(codes []busbar.Code, more ...busbar.Code) []busbar.Code {
	return append(append([]busbar.Code(nil), codes...), more...)
}

// CommonCodes are the errors that every route with a key may answer with.
func CommonCodes() []busbar.Code {
	return []busbar.Code{
		busbar.CodeUnauthorized, busbar.CodeInvalidAPIKey, busbar.CodeInsufficientPermission, busbar.CodeValidationFailed, busbar.CodeUnknownField,
		busbar.CodeRateLimitExceeded, busbar.CodeInternal, busbar.CodeUnavailable,
	}
}
