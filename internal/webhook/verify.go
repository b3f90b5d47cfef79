package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Tolerance is how far a message's timestamp may be from the receiver's clock, either way (Standard Webhooks 1.0.0).
const Tolerance = 5 * time.Minute

// maxSignatures bounds the work one header can ask for: an ed25519 check takes some 50 µs.
const maxSignatures = 64

var (
	// ErrHeaders says that id, timestamp or signature is missing or cannot be read.
	ErrHeaders = errors.New("webhook headers are missing or malformed")
	// ErrTimestamp says that the message is more than Tolerance old or ahead.
	ErrTimestamp = errors.New("webhook timestamp is outside the tolerance")
	// ErrSignature says that no signature was made with any of the keys.
	ErrSignature = errors.New("no webhook signature matches")
)

// Verifier checks signatures of one key. Its zero value accepts nothing. It never prints its secret.
type Verifier struct {
	// A function for the same reason as in Key.
	reveal func() verifierSecret
}

type verifierSecret struct {
	hmac   []byte
	public ed25519.PublicKey
}

func newVerifier(s verifierSecret) Verifier {
	return Verifier{func() verifierSecret { return s }}
}

// ParseVerifier reads what a subscriber holds: a "whsec_" secret or a "whpk_" public key (or the "whsk_" private key
// it belongs to). Its errors never repeat the text.
func ParseVerifier(text string) (Verifier, error) {
	encoded, public := strings.CutPrefix(text, publicPrefix)
	if !public {
		key, err := ParseKey(text)
		if err != nil {
			return Verifier{}, err
		}
		return key.Verifier(), nil
	}
	raw, err := decodeBase64(encoded)
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return Verifier{}, errors.New("parse key: after whpk_ there must be base64 of 32 bytes")
	}
	return newVerifier(verifierSecret{public: raw}), nil
}

// Verifier returns the checking side of the key.
func (k Key) Verifier() Verifier {
	if k.IsZero() {
		return Verifier{}
	}
	secret := k.reveal()
	if secret.hmac != nil {
		return newVerifier(verifierSecret{hmac: secret.hmac})
	}
	return newVerifier(verifierSecret{public: ed25519.PublicKey(secret.ed25519[ed25519.SeedSize:])})
}

// Verify accepts a message whose timestamp is within Tolerance of now and which at least one of the verifiers signed.
// It reads the webhook-* headers, or the svix-* ones when those are not all there. It fails with ErrHeaders,
// ErrTimestamp or ErrSignature. The caller hands over the body exactly as received.
func Verify(verifiers []Verifier, header http.Header, body []byte, now time.Time) error {
	id, timestamp, signatures, err := readHeaders(header)
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	// What was signed is the number, so only its plain writing is accepted.
	if err != nil || strconv.FormatInt(seconds, 10) != timestamp {
		return fmt.Errorf("read timestamp: %w", ErrHeaders)
	}
	tolerance := int64(Tolerance / time.Second)
	if seconds < now.Unix()-tolerance || seconds > now.Unix()+tolerance {
		return ErrTimestamp
	}
	prefix := signedPrefix(id, time.Unix(seconds, 0))
	for n := 0; signatures != "" && n < maxSignatures; n++ {
		var entry string
		entry, signatures, _ = strings.Cut(signatures, " ")
		version, signature, _ := strings.Cut(entry, ",")
		for _, v := range verifiers {
			if v.matches(version, signature, prefix, body) {
				return nil
			}
		}
	}
	return ErrSignature
}

func readHeaders(header http.Header) (id, timestamp, signatures string, err error) {
	for _, family := range [...][3]string{
		{headerID, headerTimestamp, headerSignature},
		{headerSvixID, headerSvixTimestamp, headerSvixSignature},
	} {
		id, timestamp, signatures = header.Get(family[0]), header.Get(family[1]), header.Get(family[2])
		if id != "" && timestamp != "" && signatures != "" {
			return id, timestamp, signatures, nil
		}
	}
	return "", "", "", fmt.Errorf("read id, timestamp and signature: %w", ErrHeaders)
}

func (v Verifier) matches(version, signature string, prefix, body []byte) bool {
	if v.reveal == nil {
		return false
	}
	secret := v.reveal()
	if secret.hmac != nil {
		if version != versionHMAC {
			return false
		}
		// Texts are compared, not bytes: base64 has several writings of the same bytes.
		want := base64.StdEncoding.EncodeToString(sumHMAC(secret.hmac, prefix, body))
		return hmac.Equal([]byte(signature), []byte(want))
	}
	if version != versionEd25519 {
		return false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil || len(raw) != ed25519.SignatureSize {
		return false
	}
	message := append(append(make([]byte, 0, len(prefix)+len(body)), prefix...), body...)
	return ed25519.Verify(secret.public, message, raw)
}

// Format prints a placeholder whatever the verb.
func (v Verifier) Format(f fmt.State, _ rune) {
	// A failing writer is the caller's to notice: fmt has no way to hand the error on.
	_, _ = f.Write([]byte(redactedKey))
}

// String is a placeholder.
func (v Verifier) String() string { return redactedKey }

// LogValue is a placeholder.
func (v Verifier) LogValue() slog.Value { return slog.StringValue(redactedKey) }

// MarshalJSON is a placeholder.
func (v Verifier) MarshalJSON() ([]byte, error) { return []byte(`"` + redactedKey + `"`), nil }
