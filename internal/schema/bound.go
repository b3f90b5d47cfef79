package schema

import (
	"slices"
	"strconv"
	"strings"

	"busbar"
)

// maxNodes is how many schemas a schema may be made of, a schema that is referred to counted at each reference. The
// time of a check is at most this times the number of values in the document; without the bound, twenty definitions that
// each refer twice to the next would take a million steps for one value.
const maxNodes = 1000

// Keywords of the supported drafts that hold schemas, by the form in which they do. What is in no list holds none.
var (
	holdsOne  = []string{"additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"}
	holdsList = []string{"allOf", "anyOf", "items", "oneOf", "prefixItems"}
	holdsMap  = []string{"dependencies", "dependentSchemas", "patternProperties", "properties"}
	refused   = []string{"$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef"}
)

// bound says why a schema cannot be used: it is too big when references are followed, or they make a circle.
func bound(path string, root map[string]any) *busbar.Error {
	switch draft, _ := root["$schema"].(string); strings.TrimSuffix(draft, "#") {
	case "", "https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2019-09/schema",
		"http://json-schema.org/draft-07/schema":
	default:
		return busbar.Invalid(path+".$schema", "unsupported", "must be draft 2020-12, 2019-09 or 7")
	}
	w := &walk{root: root, path: path}
	w.schema("", root)
	return w.problem
}

// walk counts schemas, following references.
type walk struct {
	root    map[string]any
	path    string
	nodes   int
	open    []string // references being followed
	problem *busbar.Error
}

func (w *walk) refuse(at, code, format string, args ...any) {
	if w.problem == nil {
		w.problem = busbar.Invalid(w.path+at, code, format, args...)
	}
}

func (w *walk) schema(at string, value any) {
	s, ok := value.(map[string]any)
	if !ok || w.problem != nil {
		return // true, false, or nothing that the compiler takes
	}
	if w.nodes++; w.nodes > maxNodes {
		w.refuse("", "too_large", "is made of more than %d schemas when its references are followed", maxNodes)
		return
	}
	for _, keyword := range refused {
		if _, ok := s[keyword]; ok {
			w.refuse(at+"."+keyword, "unsupported", "is not supported; refer with $ref and a JSON pointer, as #/$defs/name")
		}
	}
	if _, ok := s["$id"]; ok && at != "" {
		w.refuse(at+".$id", "unsupported", "is supported at the top only")
	}
	if ref, ok := s["$ref"].(string); ok {
		w.reference(at+".$ref", ref)
	}
	for _, keyword := range holdsOne {
		w.schema(at+"."+keyword, s[keyword])
	}
	for _, keyword := range holdsList {
		list, _ := s[keyword].([]any)
		for i, item := range list {
			w.schema(at+"."+keyword+"["+strconv.Itoa(i)+"]", item)
		}
	}
	for _, keyword := range holdsMap {
		members, _ := s[keyword].(map[string]any)
		for name, member := range members {
			w.schema(at+"."+keyword+"."+name, member)
		}
	}
}

func (w *walk) reference(at, ref string) {
	if slices.Contains(w.open, ref) {
		w.refuse(at, "circular", "%s refers to itself, which is not supported", ref)
		return
	}
	target, ok := w.find(ref)
	if !ok {
		w.refuse(at, "not_found", "must be a JSON pointer to a schema in this document, as #/$defs/name")
		return
	}
	w.open = append(w.open, ref)
	w.schema(at, target)
	w.open = w.open[:len(w.open)-1]
}

// find follows a JSON pointer. Percent-encoding, which pointers in references may have, is refused by not being found.
func (w *walk) find(ref string) (any, bool) {
	if ref == "#" {
		return w.root, true
	}
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok || strings.Contains(pointer, "%") {
		return nil, false
	}
	var at any = w.root
	for token := range strings.SplitSeq(pointer, "/") {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		switch v := at.(type) {
		case map[string]any:
			if at, ok = v[token]; !ok {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			at = v[i]
		default:
			return nil, false
		}
	}
	return at, true
}
