package openapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"busbar"
	"busbar/web/api"
)

const mediaJSON = "application/json"

// Build describes routes. The address is where the API is, the version that of the program.
func Build(routes []api.Route, address, version string) ([]byte, error) {
	b := &builder{schemas: schemas{}}
	doc := Document{
		OpenAPI: "3.1.0",
		Info: Info{
			Title: "Busbar", Version: version,
			Description: "Durable event automation for home energy: every event becomes signed webhooks, and none is lost. " +
				"Success is {success: true, data, meta}, failure {success: false, error: {code, message, details}, meta}.",
		},
		Security: []map[string][]string{{"apiKey": {}}, {"bearer": {}}},
		Paths:    map[string]map[string]*Operation{},
		Components: Components{Schemas: b.schemas, SecuritySchemes: map[string]SecurityScheme{
			"apiKey": {Type: "apiKey", In: "header", Name: "x-api-key", Description: "sk_test_… selects the sandbox, sk_live_… live."},
			"bearer": {Type: "http", Scheme: "bearer", Description: "The same key."},
		}},
	}
	if address != "" {
		doc.Servers = []Server{{URL: address}}
	}
	b.failure()
	for i := range routes {
		r := &routes[i]
		if doc.Paths[r.Path] == nil {
			doc.Paths[r.Path] = map[string]*Operation{}
		}
		doc.Paths[r.Path][strings.ToLower(r.Method)] = b.operation(r)
		if tag := (Tag{r.Group}); !slices.Contains(doc.Tags, tag) {
			doc.Tags = append(doc.Tags, tag)
		}
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("write OpenAPI document: %w", err)
	}
	return text, nil
}

type builder struct{ schemas schemas }

// failure makes the component that every error is.
func (b *builder) failure() {
	b.schemas["FieldError"] = b.schemas.inline(reflect.TypeFor[busbar.FieldError]())
	b.schemas["Error"] = &Schema{
		Type: "object", Required: []string{"success", "error", "meta"},
		Properties: map[string]*Schema{
			"success": {Type: "boolean", Const: false},
			"error":   b.schemas.of(reflect.TypeFor[api.Failure](), false),
			"meta":    b.schemas.of(reflect.TypeFor[api.Meta](), false),
		},
	}
	b.schemas["Failure"].Properties["details"].Properties = map[string]*Schema{
		"fields": {Type: "array", Items: &Schema{Ref: "#/components/schemas/FieldError"}},
	}
}

// inline is the schema of a struct itself, not a reference to it.
func (s schemas) inline(t reflect.Type) *Schema {
	schema := &Schema{Type: "object", Properties: map[string]*Schema{}}
	s.fields(schema, t, false)
	return schema
}

func (b *builder) operation(r *api.Route) *Operation {
	op := &Operation{
		OperationID: operationID(r), Summary: r.Summary, Tags: []string{r.Group}, Parameters: parameters(r),
		Responses: map[string]*Response{},
	}
	if r.Public {
		op.Security = &[]map[string][]string{}
		op.Responses[strconv.Itoa(r.Status)] = &Response{
			Description: "The document.", Content: map[string]MediaType{mediaJSON: {Schema: &Schema{Type: "object"}}},
		}
		return op
	}
	op.Description = "Scope: " + scopes(r.Scopes) + "."
	if r.Body != nil {
		op.RequestBody = b.body(r)
	}
	op.Responses[strconv.Itoa(r.Status)] = b.success(r)
	codes := append(api.CommonCodes(), r.Codes...)
	if r.Creates {
		codes = append(codes, busbar.CodeIdempotencyConflict)
	}
	for status, codes := range byStatus(codes) {
		op.Responses[strconv.Itoa(status)] = problem(status, codes)
	}
	return op
}

func scopes(list []busbar.Scope) string {
	texts := make([]string, len(list))
	for i, s := range list {
		texts[i] = string(s)
	}
	return strings.Join(texts, " or ")
}

// operationID of GET /v1/events/{id}/graph is getEventsIdGraph.
func operationID(r *api.Route) string {
	var id strings.Builder
	id.WriteString(strings.ToLower(r.Method))
	for _, word := range strings.FieldsFunc(strings.TrimPrefix(r.Path, "/v1/"), func(c rune) bool { return strings.ContainsRune("/{}-.", c) }) {
		id.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return id.String()
}

func parameters(r *api.Route) []Parameter {
	var list []Parameter
	for part := range strings.SplitSeq(r.Path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			list = append(list, Parameter{Name: strings.TrimSuffix(name, "}"), In: "path", Required: true, Schema: &Schema{Type: "string"}})
		}
	}
	for _, q := range r.Query {
		p := Parameter{Name: q.Name, In: "query", Description: q.Doc, Schema: &Schema{Type: "string"}}
		if q.Example != "" {
			p.Example = q.Example
		}
		list = append(list, p)
	}
	if r.Creates {
		list = append(list, Parameter{
			Name: "Idempotency-Key", In: "header", Schema: &Schema{Type: "string"},
			Description: "1 to 255 visible ASCII characters. For 24 hours the same key with the same body gives the first answer again; with another body it is IDEMPOTENCY_CONFLICT.",
		})
	}
	return list
}

func (b *builder) body(r *api.Route) *RequestBody {
	media := MediaType{Schema: b.maybeBatch(r, b.schemas.of(reflect.TypeOf(r.Body), true))}
	if r.Example != "" {
		media.Example = json.RawMessage(r.Example)
	}
	content := map[string]MediaType{mediaJSON: media}
	if r.YAML {
		content[api.MediaYAML] = yamlFile()
	}
	return &RequestBody{Required: !r.EmptyBody, Content: content}
}

// maybeBatch allows an array too where the route does.
func (b *builder) maybeBatch(r *api.Route, one *Schema) *Schema {
	if !r.Batch {
		return one
	}
	return &Schema{OneOf: []*Schema{one, {Type: "array", Items: one, MinItems: 1, MaxItems: busbar.MaxBatch}}}
}

func yamlFile() MediaType { return MediaType{Schema: &Schema{Type: "string"}} }

func (b *builder) success(r *api.Route) *Response {
	answer := &Response{
		Description: "Success.",
		Headers:     map[string]Header{"X-Request-Id": requestID()},
		Content: map[string]MediaType{mediaJSON: {Schema: &Schema{
			Type: "object", Required: []string{"success", "data", "meta"},
			Properties: map[string]*Schema{
				"success": {Type: "boolean", Const: true},
				"data":    b.maybeBatch(r, b.schemas.of(reflect.TypeOf(r.Answer), false)),
				"meta":    {Ref: "#/components/schemas/Meta"},
			},
		}}},
	}
	if r.YAML && r.Body == nil {
		answer.Content[api.MediaYAML] = yamlFile()
	}
	return answer
}

func requestID() Header {
	return Header{Description: "The request's id, as in meta.", Schema: &Schema{Type: "string"}}
}

func byStatus(codes []busbar.Code) map[int][]busbar.Code {
	grouped := map[int][]busbar.Code{}
	for _, c := range codes {
		status := api.Status(c)
		if !slices.Contains(grouped[status], c) {
			grouped[status] = append(grouped[status], c)
		}
	}
	return grouped
}

func problem(status int, codes []busbar.Code) *Response {
	texts, values := make([]string, len(codes)), make([]any, len(codes))
	for i, c := range codes {
		texts[i], values[i] = string(c), c
	}
	r := &Response{
		Description: strings.Join(texts, ", "),
		Headers:     map[string]Header{"X-Request-Id": requestID()},
		Content: map[string]MediaType{mediaJSON: {Schema: &Schema{AllOf: []*Schema{
			{Ref: "#/components/schemas/Error"},
			{Type: "object", Properties: map[string]*Schema{
				"error": {Type: "object", Properties: map[string]*Schema{"code": {Enum: values}}},
			}},
		}}}},
	}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		r.Headers["Retry-After"] = Header{Description: "Seconds to wait.", Schema: &Schema{Type: "integer"}}
	}
	return r
}
