package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"busbar"
	"busbar/internal/schema"
	"busbar/internal/store"
	"busbar/web/strictjson"
)

// EventTypeBody registers an event type.
type EventTypeBody struct {
	Name        strictjson.Optional[string]          `json:"name" doc:"Dot-separated parts of letters, digits and _." required:"true" example:"battery.full"`
	Description strictjson.Optional[string]          `json:"description"`
	Schema      strictjson.Optional[json.RawMessage] `json:"schema" doc:"A JSON Schema of at most 64 KiB: draft 2020-12, 2019-09 or 7, without references to other documents." required:"true"`
	Example     strictjson.Optional[json.RawMessage] `json:"example" doc:"Data that fits the schema; test sends use it."`
}

func (a *API) createEventType(ctx context.Context, r *Request) (*Reply, error) {
	body, err := decode[EventTypeBody](r)
	if err != nil {
		return nil, err
	}
	t := busbar.EventType{
		Environment: r.Env, Name: body.Name.Value, Description: body.Description.Value, CreatedAt: a.Now(),
	}
	_, builtIn := busbar.LookUpBuiltIn(t.Name)
	switch {
	case !body.Name.Has():
		return nil, busbar.Invalid("name", "required", "is missing")
	case !busbar.ValidTypeName(t.Name):
		return nil, busbar.Invalid("name", "format", "must be dot-separated parts of letters, digits and _, at most %d bytes", busbar.MaxEventTypeNameBytes)
	case busbar.Reserved(t.Name) && !builtIn:
		return nil, busbar.Invalid("name", "reserved", "events of such types are made by Busbar only")
	}
	if err := checkText("description", t.Description, maxDescription); err != nil {
		return nil, err
	}
	if t.Schema, err = compactField("schema", body.Schema); err != nil {
		return nil, err
	}
	if t.Schema == nil {
		return nil, busbar.Invalid("schema", "required", "is missing")
	}
	compiled, err := schema.Compile("schema", t.Schema)
	if err != nil {
		return nil, err
	}
	if t.Example, err = compactField("example", body.Example); err != nil {
		return nil, err
	}
	if t.Example != nil {
		if err := checkExample(compiled, t.Example); err != nil {
			return nil, err
		}
	}
	return a.create(ctx, r, http.StatusCreated, func(tx *store.Tx) (any, error) {
		return viewEventType(&t), tx.CreateEventType(&t)
	})
}

func checkExample(s *schema.Schema, example json.RawMessage) error {
	if kind := strictjson.KindOf(example); kind != "an object" {
		return busbar.Invalid("example", "type", "must be an object, not %s", kind)
	}
	return busbar.InvalidFields(s.Check("example", example))
}

// compactField is a value without insignificant white space, nil when there is none.
func compactField(path string, given strictjson.Optional[json.RawMessage]) (json.RawMessage, error) {
	if !given.Has() {
		return nil, nil
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, given.Value); err != nil {
		return nil, fmt.Errorf("compact %s: %w", path, err)
	}
	if compact.Len() > busbar.MaxEventTypeSchemaBytes {
		return nil, busbar.Invalid(path, "too_large", "has %d bytes, and at most %d are taken", compact.Len(), busbar.MaxEventTypeSchemaBytes)
	}
	return compact.Bytes(), nil
}
