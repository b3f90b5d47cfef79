package webhook_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"busbar/internal/webhook"
)

func serveTLS(t *testing.T, http2 bool, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(drained(handle))
	// Failed handshakes are what some tests are about.
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.EnableHTTP2 = http2
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func TestTLSFailures(t *testing.T) {
	t.Parallel()
	nothing := func(http.ResponseWriter, *http.Request) { t.Error("a message was delivered") }
	strangers := serveTLS(t, false, nothing)
	plain := serve(t, nothing)
	old := httptest.NewUnstartedServer(http.HandlerFunc(nothing))
	old.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	t.Cleanup(old.Close)
	closes := serveRaw(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
	})
	resolver := resolverOf(t, map[string][]string{"other-name.test": {"127.0.0.1"}})
	trusting := newClient(t, webhook.ClientConfig{
		RootCAs: rootsOf(strangers),
		Guard:   newGuard(t, webhook.GuardConfig{Allow: allow(t, "127.0.0.0/8"), Resolver: resolver}),
	})
	_, port, _ := net.SplitHostPort(strangers.Listener.Addr().String())
	for name, c := range map[string]struct {
		client *webhook.Client
		url    string
		says   string
	}{
		"unknown authority": {newClient(t, webhook.ClientConfig{}), strangers.URL, "unknown authority"},
		"other name":        {trusting, "https://other-name.test:" + port, "not other-name.test"},
		"no TLS at all":     {trusting, "https" + strings.TrimPrefix(plain.URL, "http"), "does not look like"},
		"too old":           {trusting, old.URL, "protocol version"},
		"closes":            {trusting, "https://" + closes, "closed"},
	} {
		result := c.client.Send(t.Context(), request(t, c.url))
		wantClass(t, result, webhook.ClassTLS)
		if !strings.Contains(result.Err, c.says) {
			t.Errorf("%s: error is %q, want %q in it", name, result.Err, c.says)
		}
	}
}

func TestHangingHandshake(t *testing.T) {
	t.Parallel()
	host := serveRaw(t, untilClosed)
	r := request(t, "https://"+host)
	r.Timeout = short
	client := newClient(t, webhook.ClientConfig{})
	result := client.Send(t.Context(), r)
	wantClass(t, result, webhook.ClassTimeout)
	if !strings.Contains(result.Err, "TLS handshake") {
		t.Errorf("error is %q", result.Err)
	}
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	server := serveTLS(t, true, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.Proto, r.Header.Get("Webhook-Id"), r.Header.Get("Idempotency-Key"))
	})
	client := newClient(t, webhook.ClientConfig{RootCAs: rootsOf(server)})
	for n := range 3 {
		result := client.Send(t.Context(), request(t, server.URL))
		wantClass(t, result, webhook.ClassNone)
		if result.ResponseBody != "HTTP/2.0evt_1" || result.Timing.Reused != (n > 0) {
			t.Errorf("%q, connection reused %v", result.ResponseBody, result.Timing.Reused)
		}
	}
}

func TestTimingSplitsAnAttempt(t *testing.T) {
	t.Parallel()
	server := serveTLS(t, false, func(http.ResponseWriter, *http.Request) {})
	resolver := resolverOf(t, map[string][]string{"example.com": {"127.0.0.1"}})
	client := newClient(t, webhook.ClientConfig{
		RootCAs: rootsOf(server),
		Guard:   newGuard(t, webhook.GuardConfig{Allow: allow(t, "127.0.0.0/8"), Resolver: resolver}),
	})
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	first := client.Send(t.Context(), request(t, "https://example.com:"+port))
	wantClass(t, first, webhook.ClassNone)
	timing := first.Timing
	if timing.Reused || timing.DNS <= 0 || timing.Connect <= 0 || timing.TLS <= 0 || timing.FirstByte <= 0 {
		t.Errorf("a part is missing: %+v", timing)
	}
	if sum := timing.DNS + timing.Connect + timing.TLS + timing.FirstByte; timing.Total < sum || first.Duration != timing.Total {
		t.Errorf("the parts are %s together, the whole is %s", sum, timing.Total)
	}
	second := client.Send(t.Context(), request(t, "https://example.com:"+port))
	wantClass(t, second, webhook.ClassNone)
	if timing := second.Timing; !timing.Reused || timing.DNS+timing.Connect+timing.TLS != 0 || timing.FirstByte <= 0 {
		t.Errorf("on a kept connection: %+v", timing)
	}
}

func TestDialThatWasNotNeededIsNotTimed(t *testing.T) {
	t.Parallel()
	var handshakes, requests atomic.Int64
	reached, finish := make(chan struct{}), make(chan struct{})
	stalled, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewUnstartedServer(drained(func(http.ResponseWriter, *http.Request) {
		if requests.Add(1) == 1 {
			close(reached)
			<-finish
		}
	}))
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if handshakes.Add(1) == 2 {
			close(stalled)
			<-release
		}
		return nil, nil
	}}
	server.StartTLS()
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	client := newClient(t, webhook.ClientConfig{RootCAs: rootsOf(server)})
	send := func() <-chan webhook.Result {
		done := make(chan webhook.Result, 1)
		r := request(t, server.URL)
		go func() { done <- client.Send(t.Context(), r) }()
		return done
	}
	one := send()
	<-reached
	other := send()
	<-stalled
	// The first connection becomes free while the second is still in its handshake.
	close(finish)
	wantClass(t, <-one, webhook.ClassNone)
	second := <-other
	wantClass(t, second, webhook.ClassNone)
	if timing := second.Timing; !timing.Reused || timing.DNS+timing.Connect+timing.TLS != 0 {
		t.Errorf("on the connection that became free: %+v", timing)
	}
}

func TestDeadKeptConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	var conns atomic.Int64
	host := serveRaw(t, func(conn net.Conn) {
		conns.Add(1)
		if readRequest(conn) != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		// The next request is taken and never answered, as by a receiver that is just being stopped.
		_ = readRequest(conn)
	})
	client := newClient(t, webhook.ClientConfig{})
	for range 2 {
		wantClass(t, client.Send(t.Context(), request(t, "http://"+host)), webhook.ClassNone)
	}
	if conns.Load() != 2 {
		t.Errorf("%d connections, want 2: the test did not reuse one", conns.Load())
	}
}

func TestRefusedConnection(t *testing.T) {
	t.Parallel()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	host := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatalf("close listener: %v", err)
	}
	result := newClient(t, webhook.ClientConfig{}).Send(t.Context(), request(t, "http://"+host))
	wantClass(t, result, webhook.ClassConnect)
	if !strings.Contains(result.Err, "refused") {
		t.Errorf("error is %q", result.Err)
	}
}
