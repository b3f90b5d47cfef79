package webhook_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"busbar/internal/webhook"
)

func TestTimeoutCoversTheHeader(t *testing.T) {
	t.Parallel()
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	r := request(t, server.URL)
	r.Timeout = short
	result := newClient(t, webhook.ClientConfig{}).Send(t.Context(), r)
	wantClass(t, result, webhook.ClassTimeout)
	if result.StatusCode != 0 || !strings.Contains(result.Err, "waiting for the response") {
		t.Errorf("status %d, error %q", result.StatusCode, result.Err)
	}
}

func TestTimeoutCoversTheBody(t *testing.T) {
	t.Parallel()
	for status, class := range map[int]webhook.ErrorClass{200: webhook.ClassBodyTimeout, 500: webhook.ClassStatus} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "partial")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		r := request(t, server.URL)
		r.Timeout = short
		result := newClient(t, webhook.ClientConfig{}).Send(t.Context(), r)
		wantClass(t, result, class)
		if result.StatusCode != status || result.ResponseBody != "partial" {
			t.Errorf("answer is %d %q", result.StatusCode, result.ResponseBody)
		}
	}
}

func TestBodyIsReadToTheCap(t *testing.T) {
	t.Parallel()
	const limit = 1000
	for name, c := range map[string]struct {
		answer    func(http.ResponseWriter, *http.Request)
		truncated bool
		length    int
	}{
		"endless": {func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 4096)); err != nil {
					return
				}
			}
		}, true, limit},
		"hangs at the cap": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write(bytes.Repeat([]byte("x"), limit))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, true, limit},
		"as long as the cap": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(bytes.Repeat([]byte("x"), limit))
		}, false, limit},
		"one byte more": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1001")
			_, _ = w.Write(bytes.Repeat([]byte("x"), limit+1))
		}, true, limit},
		"one byte less": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(bytes.Repeat([]byte("x"), limit-1))
		}, false, limit - 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, c.answer)
			result := newClient(t, webhook.ClientConfig{MaxBody: limit}).Send(t.Context(), request(t, server.URL))
			wantClass(t, result, webhook.ClassNone)
			if len(result.ResponseBody) != c.length || result.Truncated != c.truncated {
				t.Errorf("%d bytes, truncated %v", len(result.ResponseBody), result.Truncated)
			}
		})
	}
}

func TestAnswersAreText(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Binary", "a\xff\xfeb")
		w.Header().Set("X-Long", strings.Repeat("ü", 10_000))
		w.Header().Set("A-First", "kept")
		_, _ = w.Write(bytes.Repeat([]byte{0, 0xff, 'a', 0xc3}, 50_000))
	})
	result := newClient(t, webhook.ClientConfig{}).Send(t.Context(), request(t, server.URL))
	wantClass(t, result, webhook.ClassNone)
	total := 0
	for name, values := range result.ResponseHeader {
		for _, value := range append(values, name) {
			total += len(value)
			if !utf8.ValidString(value) || strings.Contains(value, "\x00") {
				t.Errorf("header %s is no text", name)
			}
		}
	}
	if total > 8<<10 || result.ResponseHeader.Get("A-First") != "kept" {
		t.Errorf("%d bytes of header are kept: %v", total, result.ResponseHeader)
	}
	if body := result.ResponseBody; !utf8.ValidString(body) || strings.Contains(body, "\x00") || len(body) > 16<<10 {
		t.Errorf("the body is no text of at most 16 KiB: %d bytes", len(body))
	}
}

func TestCompressionIsLeftAlone(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("compression was asked for: %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		pack := gzip.NewWriter(w)
		_, _ = io.WriteString(pack, strings.Repeat("bomb", 1<<20))
		_ = pack.Close()
	})
	result := newClient(t, webhook.ClientConfig{}).Send(t.Context(), request(t, server.URL))
	wantClass(t, result, webhook.ClassNone)
	if strings.Contains(result.ResponseBody, "bombbomb") {
		t.Error("the body was unpacked")
	}
}

func TestBrokenReceivers(t *testing.T) {
	t.Parallel()
	write := func(conn net.Conn, text string) bool {
		_, err := io.WriteString(conn, text)
		return err == nil
	}
	for name, c := range map[string]struct {
		handle func(net.Conn)
		class  webhook.ErrorClass
		says   string
	}{
		"closes":            {func(conn net.Conn) { _ = readRequest(conn) }, webhook.ClassProtocol, "closed"},
		"closes in silence": {func(net.Conn) {}, webhook.ClassProtocol, ""},
		"resets": {func(conn net.Conn) {
			_ = readRequest(conn)
			_ = conn.(*net.TCPConn).SetLinger(0)
		}, webhook.ClassProtocol, "reset"},
		"speaks first": {func(conn net.Conn) {
			write(conn, "SSH-2.0-OpenSSH\r\n\r\n")
			untilClosed(conn)
		}, webhook.ClassProtocol, ""},
		"speaks otherwise": {func(conn net.Conn) {
			_ = readRequest(conn)
			write(conn, "SSH-2.0-OpenSSH\r\n\r\n")
			untilClosed(conn)
		}, webhook.ClassProtocol, "malformed"},
		"endless header": {func(conn net.Conn) {
			_ = readRequest(conn)
			write(conn, "HTTP/1.1 200 OK\r\n")
			for write(conn, "X-Endless: "+strings.Repeat("x", 1000)+"\r\n") {
			}
		}, webhook.ClassProtocol, "header"},
		"endless header line": {func(conn net.Conn) {
			_ = readRequest(conn)
			write(conn, "HTTP/1.1 200 OK\r\nX-Endless: ")
			for write(conn, strings.Repeat("x", 1000)) {
			}
		}, webhook.ClassProtocol, "header"},
		"endless hints": {func(conn net.Conn) {
			_ = readRequest(conn)
			for write(conn, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n") {
			}
		}, webhook.ClassProtocol, ""},
		"body breaks off": {func(conn net.Conn) {
			_ = readRequest(conn)
			write(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
		}, webhook.ClassProtocol, "broke off"},
		"switches protocols": {func(conn net.Conn) {
			_ = readRequest(conn)
			write(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
			untilClosed(conn)
		}, webhook.ClassStatus, "101"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := serveRaw(t, c.handle)
			result := newClient(t, webhook.ClientConfig{}).Send(t.Context(), request(t, "http://"+host))
			wantClass(t, result, c.class)
			if !strings.Contains(result.Err, c.says) || strings.Contains(result.Err, "127.0.0.1") ||
				strings.Contains(result.Err, "%!") {
				t.Errorf("error is %q, want one with %q and without addresses", result.Err, c.says)
			}
		})
	}
}
