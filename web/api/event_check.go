package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"busbar"
	"busbar/web/strictjson"
)

// EventBody is an event as a producer offers it.
type EventBody struct {
	EventID   strictjson.Optional[string]          `json:"eventId" doc:"Chosen by the producer, to offer the same event again without harm; [A-Za-z0-9_-]{1,64}." example:"evt_reading_42"`
	Type      strictjson.Optional[string]          `json:"type" doc:"A registered event type." required:"true" example:"device.updated"`
	DeviceID  strictjson.Optional[string]          `json:"deviceId" example:"dev_battery"`
	Timestamp strictjson.Optional[string]          `json:"timestamp" doc:"When it happened, RFC 3339; the time received when absent." format:"date-time" example:"2026-06-01T10:30:00.000Z"`
	Data      strictjson.Optional[json.RawMessage] `json:"data" doc:"An object that fits the schema of the type." required:"true"`
}

// earliest is the oldest time that an event may carry. Older ones come from clocks that were never set.
var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// checkEvent makes a domain event of one that a producer offers. The text went through strictjson.Check. An error that is
// not a *busbar.Error is ours, not the event's.
func (a *API) checkEvent(ctx context.Context, env busbar.Environment, text []byte) (busbar.Event, error) {
	var body EventBody
	if err := strictjson.DecodeChecked(text, &body); err != nil {
		return busbar.Event{}, err
	}
	var fields []busbar.FieldError
	wrong := func(path, code, format string, args ...any) {
		fields = append(fields, busbar.FieldError{Path: path, Code: code, Message: fmt.Sprintf(format, args...)})
	}
	e := busbar.Event{
		Environment: env, ID: busbar.EventID(body.EventID.Value), Type: body.Type.Value, DeviceID: busbar.DeviceID(body.DeviceID.Value),
	}
	if body.EventID.Has() {
		switch {
		case !busbar.ValidID(string(e.ID)):
			wrong("eventId", "format", "must have 1 to 64 of A-Z, a-z, 0-9, _ and -")
		case e.ID.Derived():
			wrong("eventId", "reserved", "has a form that only Busbar gives")
		}
	}
	if body.DeviceID.Has() && !busbar.ValidID(string(e.DeviceID)) {
		wrong("deviceId", "format", "must have 1 to 64 of A-Z, a-z, 0-9, _ and -")
	}
	if body.Timestamp.Has() {
		at, ok := busbar.ParseTime(body.Timestamp.Value)
		switch {
		case !ok:
			wrong("timestamp", "format", "must be RFC 3339 with a zone, as 2026-06-01T10:30:00.000Z")
		case at.Before(earliest):
			wrong("timestamp", "out_of_range", "must not be before %s", earliest.Format(time.DateOnly))
		}
		e.Timestamp = at
	}
	known, err := a.producible(ctx, env, body.Type, wrong)
	if err != nil {
		return busbar.Event{}, err
	}
	e.Data, err = eventData(body.Data, wrong)
	if err != nil {
		return busbar.Event{}, err
	}
	if known != nil && e.Data != nil {
		fields = append(fields, known.schema.Check("data", e.Data)...)
	}
	return e, busbar.InvalidFields(fields)
}

// producible finds the type of an event that a producer offers; nil when there is none, or none for producers.
func (a *API) producible(
	ctx context.Context, env busbar.Environment, given strictjson.Optional[string], wrong func(path, code, format string, args ...any),
) (*knownType, error) {
	name := given.Value
	switch {
	case !given.Has() || name == "":
		wrong("type", "required", "is missing")
		return nil, nil
	case busbar.Reserved(name):
		wrong("type", "reserved", "events of the type %s are made by Busbar only", shorten(name))
		return nil, nil
	}
	known, err := a.catalog.get(ctx, env, name)
	if err != nil && busbar.CodeOf(err) == busbar.CodeNotFound {
		wrong("type", "unknown", "there is no event type %q; GET /v1/event-types lists them, POST registers one", shorten(name))
		return nil, nil
	}
	return known, err
}

// eventData is the data without insignificant white space; nil when something is wrong with it.
func eventData(given strictjson.Optional[json.RawMessage], wrong func(path, code, format string, args ...any)) (json.RawMessage, error) {
	if !given.Has() {
		wrong("data", "required", "is missing")
		return nil, nil
	}
	if kind := strictjson.KindOf(given.Value); kind != "an object" {
		wrong("data", "type", "must be an object, not %s", kind)
		return nil, nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, given.Value); err != nil {
		return nil, fmt.Errorf("compact data: %w", err)
	}
	if compact.Len() > busbar.MaxEventDataBytes {
		return nil, &busbar.Error{
			Code: busbar.CodeEventTooLarge, Message: fmt.Sprintf("data has %d bytes, and at most %d are taken", compact.Len(), busbar.MaxEventDataBytes),
			Fields: []busbar.FieldError{{Path: "data", Code: "too_large", Message: fmt.Sprintf("has %d bytes", compact.Len())}},
		}
	}
	return compact.Bytes(), nil
}

// shorten keeps what a client sent out of answers when there is a lot of it.
func shorten(text string) string {
	const most = 100
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

// refusal is the error of one candidate; ok is false when the error is not about the candidate.
func refusal(err error) (e *busbar.Error, ok bool) {
	ok = errors.As(err, &e) && e.Code != busbar.CodeUnavailable && e.Code != busbar.CodeInternal
	return e, ok
}
