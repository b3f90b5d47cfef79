package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// fetchWait is how long the server keeps a question open; one that takes answerTime longer is lost.
	fetchWait  = 10 * time.Second
	answerTime = 5 * time.Second
	// maxAnswer is over what requests of the most that is held add up to.
	maxAnswer = 64 << 20
)

// server speaks to the API of a Busbar server.
type server struct {
	base, key string
	client    *http.Client
}

func newServer(base, key string) *server {
	return &server{strings.TrimRight(base, "/"), key, &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: maxHeld, IdleConnTimeout: time.Minute,
			DialContext: (&net.Dialer{Timeout: answerTime}).DialContext,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// endpoint is the temporary endpoint.
type endpoint struct {
	ID          string   `json:"id"`
	Secret      string   `json:"secret"`
	EventTypes  []string `json:"eventTypes"`
	Environment string   `json:"-"`
}

// request is a signed request that has to reach the target as it is.
type request struct {
	ID        string      `json:"id"`
	EventID   string      `json:"eventId"`
	EventType string      `json:"eventType"`
	Attempt   int         `json:"attempt"`
	Headers   http.Header `json:"headers"`
	Body      []byte      `json:"body"`
	TimeoutMs int64       `json:"timeoutMs"`
}

// answer is what became of a request.
type answer struct {
	RequestID  string       `json:"requestId"`
	StatusCode int          `json:"statusCode,omitempty"`
	Headers    http.Header  `json:"headers,omitempty"`
	Body       []byte       `json:"body,omitempty"`
	Error      *answerError `json:"error,omitempty"`
}

type answerError struct {
	Class   string `json:"class"`
	Message string `json:"message"`
}

// refusal is an answer of the server that will not change by asking again.
type refusal struct {
	status  int
	code    string
	message string
}

// Error is what the server said.
func (r *refusal) Error() string { return r.message }

func (s *server) create(ctx context.Context, eventTypes []string, description string) (endpoint, error) {
	body := map[string]any{"description": description}
	if len(eventTypes) > 0 {
		body["eventTypes"] = eventTypes
	}
	var e endpoint
	environment, err := s.call(ctx, answerTime, http.MethodPost, "/v1/listeners", body, &e)
	e.Environment = environment
	return e, err
}

// fetch waits for requests. Those in holding were fetched before.
func (s *server) fetch(ctx context.Context, id string, holding []string, resumed bool) ([]request, error) {
	query := url.Values{"wait": {fetchWait.String()}, "limit": {strconv.Itoa(maxHeld - len(holding))}}
	if len(holding) > 0 {
		query.Set("holding", strings.Join(holding, ","))
	}
	if resumed {
		query.Set("resumed", "true")
	}
	var got struct {
		Requests []request `json:"requests"`
	}
	_, err := s.call(ctx, fetchWait+answerTime, http.MethodGet, "/v1/listeners/"+id+"/requests?"+query.Encode(), nil, &got)
	return got.Requests, err
}

func (s *server) answer(ctx context.Context, id string, a answer) error {
	_, err := s.call(ctx, answerTime, http.MethodPost, "/v1/listeners/"+id+"/answers", a, nil)
	return err
}

func (s *server) delete(ctx context.Context, id string) error {
	_, err := s.call(ctx, answerTime, http.MethodDelete, "/v1/listeners/"+id, nil, nil)
	return err
}

// call makes one request. A *refusal is final; after any other error it may be made again.
func (s *server) call(ctx context.Context, most time.Duration, method, path string, body, into any) (environment string, err error) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	var content io.Reader = http.NoBody
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return "", fmt.Errorf("write request: %w", err)
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, content)
	if err != nil {
		return "", fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("X-Api-Key", s.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return "", errors.New(reasonOf(err))
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", errors.New(reasonOf(err))
	}
	return read(resp, text, into)
}

// read takes an answer of the server apart. What is no answer of Busbar's comes from something in between, which may
// be better later, except where nothing of Busbar's is found at all.
func read(resp *http.Response, text []byte, into any) (environment string, err error) {
	var got struct {
		Success bool            `json:"success"`
		Data    json.RawMessage `json:"data"`
		Error   struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
		Meta struct {
			Environment string `json:"environment"`
		} `json:"meta"`
	}
	if err := json.Unmarshal(text, &got); err != nil || !got.Success && got.Error.Code == "" {
		err := fmt.Errorf("answered %s, which is not what Busbar says", resp.Status)
		if resp.StatusCode == http.StatusNotFound || resp.StatusCode < http.StatusBadRequest {
			return "", &refusal{resp.StatusCode, "", err.Error()}
		}
		return "", err
	}
	if got.Success {
		if into == nil {
			return got.Meta.Environment, nil
		}
		if err := json.Unmarshal(got.Data, into); err != nil {
			return "", fmt.Errorf("read answer: %w", err)
		}
		return got.Meta.Environment, nil
	}
	if resp.StatusCode >= http.StatusInternalServerError || resp.StatusCode == http.StatusTooManyRequests {
		return "", errors.New(got.Error.Message)
	}
	return "", &refusal{resp.StatusCode, got.Error.Code, got.Error.Message}
}
