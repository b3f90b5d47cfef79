package busbar

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of the dashboard's accounts.
const (
	MaxUsers         = 500
	MaxUserNameRunes = 100
	// MinPasswordRunes is what a password that people choose has at least; MaxPasswordBytes bounds what is hashed.
	MinPasswordRunes = 10
	MaxPasswordBytes = 1024
	// SessionTime is how long a session lasts after its last use.
	SessionTime = 14 * 24 * time.Hour
	// LoginLinkTime is how long a login link waits for its one use.
	LoginLinkTime = 24 * time.Hour
	// AuditTime is how long the audit log is kept, whatever the retention of events is.
	AuditTime = 365 * 24 * time.Hour
)

// User is a person who may sign in to the dashboard.
type User struct {
	ID   UserID
	Name string
	Role Role
	// PasswordHash is empty until a password was chosen.
	PasswordHash string
	CreatedAt    time.Time
	// LastSeenAt is the last time that the person signed in.
	LastSeenAt time.Time
	// DisabledAt is when the account was shut; zero is never.
	DisabledAt time.Time
}

// Enabled reports whether the person may sign in.
func (u *User) Enabled() bool { return u.DisabledAt.IsZero() }

// CheckUserName refuses names that would not be shown as they are.
func CheckUserName(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > MaxUserNameRunes {
		return Invalid("name", "length", "must have 1 to %d characters", MaxUserNameRunes)
	}
	if strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return Invalid("name", "format", "must have printable characters only, and no space at its ends")
	}
	return nil
}

// CheckPassword refuses a password that could be guessed quickly. The error does not show it.
func CheckPassword(password string) error {
	if utf8.RuneCountInString(password) < MinPasswordRunes {
		return Invalid("password", "length", "must have at least %d characters", MinPasswordRunes)
	}
	if len(password) > MaxPasswordBytes {
		return Invalid("password", "length", "must have at most %d bytes", MaxPasswordBytes)
	}
	return nil
}

// Role is what a person may do in the dashboard. Each role may do what those before it may.
type Role string

// The roles.
const (
	// RoleViewer reads.
	RoleViewer Role = "viewer"
	// RoleOperator works with endpoints, deliveries, events, rules and devices.
	RoleOperator Role = "operator"
	// RoleAdmin also sees to users, API keys and settings.
	RoleAdmin Role = "admin"
)

// Roles lists them, the least first.
func Roles() []Role { return []Role{RoleViewer, RoleOperator, RoleAdmin} }

// ParseRole rejects what is not a role.
func ParseRole(s string) (Role, error) {
	switch r := Role(s); r {
	case RoleViewer, RoleOperator, RoleAdmin:
		return r, nil
	default:
		return "", fmt.Errorf("%q is none of viewer, operator, admin", s)
	}
}

// Includes reports whether the role may do what another may. A role that does not exist includes nothing and is
// included by nothing.
func (r Role) Includes(other Role) bool { return other.rank() > 0 && r.rank() >= other.rank() }

func (r Role) rank() int {
	switch r {
	case RoleViewer:
		return 1
	case RoleOperator:
		return 2
	case RoleAdmin:
		return 3
	default:
		return 0
	}
}

// Session is one browser that a person has signed in with. Only the hash of its token is kept.
type Session struct {
	ID        SessionID
	UserID    UserID
	Hash      TokenHash
	Address   string
	UserAgent string
	CreatedAt time.Time
	// LastSeenAt is exact to some minutes.
	LastSeenAt time.Time
	ExpiresAt  time.Time
}

// TokenHash is the SHA-256 of a session's or a login link's token, which has 256 bits of randomness.
type TokenHash [sha256.Size]byte

// NewToken makes a token that nobody can guess.
func NewToken() (string, error) {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// HashToken hashes a token.
func HashToken(token string) TokenHash { return sha256.Sum256([]byte(token)) }

// AuditEntry says who changed what. It never holds anything secret.
type AuditEntry struct {
	ID AuditID
	At time.Time
	// ActorID and ActorName are those of a user or of an API key at the time; it may be gone since.
	ActorID   string
	ActorName string
	// Address is where the request came from.
	Address string
	// Environment is empty for what concerns both.
	Environment Environment
	// Action is what was done, as `endpoint.update`.
	Action string
	// Target is the id of what it was done to.
	Target string
	// Before and After are JSON, nil when there was nothing or is nothing to show.
	Before, After json.RawMessage
}
