package temporal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"

	"busbar/internal/temporal"
)

// gcm is a Sealer with one key.
type gcm struct{ cipher.AEAD }

func newSealer(t *testing.T) temporal.Sealer {
	t.Helper()
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return gcm{aead}
}

func (g gcm) Seal(plaintext []byte, context string) ([]byte, error) {
	return g.AEAD.Seal(nil, nil, plaintext, []byte(context)), nil
}

func (g gcm) Open(sealed []byte, context string) ([]byte, error) {
	return g.AEAD.Open(nil, nil, sealed, []byte(context))
}

func payload(text string) *commonpb.Payload {
	return &commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte("json/plain")},
		Data:     []byte(text),
	}
}

func TestCodecHidesAndRestoresPayloads(t *testing.T) {
	t.Parallel()
	codec := temporal.NewCodec(newSealer(t))
	plain := []*commonpb.Payload{payload(`"whsec_secret"`), payload(``)}
	encoded, err := codec.Encode(plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range encoded {
		if bytes.Contains(p.GetData(), []byte("whsec")) || bytes.Contains(p.GetData(), []byte("json/plain")) {
			t.Errorf("payload is readable: %q", p.GetData())
		}
	}
	decoded, err := codec.Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain, decoded, protocmp.Transform()); diff != "" {
		t.Errorf("decoded (-want +got)\n%s", diff)
	}
}

func TestCodecLeavesOtherPayloads(t *testing.T) {
	t.Parallel()
	other := []*commonpb.Payload{payload(`"written before encryption was on"`)}
	decoded, err := temporal.NewCodec(newSealer(t)).Decode(other)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(other, decoded, protocmp.Transform()); diff != "" {
		t.Errorf("decoded (-want +got)\n%s", diff)
	}
}

func TestCodecRefusesTamperedPayloads(t *testing.T) {
	t.Parallel()
	codec := temporal.NewCodec(newSealer(t))
	encoded, err := codec.Encode([]*commonpb.Payload{payload(`1`)})
	if err != nil {
		t.Fatal(err)
	}
	encoded[0].Data[len(encoded[0].Data)-1] ^= 1
	if _, err := codec.Decode(encoded); err == nil {
		t.Error("Decode accepted a changed payload")
	}
}

func TestCodecHandlerDecodes(t *testing.T) {
	t.Parallel()
	sealer := newSealer(t)
	encoded, err := temporal.NewCodec(sealer).Encode([]*commonpb.Payload{payload(`"hello"`)})
	if err != nil {
		t.Fatal(err)
	}
	body, err := protojson.Marshal(&commonpb.Payloads{Payloads: encoded})
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodPost, "/decode", strings.NewReader(string(body)))
	recorder := httptest.NewRecorder()
	temporal.NewCodecHandler(sealer).ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK {
		t.Fatalf("got %d %s", recorder.Code, recorder.Body)
	}
	var got commonpb.Payloads
	if err := protojson.Unmarshal(recorder.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := &commonpb.Payloads{Payloads: []*commonpb.Payload{payload(`"hello"`)}}
	if diff := cmp.Diff(want, &got, protocmp.Transform()); diff != "" {
		t.Errorf("decoded (-want +got)\n%s", diff)
	}
}
