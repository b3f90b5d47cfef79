package webhook_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"busbar/internal/webhook"
)

func mustKey(t testing.TB, text string) webhook.Key {
	t.Helper()
	key, err := webhook.ParseKey(text)
	if err != nil {
		t.Fatalf("parse key: %v", err)
	}
	return key
}

func newHMAC(t testing.TB) (webhook.Key, string) {
	t.Helper()
	text, err := webhook.GenerateHMAC()
	if err != nil {
		t.Fatalf("generate: %v", err)
	}
	return mustKey(t, text), text
}

func newEd25519(t testing.TB) (key webhook.Key, private, public string) {
	t.Helper()
	private, public, err := webhook.GenerateEd25519()
	if err != nil {
		t.Fatalf("generate: %v", err)
	}
	return mustKey(t, private), private, public
}

func secretOf(size int) string {
	raw := make([]byte, size)
	for i := range raw {
		raw[i] = byte(i*3 + 1)
	}
	return "whsec_" + base64.StdEncoding.EncodeToString(raw)
}

func TestGeneratedKeysHaveTheirForm(t *testing.T) {
	t.Parallel()
	_, text := newHMAC(t)
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
	if err != nil || len(raw) != 32 || !strings.HasPrefix(text, "whsec_") {
		t.Errorf("symmetric secret has %d bytes: %v", len(raw), err)
	}
	key, private, public := newEd25519(t)
	raw, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(private, "whsk_"))
	if err != nil || len(raw) != 64 || !strings.HasPrefix(private, "whsk_") {
		t.Errorf("private key has %d bytes: %v", len(raw), err)
	}
	raw, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(public, "whpk_"))
	if err != nil || len(raw) != 32 || !strings.HasPrefix(public, "whpk_") {
		t.Errorf("public key has %d bytes: %v", len(raw), err)
	}
	if key.PublicKey() != public {
		t.Errorf("public key of the private key is %q, want %q", key.PublicKey(), public)
	}
	if _, again := newHMAC(t); again == text {
		t.Error("two generated secrets are the same")
	}
}

func TestParseKeySizes(t *testing.T) {
	t.Parallel()
	for size, ok := range map[int]bool{0: false, 17: false, 18: true, 32: true, 75: true, 76: false} {
		_, err := webhook.ParseKey(secretOf(size))
		if (err == nil) != ok {
			t.Errorf("%d bytes: got %v, want accepted %v", size, err, ok)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	t.Parallel()
	_, private, public := newEd25519(t)
	_, other, _ := newEd25519(t)
	a, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(private, "whsk_"))
	b, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(other, "whsk_"))
	good := secretOf(32)
	for name, text := range map[string]string{
		"empty":              "",
		"no prefix":          strings.TrimPrefix(good, "whsec_"),
		"public key":         public,
		"not base64":         "whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!",
		"unpadded":           strings.TrimRight(good, "="),
		"line break":         good[:20] + "\n" + good[20:],
		"trailing space":     good + " ",
		"short private key":  "whsk_" + base64.StdEncoding.EncodeToString(a[:32]),
		"halves of two keys": "whsk_" + base64.StdEncoding.EncodeToString(append(bytes.Clone(a[:32]), b[32:]...)),
	} {
		key, err := webhook.ParseKey(text)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if !key.IsZero() {
			t.Errorf("%s: a key came with the error", name)
		}
		if text != "" && strings.Contains(err.Error(), strings.TrimSpace(text)) {
			t.Errorf("%s: the error repeats the key", name)
		}
	}
}

func TestZeroKeySignsNothing(t *testing.T) {
	t.Parallel()
	var key webhook.Key
	if got := key.Sign("id", time.Unix(1, 0), nil); got != "" {
		t.Errorf("the zero key signs %q", got)
	}
	if key.PublicKey() != "" {
		t.Error("the zero key has a public key")
	}
}

func TestKeysAreNeverPrinted(t *testing.T) {
	t.Parallel()
	hmacKey, secret := newHMAC(t)
	edKey, private, _ := newEd25519(t)
	verifier, err := webhook.ParseVerifier(secret)
	if err != nil {
		t.Fatalf("parse verifier: %v", err)
	}
	type hidden struct{ key webhook.Key }
	var out bytes.Buffer
	for _, value := range []any{
		hmacKey, edKey, verifier, &hmacKey,
		[]webhook.Key{hmacKey, edKey},
		hidden{hmacKey},
		struct{ Key webhook.Key }{edKey},
		webhook.Request{Keys: []webhook.Key{hmacKey}},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "value", value)
		if err := json.NewEncoder(&out).Encode(value); err != nil {
			t.Fatalf("encode: %v", err)
		}
	}
	for _, text := range []string{secret, private} {
		_, encoded, _ := strings.Cut(text, "_")
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			t.Fatalf("decode: %v", err)
		}
		for _, form := range []string{
			encoded[:12], string(raw[:6]), fmt.Sprintf("%x", raw[:6]), strings.Trim(fmt.Sprintf("%d", raw[:6]), "[]"),
		} {
			if strings.Contains(out.String(), form) {
				t.Errorf("a key was printed as %q", form)
			}
		}
	}
	if !strings.Contains(out.String(), "redacted") {
		t.Error("nothing says that a key was left out")
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(secretOf(32))
	f.Add(secretOf(17))
	_, private, _ := newEd25519(f)
	f.Add(private)
	f.Add("whsk_====")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := webhook.ParseKey(text)
		if err != nil {
			return
		}
		now := time.Unix(1_700_000_000, 0)
		header := signedHeader("id", now, key.Sign("id", now, []byte("x")))
		if err := webhook.Verify([]webhook.Verifier{key.Verifier()}, header, []byte("x"), now); err != nil {
			t.Errorf("an accepted key does not verify its own signature: %v", err)
		}
	})
}
