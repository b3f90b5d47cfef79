package driver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"busbar"
)

// Driver has devices of one kind carry out instructions. Implementations are safe for concurrent use, keep no state
// between calls, and answer within the time that their configuration bounds.
type Driver interface {
	// Push asks once. The outcome is what the other side said. An error says that it could not be asked: an *Error is
	// transient, ErrInterrupted tells nothing about the device, and any other is a fault of this side, as a database that
	// is away. After each of them the same request may be pushed again; one whose answer was lost is carried out once,
	// however often it is pushed.
	Push(ctx context.Context, r Request) (Outcome, error)
}

// Poller is a Driver whose pending commands have to be asked for. A driver that is none is told the result.
type Poller interface {
	Driver
	// Poll asks what became of the command that a push of this request left pending under the name remote. An *Error
	// means that it could not be asked, and the same may be polled again; one that is Over means that the command has
	// ended without effect, and has to be pushed again.
	Poll(ctx context.Context, r Request, remote string) (Outcome, error)
}

// Reader is a Driver whose devices do not report by themselves.
type Reader interface {
	Driver
	// Read asks a device how it is. Errors are those of Push, and a *RefusedError when asking again will not help.
	Read(ctx context.Context, d busbar.Device) (Reading, error)
}

// Request is one try to have a device carry something out.
type Request struct {
	Environment busbar.Environment
	// Device has its driver's secret.
	Device      busbar.Device
	ActionID    busbar.ActionID
	Instruction busbar.Instruction
	// IdempotencyKey is the same for every try of a phase. It holds no dot.
	IdempotencyKey string
	Phase          busbar.Phase
	// Try counts the tries, from 1.
	Try int
	// FirstTryAt is when the first try of this phase began; zero when this is the first. Drivers of APIs that know no
	// idempotency key look there for what an earlier try may have left, so without it a lost answer costs a repeat.
	FirstTryAt time.Time
}

// Kind tells outcomes apart.
type Kind string

// The kinds of outcomes.
const (
	// KindAccepted: the device does it, or its gateway has taken it for good.
	KindAccepted Kind = "accepted"
	// KindPending: it was taken, and the result follows: from Poll if the driver is a Poller, otherwise it is reported.
	KindPending Kind = "pending"
	// KindRefused: it will not be done, and asking again will not help.
	KindRefused Kind = "refused"
)

// Outcome is what the other side said. Make it with Accepted, Pending or Refused.
type Outcome struct {
	Kind Kind
	// Remote is what the other side calls a pending command. It is empty when the result is reported under our own id.
	Remote string
	// Code says why it was refused.
	Code string
	// Message is for people; it may be empty unless it was refused.
	Message string
}

// Accepted is the outcome of what is done.
func Accepted(message string) Outcome { return Outcome{Kind: KindAccepted, Message: message} }

// Pending is the outcome of what was taken and whose result follows.
func Pending(remote string) Outcome { return Outcome{Kind: KindPending, Remote: remote} }

// Refused is the outcome of what will not be done.
func Refused(code, message string) Outcome {
	return Outcome{Kind: KindRefused, Code: code, Message: message}
}

// Codes that drivers give. What a gateway or a remote API calls its own errors is handed on as it is.
const (
	// CodeDeviceOffline: the device cannot be reached.
	CodeDeviceOffline = "DEVICE_OFFLINE"
	// CodeTimeout: no answer came in time.
	CodeTimeout = "TIMEOUT"
	// CodeRateLimited: the other side wants to be asked less often.
	CodeRateLimited = "RATE_LIMITED"
	// CodeUnreachable: there was no connection to the other side, or it broke.
	CodeUnreachable = "GATEWAY_UNREACHABLE"
	// CodeUnavailable: the other side says that it cannot answer now.
	CodeUnavailable = "GATEWAY_UNAVAILABLE"
	// CodeConflict: another command of the device is in progress there.
	CodeConflict = "CONFLICT"
	// CodeGatewayError: the answer makes no sense as one, so that asking again will not help.
	CodeGatewayError = "GATEWAY_ERROR"
	// CodeDeviceRefused: refused without a code.
	CodeDeviceRefused = "DEVICE_REFUSED"
	// CodeCancelled: the command was cancelled at the remote API.
	CodeCancelled = "REMOTE_CANCELLED"
	// CodeForbidden: the driver's URL leads to an address that may not be dialled.
	CodeForbidden = string(busbar.CodeEndpointURLForbidden)
	// CodeUnauthorized: the other side does not take the key now, which some do when they are asked too often.
	CodeUnauthorized = string(busbar.CodeUnauthorized)
	// CodeMisconfigured: the driver's own settings cannot be used.
	CodeMisconfigured = "DRIVER_MISCONFIGURED"
)

// Error is transient: the device could not be asked now.
type Error struct {
	// Code and Message are for people; neither is ever empty.
	Code    string
	Message string
	// RetryAfter is how long the other side asked to be left alone, zero when it did not say.
	RetryAfter time.Duration
	// Over says that the command that was polled for has ended without effect. Only Poll sets it.
	Over bool
}

// Error joins the code and the message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// RefusedError is what Read fails with when asking again will not help.
type RefusedError struct {
	Code    string
	Message string
}

// Error joins the code and the message.
func (e *RefusedError) Error() string { return e.Code + ": " + e.Message }

// ErrInterrupted says that this process, or the caller's context, cut a try short.
var ErrInterrupted = errors.New("the try was cut short")

// Reading is how a device is.
type Reading struct {
	// State holds only fields and values of the device's family, in its units. It is empty when nothing is known.
	State busbar.State
	// ObservedAt is when; zero when the other side does not say.
	ObservedAt time.Time
	// Current says that the other side is in touch with the device, and not telling what it remembers.
	Current bool
	// Connection is empty when it is not known; Reason says why it is disconnected.
	Connection busbar.Connection
	Reason     string
}

// transient makes an *Error.
func transient(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
