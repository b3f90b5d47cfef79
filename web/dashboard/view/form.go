package view

import (
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"busbar"
	"busbar/rules"
)

// Form is what a person filled in, and what is wrong with it.
type Form struct {
	Values url.Values
	// Errors are sentences by the field's name; the empty name is the form itself.
	Errors map[string]string
	// Once makes sending it twice do it once.
	Once string
}

// Get is one value.
func (f Form) Get(name string) string { return f.Values.Get(name) }

// Has reports whether a value is among those of a field.
func (f Form) Has(name, value string) bool {
	return slices.Contains(f.Values[name], value)
}

// Refuse keeps what an error says of each field. Paths below a field, as eventTypes[2], count for the field; fields that the
// form does not have count for the form.
func Refuse(f *Form, err *busbar.Error, fields ...string) {
	if f.Errors == nil {
		f.Errors = make(map[string]string)
	}
	known := make(map[string]bool, len(fields))
	for _, name := range fields {
		known[name] = true
	}
	for _, e := range err.Fields {
		name, rest := e.Path, ""
		if i := strings.IndexAny(name, ".[("); i >= 0 {
			name, rest = name[:i], name[i:]
		}
		text := Sentence(e.Message)
		if !known[name] {
			name, text = "", e.Path+" "+e.Message
		} else if rest != "" {
			text = strings.TrimPrefix(rest, ".") + " " + e.Message
		}
		if f.Errors[name] == "" {
			f.Errors[name] = text
		}
	}
	if diagnosed(f, err, known) {
		return
	}
	if len(err.Fields) == 0 {
		f.Errors[""] = Sentence(err.Message)
	}
}

// mostDiagnostics is how many are shown beside one field.
const mostDiagnostics = 3

// diagnosed keeps what is wrong with expressions, with the words that each diagnostic is about; false when there is none.
func diagnosed(f *Form, err *busbar.Error, known map[string]bool) bool {
	list, ok := err.Details["diagnostics"].([]rules.Diagnostic)
	if !ok || len(list) == 0 {
		return false
	}
	texts := make(map[string][]string)
	for i := range list {
		d := &list[i]
		text := Sentence(d.Message)
		if words := excerpt(f.Get(d.Field), d.From, d.To); words != "" {
			text = "At “" + words + "”: " + d.Message
		}
		name := d.Field
		if !known[name] {
			name, text = "", d.Field+": "+d.Message
		}
		if len(texts[name]) < mostDiagnostics {
			texts[name] = append(texts[name], text)
		}
	}
	for name, t := range texts {
		f.Errors[name] = strings.Join(t, "\n")
	}
	return true
}

// excerpt is a part of a text, by its characters. The API was given the text without the white space around it.
func excerpt(text string, from, to int) string {
	r := []rune(strings.TrimSpace(text))
	if from < 0 || to > len(r) || from >= to {
		return ""
	}
	return Short(string(r[from:to]), 40)
}

// Sentence begins with a capital letter.
func Sentence(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// option is one choice of a field.
type option struct{ value, label string }

// described ties a field to its hint and its error, for those who hear the page.
func described(f Form, name, hint string) templ.Attributes {
	var ids []string
	if hint != "" {
		ids = append(ids, name+"-hint")
	}
	attrs := templ.Attributes{}
	if f.Errors[name] != "" {
		ids = append(ids, name+"-error")
		attrs["aria-invalid"] = "true"
	}
	if len(ids) > 0 {
		attrs["aria-describedby"] = strings.Join(ids, " ")
	}
	return attrs
}

// without hides a value: a password is never sent back.
func (f Form) without(name string) Form {
	values := make(url.Values, len(f.Values))
	for key, v := range f.Values {
		if key != name {
			values[key] = v
		}
	}
	f.Values = values
	return f
}
