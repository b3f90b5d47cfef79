package keyring

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// maxKeys bounds the list: a rotation needs two keys, a long one is a mistake.
const maxKeys = 16

const howTo = "make one with: openssl rand -base64 32"

// Parse reads a comma list of master keys, each 32 bytes as base64 (standard or URL alphabet, padded or not) or as 64
// hex digits. The first key seals, all open. Its errors say which key is wrong and what to change, never the key.
func Parse(list string) (*Keyring, error) {
	if strings.TrimSpace(list) == "" {
		return nil, errors.New("no master key is given; " + howTo)
	}
	texts := strings.Split(list, ",")
	if len(texts) > maxKeys {
		return nil, fmt.Errorf("%d master keys are given, at most %d may be: take off those that are no longer needed",
			len(texts), maxKeys)
	}
	ring := &Keyring{keys: make([]key, 0, len(texts))}
	seen := make(map[[KeySize]byte]int, len(texts))
	for i, text := range texts {
		raw, err := decode(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("master key %d of %d: %w", i+1, len(texts), err)
		}
		if first, ok := seen[raw]; ok {
			return nil, fmt.Errorf("master key %d of %d is the same as key %d: take one off", i+1, len(texts), first)
		}
		seen[raw] = i + 1
		k, err := newKey(raw[:])
		if err != nil {
			return nil, fmt.Errorf("master key %d of %d: %w", i+1, len(texts), err)
		}
		ring.keys = append(ring.keys, k)
	}
	return ring, nil
}

func decode(text string) ([KeySize]byte, error) {
	b, err := decodeText(text)
	if err != nil {
		return [KeySize]byte{}, err
	}
	if len(b) != KeySize {
		return [KeySize]byte{}, fmt.Errorf("it has %d bytes, it must have %d; %s", len(b), KeySize, howTo)
	}
	if uniform(b) {
		return [KeySize]byte{}, errors.New("all its bytes are the same, which is no secret; " + howTo)
	}
	return [KeySize]byte(b), nil
}

// decodeText never wraps a decoder's error: those quote their input.
func decodeText(text string) ([]byte, error) {
	if text == "" {
		return nil, errors.New("it is empty: remove the extra comma or give the key")
	}
	// 64 characters of base64 would be 48 bytes, so hex digits of that length can only be meant as hex.
	if len(text) == hex.EncodedLen(KeySize) {
		if b, err := hex.DecodeString(text); err == nil {
			return b, nil
		}
	}
	// The decoder skips line breaks; a key that holds one was pasted wrongly.
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("it has a line break inside: give it on one line")
	}
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	b, err := base64.RawStdEncoding.DecodeString(standard)
	if err != nil {
		return nil, errors.New("it is neither base64 nor hex; " + howTo)
	}
	return b, nil
}

func uniform(b []byte) bool {
	for _, c := range b {
		if c != b[0] {
			return false
		}
	}
	return true
}
