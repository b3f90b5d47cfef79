package api

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"busbar"
	"busbar/web/strictjson"
)

// problems gathers what is wrong with the fields of a body, so that one answer tells all of it.
type problems struct{ fields []busbar.FieldError }

func (p *problems) add(path, code, format string, args ...any) {
	p.fields = append(p.fields, busbar.FieldError{Path: path, Code: code, Message: fmt.Sprintf(format, args...)})
}

// note keeps the fields of a VALIDATION_FAILED, and gives any other error back.
func (p *problems) note(err error) error {
	var e *busbar.Error
	if errors.As(err, &e) && e.Code == busbar.CodeValidationFailed {
		p.fields = append(p.fields, e.Fields...)
		return nil
	}
	return err
}

// err is one VALIDATION_FAILED about everything that was gathered, nil when there is nothing.
func (p *problems) err() error { return busbar.InvalidFields(p.fields) }

// text notes a text that is too long, or would not be shown as it is.
func (p *problems) text(path, text string, most int) {
	if err := p.note(checkText(path, text, most)); err != nil {
		p.add(path, "invalid", "%v", err)
	}
}

// chosenID notes an id that its owner cannot choose, or cannot choose any more.
func (p *problems) chosenID(given strictjson.Optional[string], fresh bool) {
	switch {
	case given.Given && !fresh:
		p.add("id", "immutable", "cannot be changed")
	case given.Has() && !busbar.ValidID(given.Value):
		p.add("id", "format", "must have 1 to 64 of A-Z, a-z, 0-9, _ and -")
	}
}

// required notes a text that is missing from what is new, or taken away from what is there.
func (p *problems) required(path string, given strictjson.Optional[string], fresh bool) {
	switch {
	case given.Has() && strings.TrimSpace(given.Value) != "":
	case given.Given:
		p.add(path, "required", "must not be empty")
	case fresh:
		p.add(path, "required", "is missing")
	}
}

// notEmpty notes a text that is there and says nothing.
func (p *problems) notEmpty(path string, given strictjson.Optional[string]) {
	if given.Has() && given.Value == "" {
		p.add(path, "format", "must not be empty")
	}
}

// duration reads a Go duration within bounds; zero when there is none.
func (p *problems) duration(path string, given strictjson.Optional[string], least, most time.Duration) time.Duration {
	if !given.Has() {
		return 0
	}
	d, err := time.ParseDuration(given.Value)
	switch {
	case err != nil:
		p.add(path, "format", "must be a Go duration, as 10m")
	case d < least || d > most:
		p.add(path, "out_of_range", "must be from %s to %s", least, most)
	}
	return d
}

// within has an error about the fields of an object say where they are in the body that the object is a part of.
func within(path string, err error) error {
	var e *busbar.Error
	if !errors.As(err, &e) || len(e.Fields) == 0 {
		return err
	}
	moved := *e
	moved.Fields = make([]busbar.FieldError, len(e.Fields))
	for i, f := range e.Fields {
		moved.Fields[i] = f
		if moved.Fields[i].Path = path + "." + f.Path; f.Path == "body" {
			moved.Fields[i].Path = path
		}
	}
	moved.Message = moved.Fields[0].Path + strings.TrimPrefix(e.Message, e.Fields[0].Path)
	return &moved
}
