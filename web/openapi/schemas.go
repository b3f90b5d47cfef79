package openapi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"busbar/web/api"
)

// schemas makes schemas of Go types and keeps those of structs as components.
type schemas map[string]*Schema

// optional is a field that may be absent or null.
type optional interface{ Elem() reflect.Type }

// of is the schema of a type. Bodies are strict: they take no fields but their own.
func (s schemas) of(t reflect.Type, strict bool) *Schema {
	switch t {
	case reflect.TypeFor[api.Time]():
		return &Schema{Type: "string", Format: "date-time", Examples: []any{"2026-06-01T10:30:00.000Z"}}
	case reflect.TypeFor[json.RawMessage]():
		return &Schema{}
	}
	if o, ok := reflect.TypeAssert[optional](reflect.Zero(t)); ok && t.Kind() == reflect.Struct {
		return nullable(s.of(o.Elem(), strict))
	}
	switch t.Kind() {
	case reflect.String:
		return &Schema{Type: "string"}
	case reflect.Bool:
		return &Schema{Type: "boolean"}
	case reflect.Int, reflect.Int64:
		return &Schema{Type: "integer"}
	case reflect.Float64:
		return &Schema{Type: "number"}
	case reflect.Pointer:
		return nullable(s.of(t.Elem(), strict))
	case reflect.Slice:
		return &Schema{Type: "array", Items: s.of(t.Elem(), strict)}
	case reflect.Map:
		return &Schema{Type: "object", Additional: s.of(t.Elem(), strict)}
	case reflect.Interface:
		return &Schema{}
	case reflect.Struct:
		name := componentName(t)
		if _, ok := s[name]; !ok {
			component := &Schema{Type: "object", Properties: map[string]*Schema{}}
			s[name] = component // before its fields, which may hold it again
			if strict {
				component.Additional = false
			}
			s.fields(component, t, strict)
		}
		return &Schema{Ref: "#/components/schemas/" + name}
	default:
		panic(fmt.Sprintf("openapi: no schema for %s", t))
	}
}

// nullable allows null where the schema itself can say so.
func nullable(s *Schema) *Schema {
	if s.Ref != "" {
		return &Schema{OneOf: []*Schema{s, {Type: "null"}}}
	}
	if kind, ok := s.Type.(string); ok {
		s.Type = []string{kind, "null"}
	}
	return s
}

func (s schemas) fields(into *Schema, t reflect.Type, strict bool) {
	for f := range t.Fields() {
		if f.Anonymous {
			s.fields(into, f.Type, strict)
			continue
		}
		if f.Tag.Get("hidden") != "" {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		into.Properties[name] = s.field(f, strict)
		required := !strict && !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero")
		if required || f.Tag.Get("required") != "" {
			into.Required = append(into.Required, name)
		}
	}
}

func (s schemas) field(f reflect.StructField, strict bool) *Schema {
	schema := s.of(f.Type, strict)
	schema.Description = f.Tag.Get("doc")
	if format := f.Tag.Get("format"); format != "" {
		schema.Format = format
	}
	if example := f.Tag.Get("example"); example != "" {
		schema.Examples = []any{parsed(example)}
	}
	if list := f.Tag.Get("enum"); list != "" {
		for value := range strings.SplitSeq(list, ",") {
			schema.Enum = append(schema.Enum, value)
		}
		if _, mayBeNull := schema.Type.([]string); mayBeNull {
			schema.Enum = append(schema.Enum, nil)
		}
	}
	return schema
}

// parsed is a number or boolean where an example is one.
func parsed(example string) any {
	var v any
	if err := json.Unmarshal([]byte(example), &v); err == nil {
		return v
	}
	return example
}

// componentName of List[busbar/web/api.Event] is EventList.
func componentName(t reflect.Type) string {
	name, inner, generic := strings.Cut(t.Name(), "[")
	if !generic {
		return name
	}
	return strings.TrimSuffix(inner[strings.LastIndex(inner, ".")+1:], "]") + name
}
