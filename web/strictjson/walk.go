package strictjson

import "iter"

// Elements gives the values of an array that was checked.
func Elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		s := scanner{text: array}
		s.space()
		s.at++ // the bracket
		for s.space(); s.peek() != ']'; s.space() {
			start := s.at
			s.skip()
			if !yield(array[start:s.at]) {
				return
			}
			if s.space(); s.peek() == ',' {
				s.at++
			}
		}
	}
}

// members gives the keys and values of an object that was checked, in their order.
func members(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		s := scanner{text: object}
		s.space()
		s.at++ // the brace
		for s.space(); s.peek() != '}'; s.space() {
			start := s.at
			s.skip()
			key := unquote(object[start:s.at])
			s.space()
			s.at++ // the colon
			s.space()
			start = s.at
			s.skip()
			if !yield(key, object[start:s.at]) {
				return
			}
			if s.space(); s.peek() == ',' {
				s.at++
			}
		}
	}
}

// skip moves behind the value at the position.
func (s *scanner) skip() {
	for depth := 0; s.at < len(s.text); {
		switch s.text[s.at] {
		case '"':
			s.skipString()
		case '{', '[':
			depth++
			s.at++
			continue
		case '}', ']':
			depth--
			s.at++
		case ' ', '\t', '\r', '\n', ',', ':':
			s.at++
			continue
		default:
			s.skipWord()
		}
		if depth == 0 {
			return
		}
	}
}

func (s *scanner) skipString() {
	for s.at++; s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
}

// skipWord moves behind a number, true, false or null.
func (s *scanner) skipWord() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ',', '}', ']', ' ', '\t', '\r', '\n':
			return
		}
		s.at++
	}
}

// KindOf names the kind of a value that was checked, for people: "an object", "null".
func KindOf(value []byte) string {
	s := scanner{text: value}
	s.space()
	switch s.peek() {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}
