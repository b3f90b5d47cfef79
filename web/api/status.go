package api

import (
	"net/http"

	"busbar"
)

// Status is the HTTP status of an error code. A method that a path does not have is NOT_FOUND with 404 as well: the
// contract has no code of its own for it, and the Allow header names the methods there are.
func Status(code busbar.Code) int {
	switch code {
	case busbar.CodeUnauthorized, busbar.CodeInvalidAPIKey:
		return http.StatusUnauthorized
	case busbar.CodeInsufficientPermission:
		return http.StatusForbidden
	case busbar.CodeNotFound, busbar.CodeDeviceNotFound:
		return http.StatusNotFound
	case busbar.CodeConflict, busbar.CodeIdempotencyConflict, busbar.CodeEventIDReused, busbar.CodeActionNotCancellable:
		return http.StatusConflict
	case busbar.CodeInvalidJSON:
		return http.StatusBadRequest
	case busbar.CodePayloadTooLarge:
		return http.StatusRequestEntityTooLarge
	case busbar.CodeValidationFailed, busbar.CodeUnknownField, busbar.CodeEventTooLarge, busbar.CodeEndpointURLForbidden,
		busbar.CodeInvalidExpression, busbar.CodeUnsupportedMode, busbar.CodeUnsupportedParameter, busbar.CodeUnsupportedUnit,
		busbar.CodeParameterOutOfRange, busbar.CodeExecutionNotSupported, busbar.CodeStartInPast, busbar.CodeStartOutOfRange,
		busbar.CodeInvalidTimeWindow, busbar.CodeDirectAction:
		return http.StatusUnprocessableEntity
	case busbar.CodeRateLimitExceeded:
		return http.StatusTooManyRequests
	case busbar.CodeUnavailable:
		return http.StatusServiceUnavailable
	case busbar.CodeInternal:
	}
	return http.StatusInternalServerError
}
