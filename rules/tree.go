package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"busbar"
)

// maxTreeDepth is how deep the lists and objects of a rule may nest.
const maxTreeDepth = 32

// ParseJSON reads a rule from JSON that was checked to be such. What is wrong with it is a VALIDATION_FAILED or an
// UNKNOWN_FIELD; its expressions are not looked at.
func ParseJSON(text []byte) (*Rule, error) {
	if len(text) > MaxRuleBytes {
		return nil, tooLong(len(text))
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	var tree any
	if err := dec.Decode(&tree); err != nil {
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return nil, busbar.Errorf(busbar.CodeInvalidJSON, "the %s is too large", e.Value)
		}
		return nil, busbar.Errorf(busbar.CodeInvalidJSON, "this is not JSON: %s", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, busbar.Errorf(busbar.CodeInvalidJSON, "there is something after the end of the JSON value")
	}
	return decodeRule(tree)
}

// ParseYAML reads a rule from one YAML document.
func ParseYAML(text []byte) (*Rule, error) {
	tree, err := yamlTree(text)
	if err != nil {
		return nil, err
	}
	return decodeRule(tree)
}

// ParseFragment reads YAML that is a part of a rule: lists, objects, texts, numbers, booleans and nil. Empty text is nil.
func ParseFragment(text []byte) (any, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil
	}
	return yamlTree(text)
}

func tooLong(n int) error {
	return busbar.Errorf(busbar.CodeValidationFailed, "the rule has %d bytes, and at most %d are taken", n, MaxRuleBytes)
}

// yamlTree reads YAML as JSON would be read: nothing but lists, objects with texts for keys, texts, numbers, booleans
// and null. Aliases are refused, since a few lines of them can stand for gigabytes.
func yamlTree(text []byte) (any, error) {
	switch {
	case len(text) > MaxRuleBytes:
		return nil, tooLong(len(text))
	case !utf8.Valid(text):
		return nil, notYAML("it is not valid UTF-8")
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, notYAML("the document is empty")
		}
		return nil, notYAML("%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, notYAML("there is more than one document; a file holds one rule")
	}
	return fromNode(doc.Content[0], 0)
}

func notYAML(format string, args ...any) error {
	return busbar.Errorf(busbar.CodeValidationFailed, "this is not YAML that a rule can be read from: %s", fmt.Sprintf(format, args...))
}

func fromNode(n *yaml.Node, depth int) (any, error) {
	if depth > maxTreeDepth {
		return nil, notYAML("line %d: it nests deeper than %d", n.Line, maxTreeDepth)
	}
	switch n.Kind {
	case yaml.MappingNode:
		return fromMapping(n, depth)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			v, err := fromNode(item, depth+1)
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return list, nil
	case yaml.ScalarNode:
		return fromScalar(n)
	case yaml.AliasNode:
		return nil, notYAML("line %d: aliases are not taken; write it out", n.Line)
	case yaml.DocumentNode:
	}
	return nil, notYAML("line %d: this is no value", n.Line)
}

func fromMapping(n *yaml.Node, depth int) (any, error) {
	object := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			return nil, notYAML("line %d: a key must be a text", key.Line)
		}
		if _, twice := object[key.Value]; twice {
			return nil, notYAML("line %d: the key %q is there twice", key.Line, key.Value)
		}
		v, err := fromNode(n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		object[key.Value] = v
	}
	return object, nil
}

func fromScalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true"), nil
	case "!!int", "!!float":
		var f float64
		if err := n.Decode(&f); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, notYAML("line %d: %q is no number", n.Line, n.Value)
		}
		return f, nil
	case "!!str", "!!timestamp":
		return n.Value, nil
	default:
		return nil, notYAML("line %d: values of the type %s are not taken", n.Line, n.Tag)
	}
}

// formatNumber writes a number of a rule as its expression. There is one zero only: YAML reads -0 as a whole number.
func formatNumber(f float64) string {
	if f == 0 {
		return "0"
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}
