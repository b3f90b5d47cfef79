package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"busbar"
)

const (
	requestTime = 10 * time.Second
	dialTime    = 5 * time.Second
	// mostAnswer bounds what is read of an answer.
	mostAnswer = 4 << 20
	// mostIdle is one connection for each loop, and one to spare.
	mostIdle = 4
	// longestRetryAfter is the longest time that a server's wish to be left alone is honoured.
	longestRetryAfter = time.Minute
)

// client speaks the API.
type client struct {
	base, key string
	http      *http.Client
}

func newClient(base, key string, transport http.RoundTripper) *client {
	if transport == nil {
		transport = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: dialTime}).DialContext,
			TLSHandshakeTimeout: dialTime,
			MaxIdleConns:        mostIdle,
			MaxIdleConnsPerHost: mostIdle,
			IdleConnTimeout:     time.Minute,
		}
	}
	return &client{base: base, key: key, http: &http.Client{
		Timeout: requestTime, Transport: transport,
		// The key goes to where it was meant to go.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answerError is an answer that is no success.
type answerError struct {
	status     int
	code       busbar.Code
	message    string
	retryAfter time.Duration
}

func (e *answerError) Error() string {
	if e.code == "" {
		return fmt.Sprintf("status %d", e.status)
	}
	return fmt.Sprintf("%s: %s", e.code, e.message)
}

// refused says that the key is not accepted, or not for this.
func (e *answerError) refused() bool {
	return e.status == http.StatusUnauthorized || e.status == http.StatusForbidden
}

// final says that the same request will never succeed.
func (e *answerError) final() bool {
	return e.status >= 400 && e.status < 500 && !e.refused() && e.status != http.StatusTooManyRequests && e.status != http.StatusRequestTimeout
}

// do sends a request and reads the answer's data into out, unless that is nil. An *answerError is what the API says.
func (c *client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("write request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("X-Api-Key", c.key)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	var answer struct {
		Data  json.RawMessage `json:"data"`
		Error struct {
			Code    busbar.Code `json:"code"`
			Message string      `json:"message"`
		} `json:"error"`
	}
	err = json.Unmarshal(text, &answer)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		// Something else than the API may answer, a proxy for one: then the status has to do.
		return &answerError{
			status: resp.StatusCode, code: answer.Error.Code, message: answer.Error.Message, retryAfter: retryAfter(resp.Header),
		}
	}
	if err != nil {
		return fmt.Errorf("read answer of %s %s: %w", method, path, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Data, out); err != nil {
		return fmt.Errorf("read data of %s %s: %w", method, path, err)
	}
	return nil
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, longestRetryAfter)
}
