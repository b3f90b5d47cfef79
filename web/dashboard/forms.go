package dashboard

import (
	"encoding/json"
	"errors"
	"strings"

	"busbar"
)

// jsonField reads JSON that somebody typed. The API reads it again, and more strictly; this says where it is no JSON.
func jsonField(name, text string) (json.RawMessage, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, busbar.Invalid(name, "required", "is missing")
	}
	var v json.RawMessage
	err := json.Unmarshal([]byte(text), &v)
	if err == nil {
		return v, nil
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		before := text[:min(max(syntax.Offset, 0), int64(len(text)))]
		return nil, busbar.Invalid(name, "format", "is not JSON at line %d: %s", 1+strings.Count(before, "\n"), syntax.Error())
	}
	return nil, busbar.Invalid(name, "format", "is not JSON")
}

// lines are what stands on each line, or between commas, without white space around it.
func lines(text string) []string {
	list := []string{}
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == ',' }) {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}
