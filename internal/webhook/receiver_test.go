package webhook_test

import (
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"busbar/internal/webhook"
)

// patience is the timeout of attempts that are meant to end by themselves; a test that needs it fails.
const patience = 30 * time.Second

// short is the timeout of attempts that are meant to run into it.
const short = time.Second

func newClient(t testing.TB, config webhook.ClientConfig) *webhook.Client {
	t.Helper()
	if config.Guard == nil {
		config.Guard = newGuard(t, webhook.GuardConfig{Allow: allow(t, "127.0.0.0/8,::1/128")})
	}
	config.Version = "1.2.3"
	client, err := webhook.NewClient(config)
	if err != nil {
		t.Fatalf("new client: %v", err)
	}
	t.Cleanup(client.Close)
	return client
}

// request is one that is signed and complete.
func request(t testing.TB, url string) webhook.Request {
	t.Helper()
	return webhook.Request{
		URL: url, MessageID: "evt_1", Keys: []webhook.Key{mustKey(t, secretOf(32))}, Body: []byte(`{"a":1}`),
		Timeout: patience, EventType: "push.completed", DeliveryID: "dlv_1", Environment: "live", Attempt: 3,
	}
}

func serve(t testing.TB, handle http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(drained(handle))
	t.Cleanup(server.Close)
	return server
}

// drained reads the request first: only then does a server notice that its client has gone.
func drained(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		handle(w, r)
	}
}

func rootsOf(server *httptest.Server) *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return roots
}

// serveRaw answers each connection with handle and closes it afterwards.
func serveRaw(t testing.TB, handle func(net.Conn)) (host string) {
	t.Helper()
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				handle(conn)
				if err := conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Errorf("close connection: %v", err)
				}
			})
		}
	})
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Errorf("close listener: %v", err)
		}
		serving.Wait()
	})
	return listener.Addr().String()
}

// readRequest reads a request with a short body off a raw connection, up to the end of that body.
func readRequest(conn net.Conn) error {
	var text strings.Builder
	buffer := make([]byte, 4096)
	for !strings.Contains(text.String(), "\r\n\r\n{\"a\":1}") {
		n, err := conn.Read(buffer)
		if err != nil {
			return err
		}
		text.Write(buffer[:n])
	}
	return nil
}

// untilClosed reads until the other side has gone.
func untilClosed(conn net.Conn) {
	// How it ends does not matter: a reset is as good as an end.
	_, _ = io.Copy(io.Discard, conn)
}

func wantClass(t testing.TB, result webhook.Result, class webhook.ErrorClass) {
	t.Helper()
	if result.Class != class {
		t.Errorf("class is %q (%s, status %d), want %q", result.Class, result.Err, result.StatusCode, class)
	}
	if (result.Err == "") != (class == webhook.ClassNone) || result.OK() != (class == webhook.ClassNone) {
		t.Errorf("class %q comes with error text %q", result.Class, result.Err)
	}
	if strings.ContainsAny(result.Err, "\r\n\x00") || len(result.Err) > 400 {
		t.Errorf("the error is not one short line: %q", result.Err)
	}
}
