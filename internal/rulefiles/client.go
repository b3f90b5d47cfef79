package rulefiles

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"busbar"
)

const (
	mediaJSON = "application/json"
	mediaYAML = "application/yaml"

	// callTime bounds one request: the tests of a rule are run while it lasts.
	callTime = 30 * time.Second
	// maxAnswer is over a page of rules.
	maxAnswer = 64 << 20
	// patience is how often a request waits for its turn when the key has made too many, and longestWait how long at most.
	patience    = 10
	longestWait = 10 * time.Second
)

// Client speaks to the API of a Busbar server.
type Client struct {
	base, key string
	client    *http.Client
}

// NewClient makes a client of a server for a key.
func NewClient(server, key string) *Client {
	return &Client{strings.TrimRight(server, "/"), key, &http.Client{
		Timeout:       callTime,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// RefusedError is what the server says against a request.
type RefusedError struct {
	Code    busbar.Code
	Message string
	// Fields says where in the rule; it may be empty.
	Fields []busbar.FieldError
}

// General reports whether the server refuses whoever asks, whatever the rule.
func (r *RefusedError) General() bool {
	switch r.Code {
	case busbar.CodeUnauthorized, busbar.CodeInvalidAPIKey, busbar.CodeInsufficientPermission, busbar.CodeRateLimitExceeded, busbar.CodeUnavailable:
		return true
	default:
		return false
	}
}

// Error is what the server said.
func (r *RefusedError) Error() string { return r.Message }

// question is a request.
type question struct {
	method, path, media, accept string
	body                        []byte
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	return c.call(ctx, http.MethodGet, path, "", nil, into)
}

// call makes a request and reads the data of its answer.
func (c *Client) call(ctx context.Context, method, path, media string, body []byte, into any) error {
	text, err := c.do(ctx, &question{method, path, media, mediaJSON, body})
	if err != nil {
		return err
	}
	got := struct{ Data any }{into}
	if err := json.Unmarshal(text, &got); err != nil {
		return fmt.Errorf("read answer of the server: %w", err)
	}
	return nil
}

// do makes a request, and waits for its turn when the server asks for that.
func (c *Client) do(ctx context.Context, q *question) ([]byte, error) {
	for try := 1; ; try++ {
		text, wait, err := c.once(ctx, q)
		if wait == 0 || try == patience {
			return text, err
		}
		select {
		case <-time.After(min(wait, longestWait)):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// once makes a request. A wait is how long to stay away before it is made again.
func (c *Client) once(ctx context.Context, q *question) (text []byte, wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, q.method, c.base+q.path, bytes.NewReader(q.body))
	if err != nil {
		return nil, 0, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("X-Api-Key", c.key)
	req.Header.Set("Accept", q.accept)
	if q.media != "" {
		req.Header.Set("Content-Type", q.media)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, 0, unreachable(err)
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return nil, 0, unreachable(err)
	}
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if resp.StatusCode < http.StatusMultipleChoices && media == q.accept {
		return text, 0, nil
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if err != nil {
			seconds = 1
		}
		wait = time.Duration(max(seconds, 1)) * time.Second
	}
	return nil, wait, refusal(resp, text)
}

// UnreachableError says that there is no talking to the server: what comes next would fail as well.
type UnreachableError struct{ reason error }

// Error says why.
func (e *UnreachableError) Error() string { return "reach the server: " + e.reason.Error() }

// Unwrap gives the cause.
func (e *UnreachableError) Unwrap() error { return e.reason }

// unreachable leaves out the URL, which the user knows.
func unreachable(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	return &UnreachableError{err}
}

func refusal(resp *http.Response, text []byte) error {
	var got struct {
		Error struct {
			Code    busbar.Code `json:"code"`
			Message string      `json:"message"`
			Details struct {
				Fields []busbar.FieldError `json:"fields"`
			} `json:"details"`
		} `json:"error"`
	}
	if err := json.Unmarshal(text, &got); err != nil || got.Error.Code == "" {
		return &UnreachableError{fmt.Errorf("it answered %s, which is not what Busbar says", resp.Status)}
	}
	return &RefusedError{got.Error.Code, got.Error.Message, got.Error.Details.Fields}
}
