package busbar

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/uuid"
)

// Identifiers are a prefix and a UUIDv7 in 32 hexadecimal digits, so that they sort by the time they were made.
type (
	// EventID names an event, `evt_…` unless its producer chose another.
	EventID string
	// EndpointID names a webhook endpoint, `ep_…`.
	EndpointID string
	// DeliveryID names the delivery of one event to one endpoint, `dlv_…`.
	DeliveryID string
	// KeyID names an API key, `key_…`; it is not the key itself.
	KeyID string
	// DeviceID names a device, `dev_…` unless its owner chose another.
	DeviceID string
	// SiteID names a site, `site_…` unless its owner chose another.
	SiteID string
	// UserID names a person who may sign in, `usr_…`.
	UserID string
	// SessionID names a session, `ses_…`; it is not the session's token.
	SessionID string
	// AuditID names an entry of the audit log, `aud_…`.
	AuditID string
	// ActionID names a command on its way to a device, `act_…`.
	ActionID string
)

// NewEventID makes a fresh event id.
func NewEventID() EventID { return EventID(newID("evt_")) }

// NewEndpointID makes a fresh endpoint id.
func NewEndpointID() EndpointID { return EndpointID(newID("ep_")) }

// NewDeliveryID makes a fresh delivery id.
func NewDeliveryID() DeliveryID { return DeliveryID(newID("dlv_")) }

// NewKeyID makes a fresh API key id.
func NewKeyID() KeyID { return KeyID(newID("key_")) }

// NewDeviceID makes a fresh device id.
func NewDeviceID() DeviceID { return DeviceID(newID("dev_")) }

// NewSiteID makes a fresh site id.
func NewSiteID() SiteID { return SiteID(newID("site_")) }

// NewActionID makes a fresh action id.
func NewActionID() ActionID { return ActionID(newID("act_")) }

// NewUserID makes a fresh user id.
func NewUserID() UserID { return UserID(newID("usr_")) }

// NewSessionID makes a fresh session id.
func NewSessionID() SessionID { return SessionID(newID("ses_")) }

// NewAuditID makes a fresh id of an audit entry.
func NewAuditID() AuditID { return AuditID(newID("aud_")) }

// NewRequestID makes a fresh id for one HTTP request, `req_…`.
func NewRequestID() string { return newID("req_") }

// newID panics only when the operating system has no randomness to give, as crypto/rand does.
func newID(prefix string) string {
	id := uuid.Must(uuid.NewV7())
	return prefix + hex.EncodeToString(id[:])
}

// DerivedEventID is the id of an event that is determined by what caused it, so that making it twice makes it once:
// `evt_b` and 32 hexadecimal digits of the SHA-256 of the parts. Producers cannot use such ids.
func DerivedEventID(parts ...string) EventID { return EventID("evt_b" + derived(parts)) }

// DerivedActionID is the id of an action that is determined by what caused it.
func DerivedActionID(parts ...string) ActionID { return ActionID("act_" + derived(parts)) }

func derived(parts []string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

var (
	chosenID  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	derivedID = regexp.MustCompile(`^evt_b[0-9a-f]{32}$`)
)

// ValidID reports whether a caller may choose this id for a resource: 1 to 64 of A–Z, a–z, 0–9, _ and -.
func ValidID(id string) bool { return chosenID.MatchString(id) }

// Derived reports whether the id has the form that only Busbar gives.
func (id EventID) Derived() bool { return derivedID.MatchString(strings.ToLower(string(id))) }
