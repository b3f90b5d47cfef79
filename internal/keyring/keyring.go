// Package keyring encrypts secrets at rest with AES-256-GCM under a list of master keys that can be rotated.
package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
)

// KeySize is the length of a master key in bytes: AES-256.
const KeySize = 32

const (
	version    = 1
	keyIDSize  = 4
	headerSize = 1 + keyIDSize
	nonceSize  = 12
	tagSize    = 16

	// idLabel keeps the hash that names a key apart from any other hash made of it.
	idLabel = "busbar keyring id v1\x00"

	redacted = "[redacted keyring]"
)

var (
	// ErrUnknownKey says that no key of the ring fits: the key that sealed the text was taken off the list.
	ErrUnknownKey = errors.New("no master key fits this ciphertext")
	// ErrCorrupt says that a key fits by name but the ciphertext does not open: it was damaged, cut short, or moved
	// to another context than the one it was sealed for.
	ErrCorrupt = errors.New("ciphertext is damaged or belongs elsewhere")
)

type key struct {
	id   [keyIDSize]byte
	aead cipher.AEAD
}

// Keyring seals with its first key and opens with any. It is safe for concurrent use and never prints its keys.
// Nonces are random, so one key should seal fewer than 2^32 texts (NIST SP 800-38D, 8.3).
type Keyring struct {
	keys []key
}

// Generate returns a new master key as base64 of 32 random bytes.
func Generate() (string, error) {
	var raw [KeySize]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return "", fmt.Errorf("read random bytes: %w", err)
	}
	return base64.StdEncoding.EncodeToString(raw[:]), nil
}

func newKey(raw []byte) (key, error) {
	block, err := aes.NewCipher(raw)
	if err != nil {
		return key{}, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return key{}, fmt.Errorf("make gcm: %w", err)
	}
	k := key{aead: aead}
	sum := sha256.Sum256(append([]byte(idLabel), raw...))
	copy(k.id[:], sum[:])
	return k, nil
}

// Seal encrypts plaintext for one context, a name of the place where it is kept (such as "endpoint_secret:ep_1").
// The answer is a version byte, a 4-byte key id, a 12-byte nonce, and the ciphertext with its 16-byte tag.
func (r *Keyring) Seal(plaintext []byte, context string) ([]byte, error) {
	if r == nil || len(r.keys) == 0 {
		return nil, errors.New("seal: the keyring is empty")
	}
	k := r.keys[0]
	sealed := make([]byte, 0, headerSize+nonceSize+len(plaintext)+tagSize)
	sealed = append(sealed, version)
	sealed = append(sealed, k.id[:]...)
	additional := additionalData(sealed, context)
	return k.aead.Seal(sealed, nil, plaintext, additional), nil
}

// Open decrypts what Seal made for the same context. It fails with ErrUnknownKey when no key of the ring made it and
// with ErrCorrupt when it is damaged, too short, of an unknown version, or sealed for another context.
func (r *Keyring) Open(sealed []byte, context string) ([]byte, error) {
	if len(sealed) < headerSize+nonceSize+tagSize {
		return nil, fmt.Errorf("open %d bytes: %w", len(sealed), ErrCorrupt)
	}
	if sealed[0] != version {
		return nil, fmt.Errorf("open version %d: %w", sealed[0], ErrCorrupt)
	}
	if r == nil {
		return nil, ErrUnknownKey
	}
	header, rest := sealed[:headerSize], sealed[headerSize:]
	additional := additionalData(header, context)
	named := false
	// Two keys may share a 4-byte id by chance, so every key of that name is tried.
	for _, k := range r.keys {
		if [keyIDSize]byte(header[1:]) != k.id {
			continue
		}
		named = true
		if plaintext, err := k.aead.Open(nil, nil, rest, additional); err == nil {
			return plaintext, nil
		}
	}
	if !named {
		return nil, ErrUnknownKey
	}
	return nil, ErrCorrupt
}

// Current says whether sealed was made with the first key, so that a rotation knows what is left to seal again.
func (r *Keyring) Current(sealed []byte) bool {
	return r != nil && len(r.keys) > 0 && len(sealed) > headerSize && sealed[0] == version &&
		[keyIDSize]byte(sealed[1:headerSize]) == r.keys[0].id
}

// additionalData binds the header and the context to the ciphertext. The header has a fixed length, so the two
// cannot be shifted into each other.
func additionalData(header []byte, context string) []byte {
	return append(append(make([]byte, 0, len(header)+len(context)), header...), context...)
}

// Format prints a placeholder whatever the verb.
func (r *Keyring) Format(f fmt.State, _ rune) {
	// A failing writer is the caller's to notice: fmt has no way to hand the error on.
	_, _ = f.Write([]byte(redacted))
}

// String is a placeholder.
func (r *Keyring) String() string { return redacted }

// GoString is a placeholder.
func (r *Keyring) GoString() string { return redacted }

// LogValue is a placeholder.
func (r *Keyring) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText is a placeholder, so that encoders print no key either.
func (r *Keyring) MarshalText() ([]byte, error) { return []byte(redacted), nil }
