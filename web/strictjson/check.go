package strictjson

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"busbar"
)

const (
	// MaxDepth is how deep arrays and objects may nest.
	MaxDepth = 100
	// maxNumberBytes and maxExponent keep numbers to what a double can hold: 1e999999 is seven bytes that take a
	// megabyte to calculate with.
	maxNumberBytes = 128
	maxExponent    = 400
	// fewKeys are compared one by one before a set is built to find duplicates.
	fewKeys = 8
)

// Check reports an INVALID_JSON error with its position unless the text is exactly one JSON value (RFC 8259) in valid
// UTF-8, without duplicate keys, without halves of surrogate pairs, not nested deeper than MaxDepth, and with numbers
// that a double can hold.
func Check(text []byte) error {
	s := scanner{text: text}
	s.space()
	if err := s.value(0); err != nil {
		return err
	}
	s.space()
	if s.at < len(text) {
		return s.fail("there is something after the end of the JSON value")
	}
	return nil
}

type scanner struct {
	text []byte
	at   int
}

// fail makes an error about the current position.
func (s *scanner) fail(format string, args ...any) error {
	line, column := 1, 1
	for _, r := range string(s.text[:min(s.at, len(s.text))]) {
		if r == '\n' {
			line, column = line+1, 1
			continue
		}
		column++
	}
	e := busbar.Errorf(busbar.CodeInvalidJSON, "line %d, column %d: %s", line, column, fmt.Sprintf(format, args...))
	e.Details = map[string]any{"line": line, "column": column}
	return e
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// peek is the next byte, zero at the end of the text (and a zero byte is never valid).
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) unexpected(want string) error {
	if s.at >= len(s.text) {
		return s.fail("the JSON ends where %s should be", want)
	}
	r, _ := utf8.DecodeRune(s.text[s.at:])
	return s.fail("%q stands where %s should be", r, want)
}

func (s *scanner) value(depth int) error {
	if depth > MaxDepth {
		return s.fail("it is nested deeper than %d levels", MaxDepth)
	}
	switch c := s.peek(); {
	case c == '{':
		return s.object(depth)
	case c == '[':
		return s.array(depth)
	case c == '"':
		return s.str()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	case c == '-' || (c >= '0' && c <= '9'):
		return s.number()
	default:
		return s.unexpected("a value")
	}
}

func (s *scanner) word(word string) error {
	if len(s.text)-s.at < len(word) || string(s.text[s.at:s.at+len(word)]) != word {
		return s.fail("this is none of true, false and null")
	}
	s.at += len(word)
	return nil
}

func (s *scanner) object(depth int) error {
	s.at++
	s.space()
	if s.peek() == '}' {
		s.at++
		return nil
	}
	var keys keySet
	for {
		start := s.at
		if s.peek() != '"' {
			return s.unexpected("a key in quotes")
		}
		if err := s.str(); err != nil {
			return err
		}
		if key := unquote(s.text[start:s.at]); !keys.add(key) {
			s.at = start
			return s.fail("the key %q is there twice", key)
		}
		s.space()
		if s.peek() != ':' {
			return s.unexpected("a colon")
		}
		s.at++
		s.space()
		if err := s.value(depth + 1); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.at++
			s.space()
		case '}':
			s.at++
			return nil
		default:
			return s.unexpected("a comma or a closing brace")
		}
	}
}

func (s *scanner) array(depth int) error {
	s.at++
	s.space()
	if s.peek() == ']' {
		s.at++
		return nil
	}
	for {
		if err := s.value(depth + 1); err != nil {
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.at++
			s.space()
		case ']':
			s.at++
			return nil
		default:
			return s.unexpected("a comma or a closing bracket")
		}
	}
}

func (s *scanner) str() error {
	s.at++
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return err
			}
		case c < ' ':
			return s.fail("a control character in a string must be escaped")
		case c < utf8.RuneSelf:
			s.at++
		default:
			r, size := utf8.DecodeRune(s.text[s.at:])
			if r == utf8.RuneError && size == 1 {
				return s.fail("this is not valid UTF-8")
			}
			s.at += size
		}
	}
	return s.fail("the JSON ends inside a string")
}

func (s *scanner) escape() error {
	if s.at+1 >= len(s.text) {
		s.at = len(s.text)
		return s.fail("the JSON ends inside a string")
	}
	switch s.text[s.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at += 2
		return nil
	case 'u':
	default:
		return s.fail("this is no escape that JSON has")
	}
	first, ok := s.hex(s.at)
	if !ok {
		return s.fail(`after \u there must be four hexadecimal digits`)
	}
	if !utf16.IsSurrogate(first) {
		s.at += 6
		return nil
	}
	if second, ok := s.hex(s.at + 6); ok && utf16.DecodeRune(first, second) != utf8.RuneError {
		s.at += 12
		return nil
	}
	return s.fail("this is half of a surrogate pair")
}

// hex reads a \uXXXX at a position.
func (s *scanner) hex(at int) (rune, bool) {
	if at+6 > len(s.text) || s.text[at] != '\\' || s.text[at+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.text[at+2:at+6]), 16, 16)
	return rune(n), err == nil
}

func (s *scanner) digits() int {
	start := s.at
	for c := s.peek(); c >= '0' && c <= '9'; c = s.peek() {
		s.at++
	}
	return s.at - start
}

func (s *scanner) number() error {
	start := s.at
	if s.peek() == '-' {
		s.at++
	}
	leading := s.peek()
	switch n := s.digits(); {
	case n == 0:
		return s.unexpected("a digit")
	case n > 1 && leading == '0':
		return s.fail("a number cannot begin with 0")
	}
	if s.peek() == '.' {
		s.at++
		if s.digits() == 0 {
			return s.unexpected("a digit")
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		exponent := s.at
		if s.digits() == 0 {
			return s.unexpected("a digit")
		}
		if n, err := strconv.Atoi(string(s.text[exponent:s.at])); err != nil || n > maxExponent {
			s.at = start
			return s.fail("the number is outside of what can be calculated with")
		}
	}
	if s.at-start > maxNumberBytes {
		s.at = start
		return s.fail("the number has more than %d characters", maxNumberBytes)
	}
	return nil
}

// keySet finds duplicates.
type keySet struct {
	few  []string
	many map[string]struct{}
}

func (k *keySet) add(key string) bool {
	if k.many == nil {
		if slices.Contains(k.few, key) {
			return false
		}
		if k.few = append(k.few, key); len(k.few) <= fewKeys {
			return true
		}
		k.many = make(map[string]struct{}, 4*fewKeys)
		for _, have := range k.few {
			k.many[have] = struct{}{}
		}
		return true
	}
	if _, ok := k.many[key]; ok {
		return false
	}
	k.many[key] = struct{}{}
	return true
}

// unquote reads a string that was checked.
func unquote(quoted []byte) string {
	inner := quoted[1 : len(quoted)-1]
	for _, c := range inner {
		if c != '\\' {
			continue
		}
		var text string
		if err := json.Unmarshal(quoted, &text); err != nil {
			panic(fmt.Sprintf("strictjson: %q was checked and is no string: %v", quoted, err))
		}
		return text
	}
	return string(inner)
}
