package webhook

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

const (
	defaultMaxBody = 16 << 10
	defaultTimeout = 15 * time.Second

	// A dial is not ended with the request that asked for it (another may use the connection): these end it.
	dialTimeout      = 30 * time.Second
	handshakeTimeout = 30 * time.Second

	idleConns        = 512
	idleConnsPerHost = 32
	idleTimeout      = 90 * time.Second
	maxHeaderBytes   = 64 << 10
	http2PingAfter   = 15 * time.Second
	http2PingTimeout = 5 * time.Second
)

// errClosed says that the client was closed.
var errClosed = errors.New("the client is closed")

// ClientConfig configures NewClient.
type ClientConfig struct {
	// Guard decides which addresses may be dialled. Required.
	Guard *Guard
	// Version is told in the user-agent header. Required.
	Version string
	// MaxBody is how many bytes of a response body are read. 0 is 16 KiB.
	MaxBody int64
	// Timeout is for requests that name none. 0 is 15 s.
	Timeout time.Duration
	// Now is the clock. Nil is time.Now.
	Now func() time.Time
	// RootCAs are trusted for https. Nil is what the system trusts.
	RootCAs *x509.CertPool
}

// Client sends webhooks, and calls APIs under the same guard. It is safe for concurrent use, follows no redirects, uses
// no proxy, and keeps connections.
type Client struct {
	config    ClientConfig
	userAgent string
	// open dials what the guard permits. named also asks that the range is allowed by name: plain http outside the
	// sandbox. They are apart because a kept connection is not checked again.
	open, named *http.Transport
	closed      atomic.Bool
}

// NewClient makes a client. The caller closes it.
func NewClient(config ClientConfig) (*Client, error) {
	if config.Guard == nil {
		return nil, errors.New("make webhook client: it needs a guard")
	}
	if config.Version == "" || !httpguts.ValidHeaderFieldValue(config.Version) {
		return nil, errors.New("make webhook client: it needs a version that a header can hold")
	}
	if config.MaxBody < 0 || config.Timeout < 0 {
		return nil, errors.New("make webhook client: body cap and timeout must not be negative")
	}
	if config.MaxBody == 0 {
		config.MaxBody = defaultMaxBody
	}
	if config.Timeout == 0 {
		config.Timeout = defaultTimeout
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	c := &Client{config: config, userAgent: "Busbar/" + config.Version}
	c.open, c.named = c.transport(false), c.transport(true)
	return c, nil
}

func (c *Client) transport(onlyByName bool) *http.Transport {
	dialer := &net.Dialer{
		Timeout:  dialTimeout,
		Resolver: c.config.Guard.resolver,
		Control:  c.config.Guard.control(onlyByName),
	}
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.config.RootCAs},
		TLSHandshakeTimeout:    handshakeTimeout,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxIdleConns:           idleConns,
		MaxIdleConnsPerHost:    idleConnsPerHost,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: http2PingAfter, PingTimeout: http2PingTimeout},
	}
}

// Close drops the kept connections and makes later sends fail with ClassCanceled. Sends in progress belong to their
// callers and end with their contexts.
func (c *Client) Close() {
	c.closed.Store(true)
	c.open.CloseIdleConnections()
	c.named.CloseIdleConnections()
}

// Send makes one attempt; a signature has the time of its start. It is over when the body has ended, its cap is reached,
// or the timeout has passed. The result says everything; there is no error beside it.
//
// A kept connection that the receiver is just closing is replaced within the attempt, so the receiver may see the same
// message with the same headers twice.
func (c *Client) Send(ctx context.Context, r Request) Result {
	started := c.config.Now()
	timeout := r.Timeout
	if timeout <= 0 {
		timeout = c.config.Timeout
	}
	attempt, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	trace := &tracer{now: c.config.Now}
	result := Result{At: started}
	finish := func(f failure) Result {
		result.Class, result.Err = f.class, f.text
		result.Duration = c.config.Now().Sub(started)
		result.Timing = trace.snapshot().timing(result.Duration)
		return result
	}

	if c.closed.Load() {
		return finish(failure{ClassCanceled, errClosed.Error()})
	}
	req, shown, err := c.build(httptrace.WithClientTrace(attempt, trace.hooks()), r, started)
	if err != nil {
		return finish(classifyRequest(err))
	}
	result.RequestHeader = shown
	transport := c.open
	if req.URL.Scheme == schemeHTTP && !r.AllowHTTP {
		transport = c.named
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return finish(classify(ctx, attempt, err, trace.snapshot(), timeout))
	}
	bodyErr := c.read(resp, &result, cmp.Or(max(r.MaxBody, 0), c.config.MaxBody))
	if c.closed.Load() {
		transport.CloseIdleConnections()
	}
	return finish(judgeResponse(ctx, attempt, result.StatusCode, bodyErr, timeout))
}

// read takes over what the receiver said, up to the caps, and gives the connection back.
func (c *Client) read(resp *http.Response, result *Result, maxBody int64) error {
	result.StatusCode = resp.StatusCode
	result.ResponseHeader = boundHeader(resp.Header)
	result.Disable = resp.StatusCode == http.StatusGone
	switch strings.ToLower(strings.TrimSpace(resp.Header.Get(headerDelivery))) {
	case "disable":
		result.Disable = true
	case "abort-message":
		result.Abort = true
	}
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable {
		result.RetryAfter, _ = ParseRetryAfter(resp.Header.Get(headerRetryAfter), c.config.Now())
	}
	// The body of a 101 is the raw connection, which need never end.
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp.Body.Close()
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	result.ResponseBody = cleanText(string(body), int(maxBody))
	result.Truncated = int64(len(body)) == maxBody && resp.ContentLength != maxBody
	if closeErr := resp.Body.Close(); err == nil && closeErr != nil && !result.Truncated {
		err = closeErr
	}
	return err
}

func judgeResponse(caller, attempt context.Context, status int, bodyErr error, timeout time.Duration) failure {
	f := judgeStatus(status)
	if f.class == ClassNone && bodyErr != nil {
		return classifyBody(caller, attempt, bodyErr, timeout)
	}
	return f
}

func judgeStatus(status int) failure {
	switch {
	case status >= 300 && status < 400:
		return failure{ClassRedirect, fmt.Sprintf("answered %d: redirects are not followed", status)}
	case status < 200 || status >= 300:
		return failure{ClassStatus, fmt.Sprintf("answered %d", status)}
	default:
		return failure{}
	}
}

func classifyRequest(err error) failure {
	if forbidden, ok := errors.AsType[*ForbiddenError](err); ok {
		return failure{ClassForbidden, cleanText(forbidden.Error(), maxErrText)}
	}
	return failure{ClassRequest, cleanText(err.Error(), maxErrText)}
}
