// Package password hashes the passwords of people with argon2id and checks them.
package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The parameters are OWASP's first choice for argon2id: 19 MiB, two passes, one lane. A hash carries its own, so that they
// can be raised and old hashes still be checked.
const (
	memory  = 19 << 10
	passes  = 2
	lanes   = 1
	saltLen = 16
	hashLen = 32
)

// What a stored hash may ask for at most: it is ours, but it is read from a database.
const (
	maxMemory = 1 << 20
	maxPasses = 16
	maxLanes  = 16
)

// slots bounds how many hashes are computed at a time, for the memory that each takes.
//
//nolint:gochecknoglobals // the memory is the process's, whoever asks
var slots = make(chan struct{}, 2)

// Hash makes the text that is stored, `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
func Hash(password string) (string, error) {
	salt := make([]byte, saltLen)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("read randomness: %w", err)
	}
	key := derive(password, salt, passes, memory, lanes, hashLen)
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, lanes, encode(salt), encode(key)), nil
}

// Check reports whether a hash is that of a password. An empty hash is of none, and takes as long to check as any.
func Check(hash, password string) (bool, error) {
	if hash == "" {
		derive(password, make([]byte, saltLen), passes, memory, lanes, hashLen)
		return false, nil
	}
	p, err := parse(hash)
	if err != nil {
		return false, err
	}
	key := derive(password, p.salt, p.passes, p.memory, p.lanes, uint32(len(p.key))) //nolint:gosec // parse bounds the length
	return subtle.ConstantTimeCompare(key, p.key) == 1, nil
}

func derive(password string, salt []byte, passes, memory uint32, lanes uint8, n uint32) []byte {
	slots <- struct{}{}
	defer func() { <-slots }()
	return argon2.IDKey([]byte(password), salt, passes, memory, lanes, n)
}

type parsed struct {
	memory, passes uint32
	lanes          uint8
	salt, key      []byte
}

var errForm = errors.New("a stored password hash has another form than $argon2id$v=19$m=…,t=…,p=…$salt$hash")

func parse(hash string) (parsed, error) {
	var (
		p       parsed
		version int
	)
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return p, errForm
	}
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return p, errForm
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.lanes); err != nil {
		return p, errForm
	}
	var err error
	if p.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return p, errForm
	}
	if p.key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
		return p, errForm
	}
	if p.memory < 8 || p.memory > maxMemory || p.passes < 1 || p.passes > maxPasses || p.lanes < 1 || p.lanes > maxLanes ||
		len(p.salt) < 8 || len(p.key) < 16 || len(p.key) > 64 {
		return p, errForm
	}
	return p, nil
}
