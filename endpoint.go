package busbar

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// Endpoint is a URL that wants to hear of events.
type Endpoint struct {
	ID          EndpointID
	Environment Environment
	URL         string
	Description string
	// EventTypes are names and globs ("push.*"). Empty means all but operational ones, "*" means all.
	EventTypes []string
	// Headers are the user's own, sent with each delivery. Their values are secret.
	Headers       map[string]string
	PayloadFormat PayloadFormat
	// Filter is a condition over the `type` and `data` of events that it gets; empty is all of its types.
	Filter string
	// RateLimit is how many deliveries a second it gets; zero is no limit.
	RateLimit   float64
	MaxInFlight int
	// Timeout bounds one attempt, connect to last body byte; zero is the server's default.
	Timeout time.Duration
	Signing Signing
	Enabled bool
	// DisabledReason says why Enabled is false, in a few words.
	DisabledReason string
	DisabledAt     time.Time
	// Circuit is zero for an endpoint that never failed.
	Circuit   Circuit
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Limits of endpoints.
const (
	MaxEndpoints           = 500
	DefaultMaxInFlight     = 16
	MaxMaxInFlight         = 1000
	MinRateLimit           = 0.01
	MaxRateLimit           = 1000
	MaxDeliveryTimeout     = 60 * time.Second
	MinDeliveryTimeout     = 100 * time.Millisecond
	MaxResponseBodyBytes   = 16 << 10
	MaxEndpointURLBytes    = 2048
	MaxEndpointHeaders     = 20
	MaxEndpointHeaderBytes = 4096
)

// PayloadFormat is the form of a delivery's body.
type PayloadFormat string

// The formats.
const (
	// Enveloped: {"eventId","type","timestamp","environment","data"}.
	Enveloped PayloadFormat = "enveloped"
	// Flat: the data alone.
	Flat PayloadFormat = "flat"
)

// ParsePayloadFormat rejects what is not a format.
func ParsePayloadFormat(s string) (PayloadFormat, error) {
	switch f := PayloadFormat(s); f {
	case Enveloped, Flat:
		return f, nil
	default:
		return "", fmt.Errorf("%q is neither %q nor %q", s, Enveloped, Flat)
	}
}

// Signing says with which kinds of keys deliveries are signed.
type Signing string

// The kinds of signing.
const (
	SigningHMAC    Signing = "hmac"
	SigningEd25519 Signing = "ed25519"
	SigningBoth    Signing = "both"
)

// ParseSigning rejects what is not a kind of signing.
func ParseSigning(s string) (Signing, error) {
	switch k := Signing(s); k {
	case SigningHMAC, SigningEd25519, SigningBoth:
		return k, nil
	default:
		return "", fmt.Errorf("%q is none of %q, %q and %q", s, SigningHMAC, SigningEd25519, SigningBoth)
	}
}

// HMAC reports whether an HMAC key signs.
func (s Signing) HMAC() bool { return s != SigningEd25519 }

// Ed25519 reports whether an ed25519 key signs.
func (s Signing) Ed25519() bool { return s == SigningEd25519 || s == SigningBoth }

// KeyKind is one kind of signing key.
type KeyKind string

// The kinds of keys.
const (
	KeyHMAC    KeyKind = "hmac"
	KeyEd25519 KeyKind = "ed25519"
)

// SigningKey is one signing key of an endpoint, in its text form (`whsec_…` or `whsk_…`). It is secret: it is opened
// only to sign and for the one route that shows it.
type SigningKey struct {
	ID         string
	EndpointID EndpointID
	Kind       KeyKind
	Secret     string
	PublicKey  string
	CreatedAt  time.Time
	// ExpiresAt is when a rotated key stops signing; zero is never.
	ExpiresAt time.Time
}

// Shut reports whether deliveries to the endpoint are parked: it is disabled, or its circuit is not closed.
func (e *Endpoint) Shut() bool {
	return !e.Enabled || e.Circuit.State == CircuitOpen || e.Circuit.State == CircuitHalfOpen
}

// Wants reports whether the endpoint subscribed to events of this type.
func (e *Endpoint) Wants(eventType string) bool {
	if len(e.EventTypes) == 0 {
		return !Operational(eventType)
	}
	for _, pattern := range e.EventTypes {
		if MatchType(pattern, eventType) {
			return true
		}
	}
	return false
}

// MatchType reports whether an event type matches a name or a glob. A `*` stands for any run of characters, dots
// included: `push.*` matches `push.completed`, `*` matches everything.
func MatchType(pattern, eventType string) bool {
	if pattern == eventType || pattern == "*" {
		return true
	}
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok && !strings.ContainsRune(prefix, '*') {
		return strings.HasPrefix(eventType, prefix)
	}
	// path.Match stops a star at slashes only, and names have none.
	ok, err := path.Match(pattern, eventType)
	return err == nil && ok
}
