package api

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"busbar"
	"busbar/internal/listener"
	"busbar/internal/store"
	"busbar/internal/webhook"
	"busbar/web/strictjson"
)

const (
	defaultFetchWait = 20 * time.Second
	maxFetchWait     = 25 * time.Second
	// maxHolding bounds what one program has under way.
	maxHolding = 100
	// maxReason is more than any reason of a program of ours has.
	maxReason = 300
	// resumeTime is what hurrying the deliveries of a long break may take beside the wait.
	resumeTime = 30 * time.Second
)

// ListenerBody creates a listener.
type ListenerBody struct {
	Description   strictjson.Optional[string]   `json:"description"`
	EventTypes    strictjson.Optional[[]string] `json:"eventTypes" doc:"As of an endpoint."`
	PayloadFormat strictjson.Optional[string]   `json:"payloadFormat" enum:"enveloped,flat"`
	Timeout       strictjson.Optional[string]   `json:"timeout" doc:"A Go duration from 100ms to 60s." example:"15s"`
}

// ListenerRequests are the requests that a listener's program has to answer.
type ListenerRequests struct {
	Requests []ListenerRequest `json:"requests"`
}

// ListenerRequest is a signed request, to be forwarded as it is.
type ListenerRequest struct {
	ID         string              `json:"id" example:"dlv_01980f3ae2b57c3f8d1c5b0a9e7f6d21-1"`
	DeliveryID string              `json:"deliveryId" example:"dlv_01980f3ae2b57c3f8d1c5b0a9e7f6d21"`
	EventID    string              `json:"eventId" example:"evt_01980f3ae2b57c3f8d1c5b0a9e7f6d21"`
	EventType  string              `json:"eventType" example:"device.updated"`
	Attempt    int                 `json:"attempt" example:"1"`
	Headers    map[string][]string `json:"headers" doc:"To be sent as they are, signature included."`
	Body       string              `json:"body" doc:"In base64."`
	TimeoutMs  int64               `json:"timeoutMs" doc:"What is left of the attempt's time." example:"15000"`
}

// AnswerBody answers a request: statusCode with headers and body, or error.
type AnswerBody struct {
	RequestID  strictjson.Optional[string]              `json:"requestId" required:"true" example:"dlv_01980f3ae2b57c3f8d1c5b0a9e7f6d21-1"`
	StatusCode strictjson.Optional[int]                 `json:"statusCode" doc:"Of the receiver's response." example:"204"`
	Headers    strictjson.Optional[map[string][]string] `json:"headers" doc:"Of the receiver's response."`
	Body       strictjson.Optional[string]              `json:"body" doc:"Of the receiver's response, in base64; more than 16 KiB is cut."`
	Error      strictjson.Optional[AnswerError]         `json:"error" doc:"Why there was no response."`
}

// AnswerError says why there was no response.
type AnswerError struct {
	Class   string `json:"class" enum:"connect,timeout,body_timeout,dns,tls,protocol"`
	Message string `json:"message" doc:"One line for people." example:"connection refused"`
}

// Answered says that an answer has reached its attempt.
type Answered struct {
	RequestID string `json:"requestId"`
	Answered  bool   `json:"answered"`
}

func (a *API) createListener(ctx context.Context, r *Request) (*Reply, error) {
	body, err := decode[ListenerBody](r)
	if err != nil {
		return nil, err
	}
	c, err := a.checkEndpoint(ctx, r.Env, EndpointBody{
		Description: body.Description, EventTypes: body.EventTypes, PayloadFormat: body.PayloadFormat, Timeout: body.Timeout,
	})
	if err != nil {
		return nil, err
	}
	id := busbar.NewEndpointID()
	e := busbar.Endpoint{ID: id, Environment: r.Env, URL: busbar.ListenerURL(id), CreatedAt: c.now, UpdatedAt: c.now}
	if err := c.apply(&e, true); err != nil {
		return nil, err
	}
	return a.create(ctx, r, http.StatusCreated, func(tx *store.Tx) (any, error) {
		keys, err := newSigningKeys(e.Signing, c.now)
		if err != nil {
			return nil, err
		}
		if err := tx.CreateEndpoint(&e, keys); err != nil {
			return nil, err
		}
		err = tx.CreateListener(busbar.Listener{
			EndpointID: id, Environment: r.Env, APIKeyID: r.Key.ID, CreatedAt: c.now, SeenAt: c.now,
		})
		return CreatedEndpoint{a.viewEndpoint(&e, keys), viewSecrets(keys).Secret}, err
	})
}

// listener is that of the path, if the request's key made it.
func (a *API) listener(ctx context.Context, r *Request) (busbar.Listener, error) {
	id, err := r.id("listener")
	if err != nil {
		return busbar.Listener{}, err
	}
	return a.Store.Listener(ctx, r.Key, busbar.EndpointID(id))
}

func (a *API) fetchListener(ctx context.Context, r *Request) (*Reply, error) {
	fetch, err := fetchOf(r)
	if err != nil {
		return nil, err
	}
	resumed := r.Query.Get("resumed")
	if resumed != "" && resumed != "true" && resumed != "false" {
		return nil, busbar.Invalid("resumed", "enum", "must be true or false")
	}
	l, err := a.listener(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := r.Extend(fetch.Wait + resumeTime); err != nil {
		return nil, err
	}
	if resumed == "true" {
		if err := a.Listeners.Resume(ctx, l); err != nil {
			// They follow by schedule. The program is better served with what there is now.
			a.Logger.WarnContext(ctx, "resume listener", "endpoint_id", l.EndpointID, "error", err)
		}
	}
	found, err := a.Listeners.Fetch(ctx, l, fetch)
	if err != nil {
		return nil, err
	}
	now := a.Now()
	answer := ListenerRequests{Requests: make([]ListenerRequest, len(found))}
	for i, f := range found {
		answer.Requests[i] = ListenerRequest{
			ID: f.ID, DeliveryID: f.DeliveryID, EventID: f.EventID, EventType: f.EventType, Attempt: f.Attempt, Headers: f.Header,
			Body: base64.StdEncoding.EncodeToString(f.Body), TimeoutMs: max(f.ExpiresAt.Sub(now).Milliseconds(), 0),
		}
	}
	return &Reply{http.StatusOK, answer}, nil
}

func fetchOf(r *Request) (listener.FetchRequest, error) {
	fetch := listener.FetchRequest{Wait: defaultFetchWait, Limit: maxHolding}
	if text := r.Query.Get("wait"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			return fetch, busbar.Invalid("wait", "format", "must be a Go duration, as 20s")
		}
		if d < 0 || d > maxFetchWait {
			return fetch, busbar.Invalid("wait", "out_of_range", "must be from 0s to %s", maxFetchWait)
		}
		fetch.Wait = d
	}
	if text := r.Query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxHolding {
			return fetch, busbar.Invalid("limit", "out_of_range", "must be a whole number from 1 to %d", maxHolding)
		}
		fetch.Limit = n
	}
	if text := r.Query.Get("holding"); text != "" {
		fetch.Holding = strings.Split(text, ",")
	}
	if len(fetch.Holding) > maxHolding {
		return fetch, busbar.Invalid("holding", "too_many", "must be at most %d", maxHolding)
	}
	if slices.ContainsFunc(fetch.Holding, func(id string) bool { return !busbar.ValidID(id) }) {
		return fetch, busbar.Invalid("holding", "format", "must be ids of requests, separated by commas")
	}
	return fetch, nil
}

func (a *API) answerListener(ctx context.Context, r *Request) (*Reply, error) {
	body, err := decode[AnswerBody](r)
	if err != nil {
		return nil, err
	}
	answer, err := answerOf(body)
	if err != nil {
		return nil, err
	}
	l, err := a.listener(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := a.Listeners.Answer(ctx, l, answer); err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, Answered{answer.RequestID, true}}, nil
}

func answerOf(body AnswerBody) (listener.Answer, error) {
	answer := listener.Answer{RequestID: body.RequestID.Value}
	if !busbar.ValidID(answer.RequestID) {
		return answer, busbar.Invalid("requestId", "required", "must be the id of a request")
	}
	if body.StatusCode.Has() == body.Error.Has() {
		return answer, busbar.Invalid("statusCode", "required", "exactly one of statusCode and error must be given")
	}
	if body.Error.Has() {
		answer.Class, answer.Reason = webhook.ErrorClass(body.Error.Value.Class), body.Error.Value.Message
		if !slices.Contains(listener.Classes(), answer.Class) {
			return answer, busbar.Invalid("error.class", "enum", "is none of connect, timeout, body_timeout, dns, tls, protocol")
		}
		if answer.Reason == "" {
			return answer, busbar.Invalid("error.message", "required", "is missing")
		}
		return answer, checkText("error.message", answer.Reason, maxReason)
	}
	if answer.StatusCode = body.StatusCode.Value; answer.StatusCode < 100 || answer.StatusCode > 999 {
		return answer, busbar.Invalid("statusCode", "out_of_range", "must be from 100 to 999")
	}
	answer.Header = make(http.Header, len(body.Headers.Value))
	for name, values := range body.Headers.Value {
		if !httpguts.ValidHeaderFieldName(name) {
			return answer, busbar.Invalid(strictjson.Join("headers", name), "format", "is not the name of a header")
		}
		for _, value := range values {
			answer.Header.Add(name, value)
		}
	}
	var err error
	if answer.Body, err = base64.StdEncoding.DecodeString(body.Body.Value); err != nil {
		return answer, busbar.Invalid("body", "format", "must be base64")
	}
	return answer, nil
}

func (a *API) deleteListener(ctx context.Context, r *Request) (*Reply, error) {
	l, err := a.listener(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := a.Store.DeleteEndpoint(ctx, r.Env, l.EndpointID); err != nil {
		return nil, err
	}
	return &Reply{http.StatusOK, Deleted{string(l.EndpointID), true}}, nil
}
