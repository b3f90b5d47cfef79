package webhook_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"busbar/internal/webhook"
)

func signedHeader(id string, at time.Time, signatures ...string) http.Header {
	header := http.Header{}
	header.Set("webhook-id", id)
	header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	header.Set("webhook-signature", strings.Join(signatures, " "))
	return header
}

type vectors struct {
	Valid []struct {
		Name, Secret, ID, BodyBase64, Signature, PublicKey string
		Timestamp                                          int64
	}
	Invalid []struct{ Name, Signature string }
	Window  struct{ Accept, Reject []int64 }
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile("testdata/standard-webhooks.json")
	if err != nil {
		t.Fatalf("read vectors: %v", err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("decode vectors: %v", err)
	}
	if len(v.Valid) < 9 || len(v.Invalid) < 3 || len(v.Window.Accept) < 3 || len(v.Window.Reject) < 2 {
		t.Fatalf("the vectors are not all there: %d, %d", len(v.Valid), len(v.Invalid))
	}
	return v
}

func mustVerifier(t testing.TB, text string) webhook.Verifier {
	t.Helper()
	verifier, err := webhook.ParseVerifier(text)
	if err != nil {
		t.Fatalf("parse verifier: %v", err)
	}
	return verifier
}

func TestVectors(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	for _, c := range v.Valid {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			body, err := base64.StdEncoding.DecodeString(c.BodyBase64)
			if err != nil {
				t.Fatalf("decode body: %v", err)
			}
			at := time.Unix(c.Timestamp, 0)
			key := mustKey(t, c.Secret)
			if got := key.Sign(c.ID, at, body); got != c.Signature {
				t.Errorf("signature is %s, want %s", got, c.Signature)
			}
			if key.PublicKey() != c.PublicKey {
				t.Errorf("public key is %q, want %q", key.PublicKey(), c.PublicKey)
			}
			held := c.Secret
			if c.PublicKey != "" {
				held = c.PublicKey
			}
			verifiers := []webhook.Verifier{mustVerifier(t, held)}
			if err := webhook.Verify(verifiers, signedHeader(c.ID, at, c.Signature), body, at); err != nil {
				t.Errorf("verify: %v", err)
			}
			err = webhook.Verify(verifiers, signedHeader(c.ID, at, c.Signature), append(body, ' '), at)
			if !errors.Is(err, webhook.ErrSignature) {
				t.Errorf("changed body: got %v, want ErrSignature", err)
			}
		})
	}
	first := v.Valid[0]
	body, err := base64.StdEncoding.DecodeString(first.BodyBase64)
	if err != nil {
		t.Fatalf("decode body: %v", err)
	}
	at := time.Unix(first.Timestamp, 0)
	verifiers := []webhook.Verifier{mustVerifier(t, first.Secret)}
	for _, c := range v.Invalid {
		err := webhook.Verify(verifiers, signedHeader(first.ID, at, c.Signature), body, at)
		if !errors.Is(err, webhook.ErrSignature) {
			t.Errorf("%s: got %v, want ErrSignature", c.Name, err)
		}
	}
	header := signedHeader(first.ID, at, first.Signature)
	for _, offset := range v.Window.Accept {
		if err := webhook.Verify(verifiers, header, body, at.Add(time.Duration(offset)*time.Second)); err != nil {
			t.Errorf("%d s off: %v", offset, err)
		}
	}
	for _, offset := range v.Window.Reject {
		err := webhook.Verify(verifiers, header, body, at.Add(time.Duration(offset)*time.Second))
		if !errors.Is(err, webhook.ErrTimestamp) {
			t.Errorf("%d s off: got %v, want ErrTimestamp", offset, err)
		}
	}
}

// TestOfficialLibraryAgrees holds random messages against the Go library of the Standard Webhooks project, both ways.
func TestOfficialLibraryAgrees(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 500 {
		raw := make([]byte, 18+random.IntN(58))
		body := make([]byte, random.IntN(300))
		for _, b := range [][]byte{raw, body} {
			for i := range b {
				b[i] = byte(random.Uint32())
			}
		}
		secret := "whsec_" + base64.StdEncoding.EncodeToString(raw)
		official, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatalf("official library: %v", err)
		}
		id := "evt_" + strconv.FormatUint(random.Uint64(), 36)
		at := time.Now().Add(time.Duration(random.IntN(500)-250) * time.Second)
		key := mustKey(t, secret)

		ours := signedHeader(id, at, "v1,bm90IHRoaXMgb25l", key.Sign(id, at, body))
		if err := official.Verify(body, ours); err != nil {
			t.Fatalf("message %d: the official library refuses our signature: %v", n, err)
		}
		theirs, err := official.Sign(id, at, body)
		if err != nil {
			t.Fatalf("official sign: %v", err)
		}
		header := signedHeader(id, at, theirs)
		if err := webhook.Verify([]webhook.Verifier{key.Verifier()}, header, body, time.Now()); err != nil {
			t.Fatalf("message %d: we refuse the official library's signature: %v", n, err)
		}
	}
}

func TestVerifyReadsHeaders(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	body := []byte(`{"a":1}`)
	key, _ := newHMAC(t)
	next, _ := newHMAC(t)
	stranger, _ := newHMAC(t)
	asymmetric, _, public := newEd25519(t)
	good := key.Sign("id", now, body)
	entry := func(signature string) string { _, s, _ := strings.Cut(signature, ","); return s }
	signed := func(signatures ...string) http.Header { return signedHeader("id", now, signatures...) }
	with := func(header http.Header, name, value string) http.Header {
		header = header.Clone()
		header.Set(name, value)
		return header
	}
	svix := http.Header{}
	for name, values := range signed(good) {
		svix[strings.Replace(name, "Webhook-", "Svix-", 1)] = values
	}
	verifiers := []webhook.Verifier{key.Verifier(), mustVerifier(t, public)}

	for name, c := range map[string]struct {
		header http.Header
		want   error
	}{
		"one":                          {signed(good), nil},
		"svix aliases":                 {svix, nil},
		"second of several":            {signed(stranger.Sign("id", now, body), good), nil},
		"rotation":                     {signed(next.Sign("id", now, body), good), nil},
		"only ed25519":                 {signed(asymmetric.Sign("id", now, body)), nil},
		"unknown version beside":       {signed("v2,xyz", good), nil},
		"spaces doubled":               {signed("", good, ""), nil},
		"stranger":                     {signed(stranger.Sign("id", now, body)), webhook.ErrSignature},
		"other id":                     {with(signed(good), "webhook-id", "id2"), webhook.ErrSignature},
		"other time":                   {with(signed(good), "webhook-timestamp", "1700000001"), webhook.ErrSignature},
		"hmac under the wrong version": {signed("v1a," + entry(good)), webhook.ErrSignature},
		"no version":                   {signed(entry(good)), webhook.ErrSignature},
		"base64 written otherwise":     {signed(good[:len(good)-2] + string(good[len(good)-2]+1) + "="), webhook.ErrSignature},
		"commas only":                  {signed(",,,"), webhook.ErrSignature},
		"too many before it":           {signed(strings.Repeat("v1,x ", 64) + good), webhook.ErrSignature},
		"no id":                        {with(signed(good), "webhook-id", ""), webhook.ErrHeaders},
		"no signature":                 {with(signed(good), "webhook-signature", ""), webhook.ErrHeaders},
		"nothing":                      {http.Header{}, webhook.ErrHeaders},
		"time in words":                {with(signed(good), "webhook-timestamp", "now"), webhook.ErrHeaders},
		"time with a sign":             {with(signed(good), "webhook-timestamp", "+1700000000"), webhook.ErrHeaders},
		"time in milliseconds":         {with(signed(good), "webhook-timestamp", "1700000000000"), webhook.ErrTimestamp},
		"largest time":                 {with(signed(good), "webhook-timestamp", "9223372036854775807"), webhook.ErrTimestamp},
		"smallest time":                {with(signed(good), "webhook-timestamp", "-9223372036854775808"), webhook.ErrTimestamp},
		"over the largest time":        {with(signed(good), "webhook-timestamp", "9223372036854775808"), webhook.ErrHeaders},
	} {
		if err := webhook.Verify(verifiers, c.header, body, now); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	for name, none := range map[string][]webhook.Verifier{"no verifier": nil, "zero verifier": {{}, webhook.Key{}.Verifier()}} {
		if err := webhook.Verify(none, signed(good), body, now); !errors.Is(err, webhook.ErrSignature) {
			t.Errorf("%s: got %v, want ErrSignature", name, err)
		}
	}
}

func TestParseVerifierRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "whpk_", "whpk_AAAA", "whpk_" + strings.Repeat("A", 88), "x" + secretOf(32)} {
		if _, err := webhook.ParseVerifier(text); err == nil {
			t.Errorf("%q: accepted", text)
		}
	}
}

func FuzzSignatureHeader(f *testing.F) {
	now := time.Unix(1_700_000_000, 0)
	body := []byte("body")
	key := mustKey(f, secretOf(32))
	asymmetric, _, _ := newEd25519(f)
	good := key.Sign("id", now, body)
	verifiers := []webhook.Verifier{key.Verifier(), asymmetric.Verifier()}
	f.Add("1700000000", good)
	f.Add("1700000000", "v1a,AAAA v1,"+good)
	f.Add("-1", ", ,")
	f.Fuzz(func(t *testing.T, timestamp, signatures string) {
		header := http.Header{
			"Webhook-Id": {"id"}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signatures},
		}
		err := webhook.Verify(verifiers, header, body, now)
		if err == nil && (timestamp != "1700000000" || !strings.Contains(signatures, good)) {
			t.Errorf("accepted timestamp %q with signatures %q", timestamp, signatures)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	now := time.Unix(1_700_000_000, 0)
	body := bytes.Repeat([]byte("x"), 1024)
	key := mustKey(b, secretOf(32))
	header := signedHeader("id", now, key.Sign("id", now, body))
	verifiers := []webhook.Verifier{key.Verifier()}
	for b.Loop() {
		if err := webhook.Verify(verifiers, header, body, now); err != nil {
			b.Fatal(err)
		}
	}
}
