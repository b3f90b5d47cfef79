package strictjson

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"busbar"
)

// Codes of problems with a field.
const (
	codeUnknown = "unknown_field"
	codeType    = "type"
)

// Decode checks a text and reads it into a struct: INVALID_JSON when it is not JSON; UNKNOWN_FIELD when it has fields
// that the struct lacks; VALIDATION_FAILED when values are of the wrong type. All problems are listed, unknown fields and
// wrong types together. Fields are found by their json tags, exactly. null is accepted for Optional fields only.
//
// It reads strings, booleans, ints, floats, slices, maps with string keys, structs, Optional and json.RawMessage.
func Decode(text []byte, into any) error {
	if err := Check(text); err != nil {
		return err
	}
	return DecodeChecked(text, into)
}

// DecodeChecked is Decode for a text that went through Check.
func DecodeChecked(text []byte, into any) error {
	var d decoder
	d.value("", text, reflect.ValueOf(into).Elem())
	if len(d.problems) == 0 {
		return nil
	}
	e := &busbar.Error{Code: busbar.CodeValidationFailed, Fields: d.problems}
	first := d.problems[0]
	for _, p := range d.problems {
		if p.Code == codeUnknown {
			e.Code, first = busbar.CodeUnknownField, p
			break
		}
	}
	e.Message = fmt.Sprintf("%s: %s", first.Path, first.Message)
	return e
}

type decoder struct{ problems []busbar.FieldError }

// maxProblems bounds the answer, not the reading.
const maxProblems = 20

func (d *decoder) problem(path, code, format string, args ...any) {
	if len(d.problems) < maxProblems {
		if path == "" {
			path = "body"
		}
		d.problems = append(d.problems, busbar.FieldError{Path: path, Code: code, Message: fmt.Sprintf(format, args...)})
	}
}

func (d *decoder) value(path string, text []byte, into reflect.Value) {
	if o, ok := reflect.TypeAssert[optional](into.Addr()); ok {
		null := KindOf(text) == "null"
		if target := o.set(null); !null {
			d.value(path, text, target)
		}
		return
	}
	if raw, ok := reflect.TypeAssert[*json.RawMessage](into.Addr()); ok {
		*raw = text
		return
	}
	switch kind := into.Kind(); kind {
	case reflect.String:
		if d.is(path, text, "a string") {
			into.SetString(unquote(text))
		}
	case reflect.Bool:
		if d.is(path, text, "a boolean") {
			into.SetBool(text[0] == 't')
		}
	case reflect.Int:
		d.integer(path, text, into)
	case reflect.Float64:
		d.float(path, text, into)
	case reflect.Slice:
		d.slice(path, text, into)
	case reflect.Map:
		d.mapping(path, text, into)
	case reflect.Struct:
		d.object(path, text, into)
	default:
		panic(fmt.Sprintf("strictjson: cannot read into %s", into.Type()))
	}
}

// is reports whether the value is of a kind, and notes the problem when it is not.
func (d *decoder) is(path string, text []byte, want string) bool {
	got := KindOf(text)
	if got != want {
		d.problem(path, codeType, "must be %s, not %s", want, got)
	}
	return got == want
}

func (d *decoder) integer(path string, text []byte, into reflect.Value) {
	if !d.is(path, text, "a number") {
		return
	}
	n, err := strconv.ParseInt(string(text), 10, 0)
	if err != nil {
		d.problem(path, codeType, "must be a whole number")
		return
	}
	into.SetInt(n)
}

func (d *decoder) float(path string, text []byte, into reflect.Value) {
	if !d.is(path, text, "a number") {
		return
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		d.problem(path, codeType, "is outside of what a number can be")
		return
	}
	into.SetFloat(f)
}

func (d *decoder) slice(path string, text []byte, into reflect.Value) {
	if !d.is(path, text, "an array") {
		return
	}
	items := reflect.MakeSlice(into.Type(), 0, 0)
	for item := range Elements(text) {
		v := reflect.New(into.Type().Elem()).Elem()
		d.value(fmt.Sprintf("%s[%d]", path, items.Len()), item, v)
		items = reflect.Append(items, v)
	}
	into.Set(items)
}

func (d *decoder) mapping(path string, text []byte, into reflect.Value) {
	if !d.is(path, text, "an object") {
		return
	}
	m := reflect.MakeMap(into.Type())
	for key, member := range members(text) {
		v := reflect.New(into.Type().Elem()).Elem()
		d.value(Join(path, key), member, v)
		m.SetMapIndex(reflect.ValueOf(key), v)
	}
	into.Set(m)
}

func (d *decoder) object(path string, text []byte, into reflect.Value) {
	if !d.is(path, text, "an object") {
		return
	}
	for key, member := range members(text) {
		if field, ok := fieldOf(into, key); ok {
			d.value(Join(path, key), member, field)
			continue
		}
		d.problem(Join(path, key), codeUnknown, "there is no such field; there are %s", strings.Join(fieldNames(into.Type()), ", "))
	}
}

func fieldOf(of reflect.Value, name string) (reflect.Value, bool) {
	for i := range of.NumField() {
		if of.Type().Field(i).Tag.Get("json") == name {
			return of.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func fieldNames(of reflect.Type) []string {
	names := make([]string, 0, of.NumField())
	for field := range of.Fields() {
		names = append(names, field.Tag.Get("json"))
	}
	return names
}

// Join leads from a path to a member: `state.level`, or `state["the level"]` when the name would be misread.
func Join(path, key string) string {
	switch {
	case !plain(key):
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	default:
		return path + "." + key
	}
}

func plain(key string) bool {
	for _, r := range key {
		if r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return key != ""
}
