package driver

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"busbar"
	"busbar/internal/webhook"
)

// amps drives devices behind an API that is compatible with the one at docs.amps.ai, another Busbar among them. The
// device's driver names the API's base, a key, and what the API calls the device.
type amps struct {
	sender  Sender
	timeout time.Duration
	now     func() time.Time
}

var (
	_ Poller = amps{}
	_ Reader = amps{}
)

const (
	headerAPIKey = "X-Api-Key" //nolint:gosec // the name of a header
	// maxAmpsAnswer is room for a page of maxAmpsPage actions with long messages.
	maxAmpsAnswer = 256 << 10
	// maxAmpsPage is the most that the API gives at once.
	maxAmpsPage = "50"
	// backOff is how long a key is left alone that was refused, when the API does not say.
	backOff = 30 * time.Second
)

// ampsCall is one request to the API.
type ampsCall struct {
	method string
	// path is below the base; its elements are escaped here.
	path  []string
	query url.Values
	// key goes with what must not be done twice.
	key  string
	body any
}

// ampsReply is the envelope of every answer.
type ampsReply struct {
	Success *bool           `json:"success"`
	Data    json.RawMessage `json:"data"`
	Error   struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	Meta struct {
		Timestamp string `json:"timestamp"`
	} `json:"meta"`
}

// call makes one request. Its errors are *Error, *RefusedError and ErrInterrupted.
func (a amps) call(ctx context.Context, env busbar.Environment, d busbar.Driver, c ampsCall) (ampsReply, error) {
	target, err := ampsURL(d.URL, c.path, c.query)
	if err != nil {
		return ampsReply{}, err
	}
	req := webhook.Request{
		URL: target, Method: c.method, Header: http.Header{"Accept": {"application/json"}, headerAPIKey: {d.Secret}},
		// A replay by the transport would be a second command to an API that does not know the key.
		Unsigned: true, NoReplay: true, MaxBody: maxAmpsAnswer, Timeout: a.timeout, AllowHTTP: env == busbar.Sandbox,
	}
	if c.key != "" {
		req.Header.Set(headerIdempotencyKey, c.key)
	}
	if c.body != nil {
		if req.Body, err = json.Marshal(c.body); err != nil {
			return ampsReply{}, fmt.Errorf("encode request: %w", err)
		}
	}
	return ampsAnswer(a.sender.Send(ctx, req))
}

// ampsAnswer reads an answer.
func ampsAnswer(result webhook.Result) (ampsReply, error) {
	if !answered(result) {
		return ampsReply{}, noAnswer(result)
	}
	var said ampsReply
	err := json.Unmarshal([]byte(result.ResponseBody), &said)
	readable := err == nil && said.Success != nil && !result.Truncated
	status := result.StatusCode
	switch {
	case readable && *said.Success && status < 300:
		return said, nil
	case readable && !*said.Success && said.Error.Code != "":
		return ampsReply{}, ampsError(status, said.Error.Code, said.Error.Message, result.RetryAfter)
	case passing(status):
		return ampsReply{}, statusError("API", result)
	case status == http.StatusUnauthorized:
		return ampsReply{}, ampsError(status, CodeUnauthorized, "", result.RetryAfter)
	}
	return ampsReply{}, &RefusedError{
		CodeGatewayError, fmt.Sprintf("the API answered %d with something else than its envelope; is the driver's url its base?", status),
	}
}

// ampsError is what a code of the API means here. status is zero when the code is of an action that has failed.
func ampsError(status int, code, message string, retryAfter time.Duration) error {
	code = clip(code, maxCode)
	message = cmp.Or(clip(message, maxMessage), "the API gave no reason")
	var e *Error
	switch code {
	case "RATE_LIMIT_EXCEEDED", "RATE_LIMITED":
		e = transient(CodeRateLimited, "%s", message)
		retryAfter = cmp.Or(retryAfter, backOff)
	case CodeUnauthorized:
		// The API says this to bursts as well: a key that is really wrong is INVALID_API_KEY or EXPIRED_TOKEN.
		e = transient(code, "%s", message)
		retryAfter = cmp.Or(retryAfter, backOff)
	case CodeConflict, CodeDeviceOffline, CodeTimeout, "NETWORK_ERROR", "SERVICE_UNAVAILABLE", "UNAVAILABLE", "UNKNOWN_ERROR", "INTERNAL_ERROR":
		e = transient(code, "%s", message)
	default:
		if !passing(status) {
			return &RefusedError{cmp.Or(code, CodeDeviceRefused), message}
		}
		e = transient(cmp.Or(code, CodeUnavailable), "%s", message)
	}
	e.RetryAfter = retryAfter
	return e
}

// ampsName is what may stand in a path as an id.
var ampsName = regexp.MustCompile(`^[A-Za-z0-9_~:-][A-Za-z0-9._~:-]{0,127}$`)

func ampsURL(base string, path []string, query url.Values) (string, error) {
	if strings.ContainsAny(base, "?#") {
		return "", &RefusedError{CodeMisconfigured, "the driver's url must be the base of the API, without a query"}
	}
	var target strings.Builder
	target.WriteString(strings.TrimRight(base, "/"))
	for _, element := range path {
		if !ampsName.MatchString(element) {
			return "", &RefusedError{CodeMisconfigured, "an id is empty or has characters that an id of the API cannot have"}
		}
		target.WriteString("/" + url.PathEscape(element))
	}
	if len(query) > 0 {
		target.WriteString("?" + query.Encode())
	}
	return target.String(), nil
}

// clock is what time it is at the API, to the skew between its machines; ours when it does not say.
func (r *ampsReply) clock(ours time.Time) time.Time {
	if t, err := time.Parse(time.RFC3339, r.Meta.Timestamp); err == nil {
		return t
	}
	return ours
}

// into reads the data of an answer.
func (r *ampsReply) into(v any) error {
	if err := json.Unmarshal(r.Data, v); err != nil {
		return &RefusedError{CodeGatewayError, "the API answered with data of another form"}
	}
	return nil
}
