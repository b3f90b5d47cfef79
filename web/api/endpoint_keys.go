package api

import (
	"time"

	"github.com/google/uuid"

	"busbar"
	"busbar/internal/webhook"
)

// newSigningKey makes a key of a kind.
func newSigningKey(kind busbar.KeyKind, now time.Time) (busbar.SigningKey, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return busbar.SigningKey{}, err
	}
	k := busbar.SigningKey{ID: "sk_" + id.String(), Kind: kind, CreatedAt: now}
	switch kind {
	case busbar.KeyEd25519:
		k.Secret, k.PublicKey, err = webhook.GenerateEd25519()
	case busbar.KeyHMAC:
		k.Secret, err = webhook.GenerateHMAC()
	}
	return k, err
}

// newSigningKeys makes the keys that a kind of signing needs.
func newSigningKeys(signing busbar.Signing, now time.Time) ([]busbar.SigningKey, error) {
	var keys []busbar.SigningKey
	for _, kind := range []busbar.KeyKind{busbar.KeyHMAC, busbar.KeyEd25519} {
		if needed := kind == busbar.KeyHMAC && signing.HMAC() || kind == busbar.KeyEd25519 && signing.Ed25519(); !needed {
			continue
		}
		k, err := newSigningKey(kind, now)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}
