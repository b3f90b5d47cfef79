// Package schema compiles JSON Schemas and says precisely where a document does not fit one.
package schema

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"busbar"
)

// location names the schema inside the compiler. Nothing is ever loaded from it.
const location = "urn:schema"

const (
	// maxPatterns and maxPatternSize (in instructions of the compiled expression) bound what regular expressions cost:
	// twelve characters such as `(x{100}){10}` can stand for a thousand steps.
	maxPatterns    = 100
	maxPatternSize = 4000
	// maxPatternRanges bounds character classes, of which `\pL` alone has 600 ranges.
	maxPatternRanges = 100_000
)

// Schema is a compiled JSON Schema. It is safe for concurrent use.
type Schema struct{ compiled *jsonschema.Schema }

// Compile reads a JSON Schema of draft 7, 2019-09 or 2020-12 (the default); formats are asserted. It fails with
// VALIDATION_FAILED and the place inside the schema, named from path on, when the schema is not valid, refers to anything outside of itself or to
// itself in a circle, costs too much to check (see maxNodes), or has a pattern that RE2 does not know.
func Compile(path string, raw []byte) (*Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, busbar.Invalid(path, "invalid", "is not JSON")
	}
	root, ok := doc.(map[string]any)
	if !ok {
		return nil, busbar.Invalid(path, "type", "must be an object")
	}
	if problem := bound(path, root); problem != nil {
		return nil, problem
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(refuse{})
	c.UseRegexpEngine(boundedRegexps())
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource(location, doc); err != nil {
		return nil, busbar.Invalid(path, "invalid", "%v", err)
	}
	compiled, err := c.Compile(location)
	if err != nil {
		return nil, explain(path, doc, err)
	}
	return &Schema{compiled}, nil
}

// explain turns a compiler's error into ours.
func explain(path string, doc any, err error) error {
	var invalid *jsonschema.SchemaValidationError
	var mismatch *jsonschema.ValidationError
	if errors.As(err, &invalid) && errors.As(invalid.Err, &mismatch) {
		return busbar.InvalidFields(problems(path, doc, mismatch))
	}
	if pattern, ok := errors.AsType[*jsonschema.InvalidRegexError](err); ok {
		return busbar.Invalid(path, "pattern", "the pattern %q cannot be used: %v", pattern.Regex, pattern.Err)
	}
	return busbar.Invalid(path, "invalid", "is not a JSON Schema that can be used: %v", err)
}

// refuse loads nothing.
type refuse struct{}

// Load refuses.
func (refuse) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s: a schema cannot refer to another document", url)
}

// boundedRegexps compiles the patterns of one schema.
func boundedRegexps() jsonschema.RegexpEngine {
	count := 0
	return func(pattern string) (jsonschema.Regexp, error) {
		if count++; count > 2*maxPatterns { // each is compiled once to check the schema and once to use it
			return nil, fmt.Errorf("a schema has at most %d patterns", maxPatterns)
		}
		parsed, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			return nil, fmt.Errorf("not a regular expression of RE2: %w", err)
		}
		program, err := syntax.Compile(parsed.Simplify())
		if err != nil {
			return nil, fmt.Errorf("not a regular expression of RE2: %w", err)
		}
		ranges := 0
		for i := range program.Inst {
			ranges += len(program.Inst[i].Rune)
		}
		if len(program.Inst) > maxPatternSize || ranges > maxPatternRanges {
			return nil, errors.New("it repeats too much")
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, fmt.Errorf("not a regular expression of RE2: %w", err)
		}
		return expression{re}, nil
	}
}

type expression struct{ *regexp.Regexp }

// Check says what of a JSON document does not fit, at most maxProblems places, each path beginning with path.
func (s *Schema) Check(path string, document []byte) []busbar.FieldError {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return []busbar.FieldError{{Path: path, Code: "invalid", Message: "is not JSON"}}
	}
	err = s.compiled.Validate(doc)
	if err == nil {
		return nil
	}
	var mismatch *jsonschema.ValidationError
	if !errors.As(err, &mismatch) {
		return []busbar.FieldError{{Path: path, Code: "invalid", Message: err.Error()}}
	}
	return problems(path, doc, mismatch)
}
