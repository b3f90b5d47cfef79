package webhook

import (
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Names in the writing that net/http keeps them.
const (
	headerID            = "Webhook-Id"
	headerTimestamp     = "Webhook-Timestamp"
	headerSignature     = "Webhook-Signature"
	headerSvixID        = "Svix-Id"
	headerSvixTimestamp = "Svix-Timestamp"
	headerSvixSignature = "Svix-Signature"
	headerEventType     = "Busbar-Event-Type"
	headerDeliveryID    = "Busbar-Delivery-Id"
	headerAttempt       = "Busbar-Attempt"
	headerEnvironment   = "Busbar-Environment"
	headerUserAgent     = "User-Agent"
	headerContentType   = "Content-Type"
	headerDelivery      = "Webhook-Delivery"
	headerRetryAfter    = "Retry-After"
	headerIdempotency   = "Idempotency-Key"
)

// Masked stands in for a value that is not shown.
const Masked = "•••"

const (
	maxHeaders     = 32
	maxHeaderValue = 4096
)

// HeaderError says which header a user may not set, and why. It never repeats the value.
type HeaderError struct {
	Name   string
	Reason string
}

// Error implements error.
func (e *HeaderError) Error() string { return fmt.Sprintf("header %q: %s", e.Name, e.Reason) }

// CheckHeaders returns a *HeaderError for the first header, by name, that a user may not set: one that Busbar, HTTP
// or the connection owns, a malformed one, one over 4 KiB, or one too many (32 names).
func CheckHeaders(header http.Header) error {
	seen := make(map[string]bool, len(header))
	for i, name := range slices.Sorted(maps.Keys(header)) {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case i >= maxHeaders:
			return &HeaderError{name, fmt.Sprintf("at most %d headers may be set", maxHeaders)}
		case !httpguts.ValidHeaderFieldName(name):
			return &HeaderError{name, "its name has characters that a header name cannot have"}
		case seen[canonical]:
			return &HeaderError{name, "it is given twice"}
		case reserved(canonical):
			return &HeaderError{name, "it is set by Busbar or belongs to the connection"}
		}
		seen[canonical] = true
		for _, value := range header[name] {
			if len(value) > maxHeaderValue {
				return &HeaderError{name, fmt.Sprintf("its value is longer than %d bytes", maxHeaderValue)}
			}
			if !httpguts.ValidHeaderFieldValue(value) {
				return &HeaderError{name, "its value has characters that a header value cannot have"}
			}
		}
	}
	return nil
}

// MaskHeaders returns a copy whose every value is Masked.
func MaskHeaders(header http.Header) http.Header {
	masked := make(http.Header, len(header))
	for name, values := range header {
		for range values {
			masked.Add(name, Masked)
		}
	}
	return masked
}

// reserved takes a canonical name.
func reserved(name string) bool {
	switch name {
	case "Connection", "Content-Encoding", "Content-Length", headerContentType, "Expect", "Host", "Http2-Settings",
		"Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", headerUserAgent:
		return true
	}
	for _, prefix := range []string{"Webhook-", "Svix-", "Busbar-", "Proxy-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
