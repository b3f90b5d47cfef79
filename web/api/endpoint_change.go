package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"regexp"
	"strings"
	"time"

	"busbar"
	"busbar/internal/webhook"
	"busbar/rules"
	"busbar/web/strictjson"
)

// EndpointBody creates or changes an endpoint. In a change, what is absent stays and null goes back to the default.
type EndpointBody struct {
	URL           strictjson.Optional[string]                                 `json:"url" doc:"https, or http in the sandbox." example:"https://example.com/hook"`
	Description   strictjson.Optional[string]                                 `json:"description"`
	EventTypes    strictjson.Optional[[]string]                               `json:"eventTypes" doc:"Names and globs, as push.*; empty is all but operational, * is all."`
	Filter        strictjson.Optional[string]                                 `json:"filter" doc:"A condition over type and data, as in rules: only events of which it is true are sent. An event that it cannot judge is sent, and the delivery says why." example:"data.state.level >= 99"`
	Headers       strictjson.Optional[map[string]strictjson.Optional[string]] `json:"headers" doc:"Sent with each delivery. Values are write-only; in a change, absent names stay and null removes one."`
	PayloadFormat strictjson.Optional[string]                                 `json:"payloadFormat" enum:"enveloped,flat"`
	RateLimit     strictjson.Optional[float64]                                `json:"rateLimit" doc:"Deliveries a second from all workers together, 0.01 to 1000; none by default." example:"10"`
	MaxInFlight   strictjson.Optional[int]                                    `json:"maxInFlight" doc:"1 to 1000, default 16."`
	Timeout       strictjson.Optional[string]                                 `json:"timeout" doc:"A Go duration from 100ms to 60s." example:"15s"`
	Signing       strictjson.Optional[string]                                 `json:"signing" enum:"hmac,ed25519,both"`
	Enabled       strictjson.Optional[bool]                                   `json:"enabled"`
}

// maxEventTypeEntries bounds what is compared with each event.
const maxEventTypeEntries = 100

// disabledByUser is the reason of an endpoint that its owner disabled.
const disabledByUser = "disabled by its owner"

// change is what a body makes of an endpoint. All of it was checked; applying it cannot fail but for headers, whose
// names add up with those that are there.
type change struct {
	body    EndpointBody
	format  busbar.PayloadFormat
	signing busbar.Signing
	timeout time.Duration
	now     time.Time
}

// checkEndpoint checks everything that a body says.
func (a *API) checkEndpoint(ctx context.Context, env busbar.Environment, body EndpointBody) (change, error) {
	c := change{body: body, now: a.Now()}
	var fields []busbar.FieldError
	note := func(err error) error {
		var e *busbar.Error
		if errors.As(err, &e) && e.Code == busbar.CodeValidationFailed {
			fields = append(fields, e.Fields...)
			return nil
		}
		return err
	}
	var err error
	if n := body.RateLimit.Or(busbar.MaxRateLimit); !(n >= busbar.MinRateLimit && n <= busbar.MaxRateLimit) { // not a number, too
		fields = append(fields, busbar.FieldError{Path: "rateLimit", Code: "out_of_range", Message: fmt.Sprintf("must be from %v to %v", busbar.MinRateLimit, busbar.MaxRateLimit)})
	}
	if err := note(checkText("description", body.Description.Value, maxDescription)); err != nil {
		return c, err
	}
	if c.format, err = busbar.ParsePayloadFormat(body.PayloadFormat.Or(string(busbar.Enveloped))); err != nil {
		fields = append(fields, busbar.FieldError{Path: "payloadFormat", Code: "enum", Message: err.Error()})
	}
	if c.signing, err = busbar.ParseSigning(body.Signing.Or(string(busbar.SigningHMAC))); err != nil {
		fields = append(fields, busbar.FieldError{Path: "signing", Code: "enum", Message: err.Error()})
	}
	if n := body.MaxInFlight.Or(busbar.DefaultMaxInFlight); n < 1 || n > busbar.MaxMaxInFlight {
		fields = append(fields, busbar.FieldError{Path: "maxInFlight", Code: "out_of_range", Message: fmt.Sprintf("must be from 1 to %d", busbar.MaxMaxInFlight)})
	}
	c.timeout, err = parseTimeout(body.Timeout)
	if err := note(err); err != nil {
		return c, err
	}
	if err := note(a.checkEventTypes(ctx, env, body.EventTypes.Value)); err != nil {
		return c, err
	}
	if err := note(checkHeaders(body.Headers.Value)); err != nil {
		return c, err
	}
	if body.URL.Has() {
		if err := note(a.checkURL(ctx, env, "url", body.URL.Value)); err != nil {
			return c, err
		}
	}
	if err := busbar.InvalidFields(fields); err != nil {
		return c, err
	}
	if body.Filter.Value != "" {
		_, err = rules.CompileFilter(body.Filter.Value)
	}
	return c, err
}

func parseTimeout(given strictjson.Optional[string]) (time.Duration, error) {
	if !given.Has() {
		return 0, nil
	}
	d, err := time.ParseDuration(given.Value)
	if err != nil {
		return 0, busbar.Invalid("timeout", "format", "must be a Go duration, as 15s")
	}
	if d < busbar.MinDeliveryTimeout || d > busbar.MaxDeliveryTimeout {
		return 0, busbar.Invalid("timeout", "out_of_range", "must be from %s to %s", busbar.MinDeliveryTimeout, busbar.MaxDeliveryTimeout)
	}
	return d, nil
}

var typePattern = regexp.MustCompile(`^[a-zA-Z0-9_.*]+$`)

func (a *API) checkEventTypes(ctx context.Context, env busbar.Environment, names []string) error {
	if len(names) > maxEventTypeEntries {
		return busbar.Invalid("eventTypes", "too_many", "must have at most %d entries", maxEventTypeEntries)
	}
	var fields []busbar.FieldError
	for i, name := range names {
		path := fmt.Sprintf("eventTypes[%d]", i)
		if !typePattern.MatchString(name) || len(name) > busbar.MaxEventTypeNameBytes {
			fields = append(fields, busbar.FieldError{Path: path, Code: "format", Message: "must be an event type or a glob, as push.*"})
			continue
		}
		if strings.Contains(name, "*") {
			continue
		}
		_, err := a.catalog.get(ctx, env, name)
		if err != nil && busbar.CodeOf(err) == busbar.CodeNotFound {
			fields = append(fields, busbar.FieldError{Path: path, Code: "unknown", Message: fmt.Sprintf("there is no event type %q", name)})
			continue
		}
		if err != nil {
			return err
		}
	}
	return busbar.InvalidFields(fields)
}

func checkHeaders(headers map[string]strictjson.Optional[string]) error {
	given := make(http.Header, len(headers))
	for name, value := range headers {
		given[name] = []string{value.Value}
	}
	var wrong *webhook.HeaderError
	if err := webhook.CheckHeaders(given); errors.As(err, &wrong) {
		return busbar.Invalid(strictjson.Join("headers", wrong.Name), "invalid", "%s", wrong.Reason)
	} else if err != nil {
		return fmt.Errorf("check headers: %w", err)
	}
	return nil
}

func (a *API) checkURL(ctx context.Context, env busbar.Environment, path, url string) error {
	err := a.Guard.CheckURL(ctx, url, env == busbar.Sandbox)
	var forbidden *webhook.ForbiddenError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &forbidden):
		return &busbar.Error{
			Code: busbar.CodeEndpointURLForbidden, Message: path + ": " + forbidden.Error(),
			Fields: []busbar.FieldError{{Path: path, Code: "forbidden", Message: forbidden.Reason}},
		}
	case errors.Is(err, webhook.ErrNotURL):
		return busbar.Invalid(path, "format", "%s", err)
	default:
		return fmt.Errorf("check URL: %w", err)
	}
}

// apply changes an endpoint. On a fresh one it fills in the defaults too.
func (c change) apply(e *busbar.Endpoint, fresh bool) error {
	b := &c.body
	if b.URL.Has() {
		e.URL = b.URL.Value
	}
	if b.Description.Given {
		e.Description = b.Description.Value
	}
	if b.EventTypes.Given {
		e.EventTypes = b.EventTypes.Value
	}
	if b.PayloadFormat.Given || fresh {
		e.PayloadFormat = c.format
	}
	if b.Filter.Given {
		e.Filter = b.Filter.Value
	}
	if b.RateLimit.Given {
		e.RateLimit = b.RateLimit.Or(0)
	}
	if b.MaxInFlight.Given || fresh {
		e.MaxInFlight = b.MaxInFlight.Or(busbar.DefaultMaxInFlight)
	}
	if b.Timeout.Given {
		e.Timeout = c.timeout
	}
	if b.Signing.Given || fresh {
		e.Signing = c.signing
	}
	if b.Enabled.Given || fresh {
		enable(e, b.Enabled.Or(true), c.now)
	}
	return c.applyHeaders(e)
}

func (c change) applyHeaders(e *busbar.Endpoint) error {
	if !c.body.Headers.Given {
		return nil
	}
	headers := make(map[string]string, len(e.Headers))
	if !c.body.Headers.Null {
		maps.Copy(headers, e.Headers)
	}
	for name, value := range c.body.Headers.Value {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		_, there := headers[canonical]
		switch {
		case value.Null:
			delete(headers, canonical)
		case value.Value != webhook.Masked:
			headers[canonical] = value.Value
		case !there: // a mask that is sent back leaves the value as it is
			return busbar.Invalid(strictjson.Join("headers", name), "masked", "is the mask of a value, and there is none")
		}
	}
	if len(headers) > busbar.MaxEndpointHeaders {
		return busbar.Invalid("headers", "too_many", "must be at most %d", busbar.MaxEndpointHeaders)
	}
	e.Headers = headers
	return nil
}

// enable turns an endpoint on or off. One that is off already keeps the reason it has.
func enable(e *busbar.Endpoint, on bool, now time.Time) {
	switch {
	case on:
		e.Enabled, e.DisabledReason, e.DisabledAt = true, "", time.Time{}
	case e.Enabled || e.DisabledAt.IsZero():
		e.Enabled, e.DisabledReason, e.DisabledAt = false, disabledByUser, now
	}
}
