package main

import (
	"net/http"
	"strings"

	"busbar/internal/keyring"
	"busbar/internal/temporal"
)

// codecPath is where the embedded Temporal UI has payloads decrypted when they are stored encrypted. Only `dev` serves
// it, to pages of its own UI: what it decrypts are the ids that workflows carry.
const codecPath = "/temporal-codec"

// withCodec serves the codec beside the rest, to one origin.
func withCodec(rest http.Handler, ring *keyring.Keyring, uiURL string) http.Handler {
	codec := http.StripPrefix(codecPath, temporal.NewCodecHandler(ring))
	origin := strings.TrimRight(uiURL, "/")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, codecPath+"/") {
			rest.ServeHTTP(w, r)
			return
		}
		if r.Header.Get("Origin") != origin {
			http.Error(w, "this is for the Temporal UI at "+origin, http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", "POST")
		h.Set("Access-Control-Allow-Headers", "Content-Type, X-Namespace, Authorization")
		h.Set("Vary", "Origin")
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxCodecBody)
		codec.ServeHTTP(w, r)
	})
}

// maxCodecBody is over what Temporal allows a payload.
const maxCodecBody = 4 << 20
