package busbar

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// IdempotencyWindow is how long the answer of a POST with an Idempotency-Key is given again.
const IdempotencyWindow = 24 * time.Hour

// APIKey lets a program in. Only the hash of the key itself is kept.
type APIKey struct {
	ID          KeyID
	Environment Environment
	Name        string
	// Hint is the beginning of the key, enough to tell keys apart.
	Hint       string
	Hash       KeyHash
	Scopes     []Scope
	CreatedAt  time.Time
	ExpiresAt  time.Time
	LastUsedAt time.Time
	RevokedAt  time.Time
}

// KeyHash is the SHA-256 of a key. Keys carry 256 bits of randomness, so that a slow hash would add nothing.
type KeyHash [sha256.Size]byte

// HashKey hashes a key.
func HashKey(key string) KeyHash { return sha256.Sum256([]byte(key)) }

// NewKey makes the text of a fresh key of an environment.
func NewKey(env Environment) (string, error) {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	return env.KeyPrefix() + base64.RawURLEncoding.EncodeToString(b), nil
}

// MaxKeyBytes is more than any generated key has, and little enough to hash for anyone.
const MaxKeyBytes = 512

// CheckKey refuses a key that no request could carry in a header. The error does not show it.
func CheckKey(key string) error {
	if len(key) > MaxKeyBytes {
		return fmt.Errorf("the key has %d bytes, at most %d may be", len(key), MaxKeyBytes)
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c >= 0x7f {
			return errors.New("the key must have visible ASCII characters only, and no spaces")
		}
	}
	return nil
}

// KeyHint is the part of a key that may be shown.
func KeyHint(key string) string {
	const shown = len("sk_test_") + 4
	if len(key) < 2*shown {
		return key[:min(len(key), len("sk_test_"))] + "…"
	}
	return key[:shown] + "…"
}

// Scope is a permission of a key.
type Scope string

// The scopes. A `noun:*` covers reading and writing the noun; `read` covers reading everything.
const (
	ScopeEventsWrite Scope = "events:write"
	ScopeEndpoints   Scope = "endpoints:*"
	ScopeRules       Scope = "rules:*"
	ScopeDevices     Scope = "devices:*"
	ScopeActions     Scope = "actions:*"
	ScopeRead        Scope = "read"
	// ScopeAll is what bootstrap keys have; it cannot be given to others.
	ScopeAll Scope = "*"
)

// ParseScope rejects what cannot be given to a key.
func ParseScope(s string) (Scope, error) {
	switch k := Scope(s); k {
	case ScopeEventsWrite, ScopeEndpoints, ScopeRules, ScopeDevices, ScopeActions, ScopeRead:
		return k, nil
	case ScopeAll:
	}
	return "", fmt.Errorf("%q is none of events:write, endpoints:*, rules:*, devices:*, actions:*, read", s)
}

// Allows reports whether the key has any of these scopes.
func (k *APIKey) Allows(anyOf ...Scope) bool {
	for _, have := range k.Scopes {
		if have == ScopeAll {
			return true
		}
		if slices.Contains(anyOf, have) {
			return true
		}
	}
	return false
}

// Usable says why a key may not be used at a time, or nothing.
func (k *APIKey) Usable(now time.Time) error {
	if !k.RevokedAt.IsZero() {
		return Errorf(CodeInvalidAPIKey, "this API key was revoked")
	}
	if !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) {
		return Errorf(CodeInvalidAPIKey, "this API key expired at %s", k.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return nil
}

// KeyEnvironment tells from its prefix which environment a key claims to be of.
func KeyEnvironment(key string) (Environment, bool) {
	for _, env := range Environments() {
		if strings.HasPrefix(key, env.KeyPrefix()) {
			return env, true
		}
	}
	return "", false
}
