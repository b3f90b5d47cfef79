package keyring_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/keyring"
)

// rawKey is a key whose base64 text uses both alphabets' own characters.
func rawKey(first byte) []byte {
	raw := make([]byte, keyring.KeySize)
	for i := range raw {
		raw[i] = first + byte(i)*7 | 0x83
	}
	raw[0] = first
	return raw
}

func mustParse(t *testing.T, list string) *keyring.Keyring {
	t.Helper()
	ring, err := keyring.Parse(list)
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	return ring
}

func generate(t *testing.T) string {
	t.Helper()
	text, err := keyring.Generate()
	if err != nil {
		t.Fatalf("generate: %v", err)
	}
	return text
}

func TestSealOpens(t *testing.T) {
	t.Parallel()
	ring := mustParse(t, generate(t))
	for _, plaintext := range []string{"", "x", "whsec_secret", strings.Repeat("a", 70_000)} {
		sealed, err := ring.Seal([]byte(plaintext), "endpoint_secret:ep_1")
		if err != nil {
			t.Fatalf("seal: %v", err)
		}
		if len(plaintext) > 1 && bytes.Contains(sealed, []byte(plaintext)) {
			t.Error("the ciphertext contains the plaintext")
		}
		opened, err := ring.Open(sealed, "endpoint_secret:ep_1")
		if err != nil {
			t.Fatalf("open %d bytes: %v", len(plaintext), err)
		}
		if diff := cmp.Diff(plaintext, string(opened)); diff != "" {
			t.Errorf("opened text differs (-want +got):\n%s", diff)
		}
	}
}

func TestSealNeverRepeats(t *testing.T) {
	t.Parallel()
	ring := mustParse(t, generate(t))
	seen := map[string]bool{}
	for range 200 {
		sealed, err := ring.Seal([]byte("same"), "same")
		if err != nil {
			t.Fatalf("seal: %v", err)
		}
		seen[string(sealed)] = true
	}
	if len(seen) != 200 {
		t.Errorf("200 seals of one text gave %d ciphertexts", len(seen))
	}
}

func TestCiphertextBelongsToItsContext(t *testing.T) {
	t.Parallel()
	ring := mustParse(t, generate(t))
	sealed, err := ring.Seal([]byte("secret"), "endpoint_secret:ep_1")
	if err != nil {
		t.Fatalf("seal: %v", err)
	}
	for _, context := range []string{"", "endpoint_secret:ep_2", "endpoint_secret:ep_", "endpoint_secret:ep_11"} {
		if _, err := ring.Open(sealed, context); !errors.Is(err, keyring.ErrCorrupt) {
			t.Errorf("open in context %q: got %v, want ErrCorrupt", context, err)
		}
	}
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	t.Parallel()
	ring := mustParse(t, generate(t))
	sealed, err := ring.Seal([]byte("secret"), "c")
	if err != nil {
		t.Fatalf("seal: %v", err)
	}
	for i := range len(sealed) * 8 {
		broken := bytes.Clone(sealed)
		broken[i/8] ^= 1 << (i % 8)
		_, err := ring.Open(broken, "c")
		want := keyring.ErrCorrupt
		if i/8 >= 1 && i/8 <= 4 {
			want = keyring.ErrUnknownKey
		}
		if !errors.Is(err, want) {
			t.Errorf("bit %d flipped: got %v, want %v", i, err, want)
		}
	}
	for n := range sealed {
		if _, err := ring.Open(sealed[:n], "c"); !errors.Is(err, keyring.ErrCorrupt) {
			t.Errorf("cut to %d bytes: got %v, want ErrCorrupt", n, err)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	oldKey, newKey := generate(t), generate(t)
	oldRing := mustParse(t, oldKey)
	both := mustParse(t, newKey+" , "+oldKey)
	newRing := mustParse(t, newKey)

	sealed, err := oldRing.Seal([]byte("secret"), "c")
	if err != nil {
		t.Fatalf("seal: %v", err)
	}
	opened, err := both.Open(sealed, "c")
	if err != nil || string(opened) != "secret" {
		t.Fatalf("both keys: got %q, %v", opened, err)
	}
	if both.Current(sealed) {
		t.Error("a text of the old key counts as current")
	}
	if _, err := newRing.Open(sealed, "c"); !errors.Is(err, keyring.ErrUnknownKey) {
		t.Errorf("old key taken off: got %v, want ErrUnknownKey", err)
	}

	again, err := both.Seal(opened, "c")
	if err != nil {
		t.Fatalf("seal again: %v", err)
	}
	if !both.Current(again) {
		t.Error("a text of the first key does not count as current")
	}
	if _, err := newRing.Open(again, "c"); err != nil {
		t.Errorf("the first key does not seal: %v", err)
	}
	if _, err := oldRing.Open(again, "c"); !errors.Is(err, keyring.ErrUnknownKey) {
		t.Errorf("old ring, new text: got %v, want ErrUnknownKey", err)
	}
}

func TestParseAcceptsEveryWriting(t *testing.T) {
	t.Parallel()
	raw := rawKey(0xfb)
	sealed, err := mustParse(t, base64.StdEncoding.EncodeToString(raw)).Seal([]byte("secret"), "c")
	if err != nil {
		t.Fatalf("seal: %v", err)
	}
	for name, text := range map[string]string{
		"standard, unpadded": base64.RawStdEncoding.EncodeToString(raw),
		"url":                base64.URLEncoding.EncodeToString(raw),
		"url, unpadded":      base64.RawURLEncoding.EncodeToString(raw),
		"hex":                hex.EncodeToString(raw),
		"hex, upper case":    strings.ToUpper(hex.EncodeToString(raw)),
		"spaces around":      " " + base64.StdEncoding.EncodeToString(raw) + "\n",
	} {
		if opened, err := mustParse(t, text).Open(sealed, "c"); err != nil || string(opened) != "secret" {
			t.Errorf("%s: got %q, %v", name, opened, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := base64.StdEncoding.EncodeToString(rawKey(1))
	var many []string
	for i := range 17 {
		many = append(many, base64.StdEncoding.EncodeToString(rawKey(byte(i+1))))
	}
	for name, c := range map[string]struct{ list, want string }{
		"nothing":      {"  ", "no master key is given"},
		"extra comma":  {good + ",", "key 2 of 2: it is empty"},
		"short":        {base64.StdEncoding.EncodeToString(rawKey(1)[:16]), "it has 16 bytes, it must have 32"},
		"long":         {base64.StdEncoding.EncodeToString(append(rawKey(1), 1)), "it has 33 bytes"},
		"not a key":    {"correct horse battery staple!", "neither base64 nor hex"},
		"line break":   {good[:20] + "\n" + good[20:], "line break"},
		"twice":        {good + "," + hex.EncodeToString(rawKey(1)), "key 2 of 2 is the same as key 1"},
		"all zero":     {base64.StdEncoding.EncodeToString(make([]byte, 32)), "all its bytes are the same"},
		"hex zero":     {strings.Repeat("00", 32), "all its bytes are the same"},
		"too many":     {strings.Join(many, ","), "17 master keys"},
		"second wrong": {good + ",ZZ-not-a-key!", "key 2 of 2: it is neither"},
	} {
		_, err := keyring.Parse(c.list)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
			continue
		}
		for part := range strings.SplitSeq(c.list, ",") {
			if part = strings.TrimSpace(part); part != "" && strings.Contains(err.Error(), part) {
				t.Errorf("%s: the error repeats the key", name)
			}
		}
	}
}

func TestNeverPrinted(t *testing.T) {
	t.Parallel()
	raw := rawKey(0x41)
	ring := mustParse(t, base64.StdEncoding.EncodeToString(raw))
	// fmt prints what an unexported field points to without asking its methods.
	type hidden struct{ ring *keyring.Keyring }
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+"\n", ring, struct{ Ring *keyring.Keyring }{ring}, hidden{ring})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "ring", ring)
	if err := json.NewEncoder(&out).Encode(ring); err != nil {
		t.Fatalf("encode: %v", err)
	}
	for _, secret := range []string{
		base64.StdEncoding.EncodeToString(raw), hex.EncodeToString(raw), fmt.Sprintf("%d", raw[:4]), string(raw[:4]),
	} {
		if strings.Contains(out.String(), strings.Trim(secret, "[]")) {
			t.Errorf("the key was printed:\n%s", out.String())
		}
	}
	if out := out.String(); !strings.Contains(out, "redacted") {
		t.Error("nothing says that a key was left out")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(base64.StdEncoding.EncodeToString(rawKey(1)))
	f.Add(hex.EncodeToString(rawKey(1)) + ",")
	f.Add("=,=")
	f.Fuzz(func(t *testing.T, list string) {
		ring, err := keyring.Parse(list)
		if err != nil {
			return
		}
		sealed, err := ring.Seal([]byte("x"), list)
		if err != nil {
			t.Fatalf("seal: %v", err)
		}
		if _, err := ring.Open(sealed, list); err != nil {
			t.Fatalf("open: %v", err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	ring, err := keyring.Parse(base64.StdEncoding.EncodeToString(rawKey(1)))
	if err != nil {
		f.Fatalf("parse: %v", err)
	}
	sealed, err := ring.Seal([]byte("secret"), "c")
	if err != nil {
		f.Fatalf("seal: %v", err)
	}
	f.Add(sealed)
	f.Add(sealed[:17])
	f.Fuzz(func(t *testing.T, text []byte) {
		opened, err := ring.Open(text, "c")
		if err == nil && !bytes.Equal(text, sealed) {
			t.Errorf("a text that was never sealed opened to %q", opened)
		}
	})
}
