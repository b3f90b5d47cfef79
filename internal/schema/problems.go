package schema

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"busbar"
)

const (
	// maxProblems is how many places one answer names.
	maxProblems = 20
	// maxMessage bounds messages that repeat a value.
	maxMessage = 200
)

// problems flattens what a check found, in the order of the paths.
func problems(path string, doc any, root *jsonschema.ValidationError) []busbar.FieldError {
	f := &flattener{path: path, doc: doc, printer: message.NewPrinter(language.English)}
	f.add(root)
	sort.SliceStable(f.found, func(i, j int) bool { return f.found[i].Path < f.found[j].Path })
	return f.found[:min(len(f.found), maxProblems)]
}

type flattener struct {
	path    string
	doc     any
	printer *message.Printer
	found   []busbar.FieldError
}

func (f *flattener) add(e *jsonschema.ValidationError) {
	at := f.locate(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		for _, name := range k.Missing {
			f.note(member(at, name), "required", "is missing")
		}
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			f.note(member(at, name), "additionalProperties", "is not allowed here")
		}
	case *kind.FalseSchema:
		f.note(at, "not_allowed", "is not allowed here")
	case *kind.AnyOf, *kind.OneOf:
		// What each alternative says is of no use without knowing which one was meant.
		f.note(at, last(k.KeywordPath()), "fits %s of the allowed forms", fits(k))
	default:
		if len(e.Causes) == 0 {
			f.note(at, last(k.KeywordPath()), "%s", k.LocalizedString(f.printer))
			return
		}
		for _, cause := range e.Causes {
			f.add(cause)
		}
	}
}

func fits(k jsonschema.ErrorKind) string {
	if one, ok := k.(*kind.OneOf); ok && len(one.Subschemas) > 0 {
		return "more than one"
	}
	return "none"
}

func last(keywords []string) string {
	if len(keywords) == 0 {
		return "invalid"
	}
	return keywords[len(keywords)-1]
}

func (f *flattener) note(path, code, format string, args ...any) {
	text := []rune(fmt.Sprintf(format, args...))
	if len(text) > maxMessage {
		text = append(text[:maxMessage], '…')
	}
	f.found = append(f.found, busbar.FieldError{Path: path, Code: code, Message: string(text)})
}

// locate writes a place in the document as a path. The document tells indexes of arrays from names.
func (f *flattener) locate(tokens []string) string {
	path, at := f.path, f.doc
	for _, token := range tokens {
		switch v := at.(type) {
		case []any:
			path += "[" + token + "]"
			if i, err := strconv.Atoi(token); err == nil && i >= 0 && i < len(v) {
				at = v[i]
			}
		case map[string]any:
			path, at = member(path, token), v[token]
		default:
			path = member(path, token)
		}
	}
	return path
}

// member leads from a path to a member of the object there; names that would be misread are quoted.
func member(path, name string) string {
	if name == "" || strings.ContainsAny(name, ".[]\"\\ \t\r\n") {
		return path + "[" + strconv.Quote(name) + "]"
	}
	return path + "." + name
}
