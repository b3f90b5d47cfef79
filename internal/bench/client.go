package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

const (
	// eventType is registered by the benchmark, so that no other endpoint's subscription is met by chance.
	eventType = "bench.sample"

	// Codes of posts that got no answer of the API.
	codeTransport   = "TRANSPORT"
	codeTimeout     = "TIMEOUT"
	codeInterrupted = "INTERRUPTED"
	codeUnexpected  = "UNEXPECTED_ANSWER"

	maxAnswer   = 1 << 20
	maxCode     = 64
	maxIdle     = maxInFlight
	dialTimeout = 5 * time.Second
)

// client speaks the public API. It only connects to loopback addresses, ignores proxies and follows no redirects.
type client struct {
	base string
	key  string
	http *http.Client
}

func newClient(base, key string, timeout time.Duration) *client {
	dialer := &net.Dialer{
		Timeout: dialTimeout,
		Control: func(_, address string, _ syscall.RawConn) error { return checkDialled(address) },
	}
	return &client{
		base: base,
		key:  key,
		http: &http.Client{
			Timeout: timeout,
			Transport: &http.Transport{
				DialContext:         dialer.DialContext,
				MaxIdleConns:        maxIdle,
				MaxIdleConnsPerHost: maxIdle,
				IdleConnTimeout:     time.Minute,
				TLSHandshakeTimeout: dialTimeout,
				DisableCompression:  true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (c *client) close() {
	c.http.CloseIdleConnections()
}

// answer is the envelope of every answer of the API.
type answer struct {
	status int
	Data   json.RawMessage `json:"data"`
	Error  struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func (a answer) err() error {
	return fmt.Errorf("status %d %s: %s", a.status, a.Error.Code, a.Error.Message)
}

// code is the API's error code, or the status when the answer carries none that is usable as a name.
func (a answer) code() string {
	if a.Error.Code == "" || len(a.Error.Code) > maxCode {
		return fmt.Sprintf("HTTP_%d", a.status)
	}
	return a.Error.Code
}

func (c *client) do(ctx context.Context, method, path string, body []byte) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("x-api-key", c.key)
	request.Header.Set("content-type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return answer{}, fmt.Errorf("send request: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("read answer: %w", err)
	}
	a := answer{status: response.StatusCode}
	if len(text) == 0 {
		return a, nil
	}
	if err := json.Unmarshal(text, &a); err != nil {
		// An answer that isn't the API's counts by its status.
		return answer{status: response.StatusCode}, nil
	}
	return a, nil
}

// send makes a request with a JSON body.
func (c *client) send(ctx context.Context, method, path string, body any) (answer, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return answer{}, fmt.Errorf("encode request: %w", err)
	}
	return c.do(ctx, method, path, text)
}

// put creates something.
func (c *client) put(ctx context.Context, path string, body any) error {
	a, err := c.send(ctx, http.MethodPost, path, body)
	if err == nil && a.status/100 != 2 {
		err = a.err()
	}
	if err != nil {
		return fmt.Errorf("create at %s: %w", path, err)
	}
	return nil
}

// remove deletes something.
func (c *client) remove(ctx context.Context, path string) error {
	a, err := c.do(ctx, http.MethodDelete, path, nil)
	if err == nil && a.status/100 != 2 {
		err = a.err()
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", path, err)
	}
	return nil
}

// ready asks whether the server accepts events.
func (c *client) ready(ctx context.Context) bool {
	a, err := c.do(ctx, http.MethodGet, "/readyz", nil)
	return err == nil && a.status == http.StatusOK
}

// registerType makes the benchmark's event type known; that it is known already is fine.
func (c *client) registerType(ctx context.Context) error {
	body := fmt.Sprintf(`{"name":%q,"description":"Events of busbar bench","schema":{"type":"object"}}`, eventType)
	a, err := c.do(ctx, http.MethodPost, "/v1/event-types", []byte(body))
	if err != nil {
		return fmt.Errorf("register event type: %w", err)
	}
	if a.status/100 != 2 && a.status != http.StatusConflict {
		return fmt.Errorf("register event type: %w", a.err())
	}
	return nil
}

// registration is an endpoint as the API answered its creation.
type registration struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
	// MaxInFlight is how many requests the server makes to it at once.
	MaxInFlight int `json:"maxInFlight"`
}

func (c *client) createEndpoint(ctx context.Context, url string) (registration, error) {
	body, err := json.Marshal(struct {
		URL         string   `json:"url"`
		Description string   `json:"description"`
		EventTypes  []string `json:"eventTypes"`
	}{url, "busbar bench", []string{eventType}})
	if err != nil {
		return registration{}, fmt.Errorf("encode endpoint: %w", err)
	}
	a, err := c.do(ctx, http.MethodPost, "/v1/endpoints", body)
	if err != nil {
		return registration{}, fmt.Errorf("create endpoint: %w", err)
	}
	if a.status/100 != 2 {
		return registration{}, fmt.Errorf("create endpoint: %w", a.err())
	}
	var r registration
	if err := json.Unmarshal(a.Data, &r); err != nil || r.ID == "" || r.Secret == "" {
		return registration{}, errors.New("create endpoint: the answer has no id and secret")
	}
	return r, nil
}

// enable has an endpoint that failed tried at once.
func (c *client) enable(ctx context.Context, id string) error {
	a, err := c.do(ctx, http.MethodPost, "/v1/endpoints/"+id+"/enable", nil)
	if err == nil && a.status/100 != 2 {
		err = a.err()
	}
	if err != nil {
		return fmt.Errorf("enable endpoint: %w", err)
	}
	return nil
}

// circuit asks whether deliveries go to an endpoint: closed, open or half_open.
func (c *client) circuit(ctx context.Context, id string) (string, error) {
	a, err := c.do(ctx, http.MethodGet, "/v1/endpoints/"+id, nil)
	if err == nil && a.status != http.StatusOK {
		err = a.err()
	}
	if err != nil {
		return "", fmt.Errorf("look at endpoint: %w", err)
	}
	var endpoint struct {
		Circuit struct {
			State string `json:"state"`
		} `json:"circuit"`
	}
	if err := json.Unmarshal(a.Data, &endpoint); err != nil || endpoint.Circuit.State == "" {
		return "", errors.New("look at endpoint: the answer has no state of a circuit")
	}
	return endpoint.Circuit.State, nil
}

// post sends one event and returns nothing when it was newly accepted, otherwise the code that names what happened.
func (c *client) post(ctx context.Context, id string, body []byte) string {
	a, err := c.do(ctx, http.MethodPost, "/v1/events", body)
	if err != nil {
		return failure(ctx, err)
	}
	if a.status != http.StatusAccepted {
		return a.code()
	}
	var accepted struct {
		EventID string `json:"eventId"`
		Status  string `json:"status"`
	}
	if err := json.Unmarshal(a.Data, &accepted); err != nil || accepted.EventID != id || accepted.Status != "accepted" {
		return codeUnexpected
	}
	return ""
}

func failure(ctx context.Context, err error) string {
	var network net.Error
	switch {
	case ctx.Err() != nil:
		return codeInterrupted
	case errors.As(err, &network) && network.Timeout():
		return codeTimeout
	default:
		return codeTransport
	}
}
