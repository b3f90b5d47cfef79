package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"strconv"
	"time"

	"busbar"
)

// Meta is about the request itself.
type Meta struct {
	RequestID string `json:"requestId" doc:"The request's id, also in the X-Request-Id header." example:"req_01980f3ae2b57c3f8d1c5b0a9e7f6d21"`
	// Environment is empty until a key was accepted.
	Environment *busbar.Environment `json:"environment" doc:"The environment of the API key; null without a valid key." enum:"sandbox,live"`
	Timestamp   Time                `json:"timestamp"`
	LatencyMs   float64             `json:"latencyMs" example:"1.25"`
}

// Failure is an error as clients see it.
type Failure struct {
	Code    busbar.Code    `json:"code" doc:"Branch on this."`
	Message string         `json:"message" doc:"For people; it may change."`
	Details map[string]any `json:"details,omitempty" doc:"Further facts; fields: [{path, code, message}] names what is wrong in the request."`
}

type success struct {
	Success bool `json:"success"`
	Data    any  `json:"data"`
	Meta    Meta `json:"meta"`
}

type failure struct {
	Success bool    `json:"success"`
	Error   Failure `json:"error"`
	Meta    Meta    `json:"meta"`
}

func (a *API) meta(call Call, env busbar.Environment) Meta {
	now := a.Now()
	m := Meta{
		RequestID: call.ID, Timestamp: Time(now),
		LatencyMs: math.Round(float64(now.Sub(call.Began).Microseconds())) / 1000,
	}
	if env != "" {
		m.Environment = &env
	}
	return m
}

func (a *API) succeed(ctx context.Context, w http.ResponseWriter, call Call, env busbar.Environment, reply *Reply) error {
	if text, ok := reply.Data.(Text); ok {
		a.send(ctx, w, reply.Status, text)
		return nil
	}
	body, err := json.Marshal(success{true, reply.Data, a.meta(call, env)})
	if err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	a.write(ctx, w, reply.Status, body)
	return nil
}

// Fail answers with an error. One that is not a busbar.Error is shown as INTERNAL_ERROR and logged; env is empty when
// no key was accepted.
func (a *API) Fail(ctx context.Context, w http.ResponseWriter, call Call, env busbar.Environment, err error) {
	known := a.known(ctx, call, err)
	if known.RetryAfter > 0 {
		seconds := int((known.RetryAfter + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
	}
	status := Status(known.Code)
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	body, err := json.Marshal(failure{false, render(known), a.meta(call, env)})
	if err != nil {
		a.Logger.ErrorContext(ctx, "write error answer", slog.String("request_id", call.ID), slog.Any("error", err))
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	a.write(ctx, w, status, body)
}

// known finds what of an error a client may see, and logs what it may not.
func (a *API) known(ctx context.Context, call Call, err error) *busbar.Error {
	var known *busbar.Error
	if errors.As(err, &known) && known.Code != busbar.CodeInternal {
		if known.Code == busbar.CodeUnavailable {
			a.Logger.WarnContext(ctx, "request not served", slog.String("request_id", call.ID), slog.Any("error", err))
		}
		return known
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		// Nobody reads the answer.
		return busbar.Unavailable(time.Second, err, "the request was given up")
	}
	a.Logger.ErrorContext(ctx, "request failed", slog.String("request_id", call.ID), slog.Any("error", err))
	return busbar.Errorf(busbar.CodeInternal, "something went wrong on our side; the request id %s finds it in the log", call.ID)
}

func render(e *busbar.Error) Failure {
	f := Failure{Code: e.Code, Message: e.Message}
	if len(e.Details)+len(e.Fields) == 0 {
		return f
	}
	f.Details = make(map[string]any, len(e.Details)+1)
	maps.Copy(f.Details, e.Details)
	if len(e.Fields) > 0 {
		f.Details["fields"] = e.Fields
	}
	return f
}

// write sends JSON.
func (a *API) write(ctx context.Context, w http.ResponseWriter, status int, body []byte) {
	a.send(ctx, w, status, Text{"application/json", body})
}

func (a *API) send(ctx context.Context, w http.ResponseWriter, status int, text Text) {
	w.Header().Set("Content-Type", text.MediaType+"; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text.Body)))
	w.WriteHeader(status)
	if _, err := w.Write(text.Body); err != nil {
		// The client is gone, and knows.
		a.Logger.DebugContext(ctx, "write answer", slog.Any("error", err))
	}
}
