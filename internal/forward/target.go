package forward

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

const (
	// maxBody is one byte more than the server keeps, so that it sees that there is more.
	maxBody        = 16<<10 + 1
	maxHeaderBytes = 64 << 10
	// The target's time ends before the attempt's, so that the server hears of it: by a tenth, and at most by this.
	mostMargin = 500 * time.Millisecond
	maxReason  = 250
)

// target is the URL that requests are taken to.
type target struct {
	url       string
	host      string
	transport *http.Transport
}

func newTarget(u *url.URL) *target {
	return &target{u.String(), u.Host, &http.Transport{
		Proxy: nil, DisableCompression: true, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: maxHeld, IdleConnTimeout: time.Minute,
		MaxResponseHeaderBytes: maxHeaderBytes, TLSHandshakeTimeout: 10 * time.Second,
	}}
}

// send makes one request with the headers and the body as they came. Redirects are not followed: they are answers.
func (t *target) send(ctx context.Context, r request) answer {
	a := answer{RequestID: r.ID}
	left := time.Duration(r.TimeoutMs) * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, left-min(left/10, mostMargin))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(r.Body))
	if err != nil {
		a.Error = &answerError{"protocol", "the request cannot be made"}
		return a
	}
	req.Header = r.Headers
	if _, given := req.Header["Idempotency-Key"]; !given {
		// Without values it is not sent; it lets the transport try again when the target has closed a kept connection.
		req.Header["Idempotency-Key"] = []string{}
	}
	resp, err := t.transport.RoundTrip(req)
	if err != nil {
		a.Error = t.failure(err, "timeout")
		return a
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil && resp.StatusCode < 300 {
		a.Error = t.failure(err, "body_timeout")
		return a
	}
	a.StatusCode, a.Headers, a.Body = resp.StatusCode, resp.Header, body
	return a
}

// failure says in the server's terms why there was no response.
func (t *target) failure(err error, timeout string) *answerError {
	var (
		dns         *net.DNSError
		op          *net.OpError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		record      tls.RecordHeaderError
	)
	class, what := "protocol", "the forward target "+t.host+" broke off"
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return &answerError{timeout, "the forward target " + t.host + " did not answer in time"}
	case errors.As(err, &dns):
		class, what = "dns", "the name of the forward target "+t.host+" cannot be resolved"
	case errors.As(err, &op) && op.Op == "dial":
		class, what = "connect", "cannot connect to the forward target "+t.host
	case errors.As(err, &certificate), errors.As(err, &authority), errors.As(err, &record):
		class, what = "tls", "no TLS with the forward target "+t.host
	}
	return &answerError{class, shorten(fmt.Sprintf("%s: %s", what, reasonOf(err)), maxReason)}
}

// reasonOf is the core of an error of the network, in one line.
func reasonOf(err error) string {
	var errno syscall.Errno
	var dns *net.DNSError
	var op *net.OpError
	var wrapped *url.Error
	switch {
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &dns):
		return dns.Err
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	case errors.As(err, &op) && op.Err != nil:
		err = op.Err
	case errors.As(err, &wrapped):
		err = wrapped.Err
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

func shorten(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
