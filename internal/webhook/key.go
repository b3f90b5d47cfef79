package webhook

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Prefixes and sizes of Standard Webhooks 1.0.0.
const (
	secretPrefix  = "whsec_"
	privatePrefix = "whsk_"
	publicPrefix  = "whpk_"

	versionHMAC    = "v1"
	versionEd25519 = "v1a"

	newSecretSize = 32
	minSecretSize = 18
	maxSecretSize = 75

	redactedKey = "[redacted signing key]"
)

// Key signs messages. Its zero value holds nothing and signs nothing. It is safe for concurrent use and never prints
// its secret.
type Key struct {
	// A function, because fmt prints what an unexported field holds or points to without asking its methods.
	reveal func() secret
}

type secret struct {
	hmac    []byte
	ed25519 ed25519.PrivateKey
}

func newKey(s secret) Key { return Key{func() secret { return s }} }

// GenerateHMAC returns a new symmetric secret: "whsec_" and base64 of 32 random bytes.
func GenerateHMAC() (string, error) {
	var raw [newSecretSize]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	return secretPrefix + base64.StdEncoding.EncodeToString(raw[:]), nil
}

// GenerateEd25519 returns a new key pair: "whsk_" and base64 of the 64-byte private key, "whpk_" and base64 of the
// 32-byte public key.
func GenerateEd25519() (private, public string, err error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("generate ed25519 key: %w", err)
	}
	return privatePrefix + base64.StdEncoding.EncodeToString(priv),
		publicPrefix + base64.StdEncoding.EncodeToString(pub), nil
}

// ParseKey reads a "whsec_" secret of 18 to 75 bytes or a "whsk_" private key. Its errors never repeat the text.
func ParseKey(text string) (Key, error) {
	encoded, symmetric := strings.CutPrefix(text, secretPrefix)
	if symmetric {
		raw, err := decodeSecret(encoded)
		if err != nil {
			return Key{}, err
		}
		return newKey(secret{hmac: raw}), nil
	}
	encoded, asymmetric := strings.CutPrefix(text, privatePrefix)
	if !asymmetric {
		return Key{}, errors.New("parse key: it must begin with whsec_ or whsk_")
	}
	raw, err := decodeBase64(encoded)
	if err != nil || len(raw) != ed25519.PrivateKeySize {
		return Key{}, errors.New("parse key: after whsk_ there must be base64 of 64 bytes")
	}
	// A public half that does not belong to the seed would give away the private key with the second signature.
	if !bytes.Equal(ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize]), raw) {
		return Key{}, errors.New("parse key: the two halves of the whsk_ key do not belong together")
	}
	return newKey(secret{ed25519: raw}), nil
}

func decodeSecret(encoded string) ([]byte, error) {
	raw, err := decodeBase64(encoded)
	if err != nil {
		return nil, errors.New("parse key: after whsec_ there must be padded standard base64")
	}
	if len(raw) < minSecretSize || len(raw) > maxSecretSize {
		return nil, fmt.Errorf("parse key: the secret has %d bytes, it must have %d to %d",
			len(raw), minSecretSize, maxSecretSize)
	}
	return raw, nil
}

// decodeBase64 refuses line breaks, which the standard decoder skips: two texts would then be one key.
func decodeBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("line break in base64")
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("decode base64: %w", err)
	}
	return raw, nil
}

// Sign returns the signature of "id.unixSeconds.body" as one entry of the signature header: "v1,…" for HMAC-SHA256,
// "v1a,…" for ed25519. The zero Key returns "".
func (k Key) Sign(id string, at time.Time, body []byte) string {
	if k.IsZero() {
		return ""
	}
	secret := k.reveal()
	if secret.hmac != nil {
		return versionHMAC + "," + base64.StdEncoding.EncodeToString(sumHMAC(secret.hmac, signedPrefix(id, at), body))
	}
	signature := ed25519.Sign(secret.ed25519, append(signedPrefix(id, at), body...))
	return versionEd25519 + "," + base64.StdEncoding.EncodeToString(signature)
}

func signedPrefix(id string, at time.Time) []byte {
	prefix := make([]byte, 0, len(id)+len(".1700000000."))
	prefix = append(append(prefix, id...), '.')
	return append(strconv.AppendInt(prefix, at.Unix(), 10), '.')
}

func sumHMAC(key, prefix, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(prefix)
	mac.Write(body)
	return mac.Sum(nil)
}

// PublicKey is "whpk_…" for an ed25519 key and "" for any other.
func (k Key) PublicKey() string {
	if k.IsZero() || k.reveal().ed25519 == nil {
		return ""
	}
	return publicPrefix + base64.StdEncoding.EncodeToString(k.reveal().ed25519[ed25519.SeedSize:])
}

// IsZero says whether the key holds nothing.
func (k Key) IsZero() bool { return k.reveal == nil }

// Format prints a placeholder whatever the verb.
func (k Key) Format(f fmt.State, _ rune) {
	// A failing writer is the caller's to notice: fmt has no way to hand the error on.
	_, _ = f.Write([]byte(redactedKey))
}

// String is a placeholder.
func (k Key) String() string { return redactedKey }

// GoString is a placeholder.
func (k Key) GoString() string { return redactedKey }

// LogValue is a placeholder.
func (k Key) LogValue() slog.Value { return slog.StringValue(redactedKey) }

// MarshalJSON is a placeholder.
func (k Key) MarshalJSON() ([]byte, error) { return []byte(`"` + redactedKey + `"`), nil }

// MarshalText is a placeholder.
func (k Key) MarshalText() ([]byte, error) { return []byte(redactedKey), nil }
