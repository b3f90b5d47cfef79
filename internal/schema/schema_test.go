package schema_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"busbar"
	"busbar/internal/schema"
)

func compile(t *testing.T, text string) *schema.Schema {
	t.Helper()
	s, err := schema.Compile("schema", []byte(text))
	if err != nil {
		t.Fatalf("compile %s: %v", text, err)
	}
	return s
}

func TestCheckNamesThePlace(t *testing.T) {
	t.Parallel()
	s := compile(t, `{"type":"object","required":["state","b c"],"additionalProperties":false,"properties":{
		"b c":{},"when":{"type":"string","format":"date-time"},"tags":{"type":"array","items":{"type":"string"},"maxItems":3},
		"kind":{"enum":["a","b"]},"either":{"anyOf":[{"type":"string"},{"type":"integer"}]},"never":false,
		"state":{"type":"object","properties":{"level":{"$ref":"#/$defs/percent"},"id":{"type":"string","pattern":"^[a-z]+$"}}}},
		"$defs":{"percent":{"type":"number","minimum":0,"maximum":100}}}`)
	for name, tc := range map[string]struct {
		document string
		want     []string // path and code
	}{
		"fits":             {`{"state":{"level":5,"id":"x"},"b c":1,"when":"2026-06-01T10:30:00Z","tags":["a"],"kind":"a","either":1}`, nil},
		"missing":          {`{}`, []string{`data.state required`, `data["b c"] required`}},
		"nested":           {`{"b c":1,"state":{"level":101,"id":"A"}}`, []string{"data.state.id pattern", "data.state.level maximum"}},
		"type":             {`{"b c":1,"state":{"level":"full"}}`, []string{"data.state.level type"}},
		"item":             {`{"b c":1,"state":{},"tags":["a",2]}`, []string{"data.tags[1] type"}},
		"too many":         {`{"b c":1,"state":{},"tags":["a","b","c","d"]}`, []string{"data.tags maxItems"}},
		"extra":            {`{"b c":1,"state":{},"extra":1}`, []string{"data.extra additionalProperties"}},
		"enum":             {`{"b c":1,"state":{},"kind":"c"}`, []string{"data.kind enum"}},
		"alternatives":     {`{"b c":1,"state":{},"either":true}`, []string{"data.either anyOf"}},
		"format":           {`{"b c":1,"state":{},"when":"yesterday"}`, []string{"data.when format"}},
		"false":            {`{"b c":1,"state":{},"never":1}`, []string{"data.never not_allowed"}},
		"not an object":    {`[]`, []string{"data type"}},
		"not JSON":         {`{`, []string{"data invalid"}},
		"several problems": {`{"b c":1,"state":{"level":-1},"kind":1,"tags":[1,2]}`, []string{"data.kind enum", "data.state.level minimum", "data.tags[0] type", "data.tags[1] type"}},
	} {
		var got []string
		for _, p := range s.Check("data", []byte(tc.document)) {
			if p.Message == "" {
				t.Errorf("%s: %s has no message", name, p.Path)
			}
			got = append(got, p.Path+" "+p.Code)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestCheckBoundsItsAnswer(t *testing.T) {
	t.Parallel()
	s := compile(t, `{"items":{"type":"string","enum":["a"]}}`)
	long := `"` + strings.Repeat("x", 100_000) + `"`
	got := s.Check("data", []byte("["+strings.Repeat("1,", 1000)+long+"]"))
	if len(got) != 20 {
		t.Errorf("%d problems are listed", len(got))
	}
	for _, p := range s.Check("data", []byte("["+long+"]")) {
		if len(p.Message) > 1000 {
			t.Errorf("a message has %d bytes", len(p.Message))
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	t.Parallel()
	doubling := `{"$defs":{`
	for i := range 30 {
		doubling += fmt.Sprintf(`"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	doubling += `"d30":{}},"$ref":"#/$defs/d0"}`
	for name, tc := range map[string]struct{ schema, path, code string }{
		"not JSON":        {`{`, "schema", "invalid"},
		"not an object":   {`true`, "schema", "type"},
		"wrong keyword":   {`{"properties":{"a":{"type":"nothing"}}}`, "schema.properties.a.type", ""},
		"wrong bound":     {`{"properties":{"a":{"minimum":"1"}}}`, "schema.properties.a.minimum", ""},
		"remote":          {`{"$ref":"https://example.com/schema.json"}`, "schema.$ref", "not_found"},
		"file":            {`{"properties":{"a":{"$ref":"file:///etc/passwd"}}}`, "schema.properties.a.$ref", "not_found"},
		"nowhere":         {`{"$ref":"#/$defs/none"}`, "schema.$ref", "not_found"},
		"circle":          {`{"$defs":{"a":{"properties":{"b":{"$ref":"#/$defs/a"}}}},"$ref":"#/$defs/a"}`, "schema.$ref.properties.b.$ref", "circular"},
		"root circle":     {`{"properties":{"a":{"$ref":"#"}}}`, "schema.properties.a.$ref.properties.a.$ref", "circular"},
		"doubling":        {doubling, "schema", "too_large"},
		"anchor":          {`{"$defs":{"a":{}},"properties":{"a":{"$anchor":"x"}}}`, "schema.properties.a.$anchor", "unsupported"},
		"inner id":        {`{"properties":{"a":{"$id":"https://example.com/"}}}`, "schema.properties.a.$id", "unsupported"},
		"other draft":     {`{"$schema":"http://json-schema.org/draft-04/schema#"}`, "schema.$schema", "unsupported"},
		"remote draft":    {`{"$schema":"https://example.com/draft"}`, "schema.$schema", "unsupported"},
		"look-ahead":      {`{"pattern":"(?=a)"}`, "schema.pattern", ""},
		"repeated":        {`{"pattern":"(a{100}){100}"}`, "", ""},
		"repeated within": {`{"patternProperties":{"a{1000}b{1000}c{1000}d{1000}":{}}}`, "", ""},
		"wide classes":    {`{"pattern":"\\pL{500}"}`, "", ""},
	} {
		_, err := schema.Compile("schema", []byte(tc.schema))
		var e *busbar.Error
		if !errors.As(err, &e) || e.Code != busbar.CodeValidationFailed || len(e.Fields) == 0 {
			t.Errorf("%s: got %v, want VALIDATION_FAILED with a place", name, err)
			continue
		}
		f := e.Fields[0]
		if tc.path != "" && f.Path != tc.path || tc.code != "" && f.Code != tc.code {
			t.Errorf("%s: got %s %s (%s), want %s %s", name, f.Path, f.Code, f.Message, tc.path, tc.code)
		}
	}
}

func TestCompileTakesTheSupportedDrafts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{}`,
		`{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://example.com/a","prefixItems":[{"type":"string"}]}`,
		`{"$schema":"https://json-schema.org/draft/2019-09/schema","dependentSchemas":{"a":{"required":["b"]}}}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"a":{"type":"string"}},"properties":{"x":{"$ref":"#/definitions/a"}}}`,
		`{"properties":{"$ref":{"type":"string"},"$anchor":{"const":{"$ref":"x"}}}}`,
	} {
		compile(t, text)
	}
}

func TestBuiltInExamplesFitTheirSchemas(t *testing.T) {
	t.Parallel()
	for _, builtIn := range busbar.BuiltInTypes() {
		s := compile(t, string(builtIn.Schema))
		if got := s.Check("data", builtIn.Example); len(got) != 0 {
			t.Errorf("example of %s: %v", builtIn.Name, got)
		}
		if got := s.Check("data", []byte(`[]`)); len(got) == 0 {
			t.Errorf("%s takes an array", builtIn.Name)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(`{"properties":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":{"pattern":"^a"}}}`, `{"a":1}`)
	f.Add(`{"allOf":[{"if":{},"then":false}]}`, `[1,{"b":null}]`)
	f.Fuzz(func(t *testing.T, text, document string) {
		s, err := schema.Compile("schema", []byte(text))
		if err != nil {
			if busbar.CodeOf(err) != busbar.CodeValidationFailed {
				t.Fatalf("compile %q: %v", text, err)
			}
			return
		}
		if !json.Valid([]byte(document)) || strings.ContainsAny(document, "eE") {
			return // numbers are bounded before they come here
		}
		for _, p := range s.Check("data", []byte(document)) {
			if !strings.HasPrefix(p.Path, "data") || p.Message == "" {
				t.Fatalf("problem %+v", p)
			}
		}
	})
}
