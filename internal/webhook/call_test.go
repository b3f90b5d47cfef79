package webhook_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar/internal/webhook"
)

// A call of an API is the same way, without what only a receiver of ours could check.
func TestUnsignedCall(t *testing.T) {
	t.Parallel()
	var method string
	var got http.Header
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		method, got = r.Method, r.Header.Clone()
		_, _ = io.WriteString(w, strings.Repeat("x", 100))
	})
	result := newClient(t, webhook.ClientConfig{}).Send(t.Context(), webhook.Request{
		URL: server.URL, Method: http.MethodGet, Unsigned: true, Header: http.Header{"X-Api-Key": {"k"}}, MaxBody: 10, Timeout: patience,
	})
	if !result.OK() || !result.Truncated || result.ResponseBody != strings.Repeat("x", 10) {
		t.Errorf("class %q (%s), body %q, truncated %t", result.Class, result.Err, result.ResponseBody, result.Truncated)
	}
	got.Del("Accept-Encoding")
	want := http.Header{"User-Agent": {"Busbar/1.2.3"}, "X-Api-Key": {"k"}}
	if diff := cmp.Diff(want, got); diff != "" || method != http.MethodGet {
		t.Errorf("sent %s, headers (-want +got):\n%s", method, diff)
	}
}

// A receiver without a key of ours still knows a repeat by the id.
func TestUnsignedMessageTellsItsID(t *testing.T) {
	t.Parallel()
	var got http.Header
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() })
	r := request(t, server.URL)
	r.Unsigned = true
	if result := newClient(t, webhook.ClientConfig{}).Send(t.Context(), r); !result.OK() {
		t.Fatalf("class %q (%s)", result.Class, result.Err)
	}
	for name, want := range map[string]string{
		"Webhook-Id": "evt_1", "Svix-Id": "evt_1", "Content-Type": "application/json", "Busbar-Attempt": "3",
		"Webhook-Signature": "", "Svix-Signature": "", "Webhook-Timestamp": "", "Svix-Timestamp": "",
	} {
		if got.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Get(name), want)
		}
	}
}

// A receiver that reads a request and then closes a kept connection may have acted on it.
func TestDyingConnectionIsNotReplayed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		noReplay bool
		want     webhook.ErrorClass
		requests int64
	}{
		"replayed":     {false, webhook.ClassNone, 3},
		"not replayed": {true, webhook.ClassProtocol, 2},
	} {
		var requests atomic.Int64
		host := serveRaw(t, func(conn net.Conn) {
			in := bufio.NewReader(conn)
			for {
				r, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				if _, err := io.Copy(io.Discard, r.Body); err != nil || requests.Add(1) == 2 {
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
			}
		})
		client := newClient(t, webhook.ClientConfig{})
		r := request(t, "http://"+host)
		r.NoReplay = c.noReplay
		if first := client.Send(t.Context(), r); !first.OK() {
			t.Fatalf("%s: first: %s", name, first.Err)
		}
		if second := client.Send(t.Context(), r); second.Class != c.want || requests.Load() != c.requests {
			t.Errorf("%s: class %q (%s) after %d requests, want %q after %d",
				name, second.Class, second.Err, requests.Load(), c.want, c.requests)
		}
	}
}
