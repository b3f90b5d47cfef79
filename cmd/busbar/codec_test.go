package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"busbar/internal/keyring"
	"busbar/internal/temporal"
)

// The handler is not reachable from another package, so this test is inside.
func TestOnlyTheTemporalUIHasPayloadsDecrypted(t *testing.T) {
	t.Parallel()
	key, err := keyring.Generate()
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.Parse(key)
	if err != nil {
		t.Fatal(err)
	}
	const ui = "http://127.0.0.1:8233"
	h := withCodec(http.NotFoundHandler(), ring, ui+"/")
	sealed, err := temporal.NewCodec(ring).Encode([]*common.Payload{{Data: []byte(`"evt_1"`)}})
	if err != nil {
		t.Fatal(err)
	}
	body, err := protojson.Marshal(&common.Payloads{Payloads: sealed})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, method, path, origin string
		want                       int
	}{
		{"the UI", http.MethodPost, "/temporal-codec/decode", ui, http.StatusOK},
		{"the UI asks first", http.MethodOptions, "/temporal-codec/decode", ui, http.StatusNoContent},
		{"another page", http.MethodPost, "/temporal-codec/decode", "http://evil.example", http.StatusForbidden},
		{"no page", http.MethodPost, "/temporal-codec/decode", "", http.StatusForbidden},
		{"the rest", http.MethodGet, "/v1/events", "", http.StatusNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(c.method, c.path, strings.NewReader(string(body)))
			r.Header.Set("Content-Type", "application/json")
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("status = %d, want %d: %s", w.Code, c.want, w.Body)
			}
			// "ImV2dF8xIg==" is "evt_1" with its quotes, in base64.
			if decrypted := strings.Contains(w.Body.String(), "ImV2dF8xIg=="); decrypted != (c.want == http.StatusOK) {
				t.Errorf("decrypted: %v; body %s", decrypted, w.Body)
			}
		})
	}
}
