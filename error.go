package busbar

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code says what kind of error it is. Clients branch on it; the message is for people.
type Code string

// The codes a client may see.
const (
	CodeUnauthorized           Code = "UNAUTHORIZED"
	CodeInvalidAPIKey          Code = "INVALID_API_KEY" //nolint:gosec // the name of an error code, not a credential
	CodeInsufficientPermission Code = "INSUFFICIENT_PERMISSIONS"
	CodeNotFound               Code = "NOT_FOUND"
	CodeConflict               Code = "CONFLICT"
	CodeIdempotencyConflict    Code = "IDEMPOTENCY_CONFLICT"
	CodeEventIDReused          Code = "EVENT_ID_REUSED"
	CodeInvalidJSON            Code = "INVALID_JSON"
	CodeValidationFailed       Code = "VALIDATION_FAILED"
	CodeUnknownField           Code = "UNKNOWN_FIELD"
	CodePayloadTooLarge        Code = "PAYLOAD_TOO_LARGE"
	CodeEventTooLarge          Code = "EVENT_TOO_LARGE"
	CodeEndpointURLForbidden   Code = "ENDPOINT_URL_FORBIDDEN"
	CodeInvalidExpression      Code = "INVALID_EXPRESSION"
	CodeDeviceNotFound         Code = "DEVICE_NOT_FOUND"
	CodeActionNotCancellable   Code = "ACTION_NOT_CANCELLABLE"
	CodeUnsupportedMode        Code = "UNSUPPORTED_MODE"
	CodeUnsupportedParameter   Code = "UNSUPPORTED_PARAMETER"
	CodeUnsupportedUnit        Code = "UNSUPPORTED_UNIT"
	CodeParameterOutOfRange    Code = "PARAMETER_OUT_OF_RANGE"
	CodeExecutionNotSupported  Code = "EXECUTION_NOT_SUPPORTED"
	CodeStartInPast            Code = "START_IN_PAST"
	CodeStartOutOfRange        Code = "START_OUT_OF_RANGE"
	CodeInvalidTimeWindow      Code = "INVALID_TIME_WINDOW"
	CodeDirectAction           Code = "DIRECT_ACTION_UNSUPPORTED"
	CodeRateLimitExceeded      Code = "RATE_LIMIT_EXCEEDED"
	CodeInternal               Code = "INTERNAL_ERROR"
	CodeUnavailable            Code = "UNAVAILABLE"
)

// Error is the only error a client sees. Whatever else goes wrong is shown as CodeInternal, without its text.
type Error struct {
	Code    Code
	Message string
	Fields  []FieldError
	// Details are further facts by name, beside the fields.
	Details map[string]any
	// RetryAfter is how long a client should wait; zero says nothing.
	RetryAfter time.Duration
	// Err is the cause, for logs; clients never see it, and it is not kept.
	Err error `json:"-"`
}

// FieldError says what is wrong with one field of a request.
type FieldError struct {
	// Path leads to the field, as `data.state.level` or `eventTypes[2]`.
	Path    string `json:"path"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Error joins the code, the message, the fields and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Code, e.Message)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s: %s", f.Path, f.Message)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error of a code with a message for people.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid makes a VALIDATION_FAILED about one field.
func Invalid(path, code, format string, args ...any) *Error {
	msg := fmt.Sprintf(format, args...)
	return &Error{
		Code:    CodeValidationFailed,
		Message: fmt.Sprintf("%s: %s", path, msg),
		Fields:  []FieldError{{Path: path, Code: code, Message: msg}},
	}
}

// InvalidFields makes a VALIDATION_FAILED about several fields; with none it returns nil.
func InvalidFields(fields []FieldError) error {
	if len(fields) == 0 {
		return nil
	}
	msg := fmt.Sprintf("%s: %s", fields[0].Path, fields[0].Message)
	if len(fields) > 1 {
		msg = fmt.Sprintf("%s (and %d more)", msg, len(fields)-1)
	}
	return &Error{Code: CodeValidationFailed, Message: msg, Fields: fields}
}

// Unavailable makes an UNAVAILABLE that asks the client to come back.
func Unavailable(retryAfter time.Duration, err error, format string, args ...any) *Error {
	return &Error{Code: CodeUnavailable, Message: fmt.Sprintf(format, args...), RetryAfter: retryAfter, Err: err}
}

// NotFound makes a NOT_FOUND that names what was looked for.
func NotFound(kind, id string) *Error { return Errorf(CodeNotFound, "no %s has the id %q", kind, id) }

// DeviceNotFound makes a DEVICE_NOT_FOUND.
func DeviceNotFound(id DeviceID) *Error {
	return Errorf(CodeDeviceNotFound, "no device has the id %q", id)
}

// CodeOf is the code of an error, CodeInternal when it has none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
