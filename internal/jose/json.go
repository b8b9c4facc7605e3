package jose

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// maxDepth is how deep objects and arrays may nest, the outermost counted.
const maxDepth = 16

// member is one member of a JSON object. Both halves are parts of the text that was read.
type member struct {
	name  []byte // without its quotes; names with escapes are refused
	value []byte // as it was sent
}

// scanner reads JSON (RFC 8259) and refuses what decoders disagree about: names that repeat, at any depth, bytes
// after the value, names written with escapes, invalid UTF-8, lone surrogates, depth without end.
type scanner struct {
	text []byte
	at   int
}

// parseObject returns the members of the one object that text is, in order.
func parseObject(text []byte) ([]member, bool) {
	if !utf8.Valid(text) {
		return nil, false
	}
	s := scanner{text: text}
	s.space()
	members, ok := s.object(1)
	s.space()
	return members, ok && s.at == len(text)
}

// space skips white space.
func (s *scanner) space() {
	for s.at < len(s.text) && isSpace(s.text[s.at]) {
		s.at++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// take skips c, with the white space around it, if it is next.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.at >= len(s.text) || s.text[s.at] != c {
		return false
	}
	s.at++
	s.space()
	return true
}

// object reads an object.
func (s *scanner) object(depth int) ([]member, bool) {
	if depth > maxDepth || !s.take('{') {
		return nil, false
	}
	if s.take('}') {
		return nil, true
	}
	members := make([]member, 0, 20)
	for {
		name, ok := s.string()
		if !ok || bytes.IndexByte(name, '\\') >= 0 || find(members, name) >= 0 {
			return nil, false
		}
		if !s.take(':') {
			return nil, false
		}
		from := s.at
		if !s.value(depth + 1) {
			return nil, false
		}
		members = append(members, member{name, s.text[from:s.at]})
		if s.take('}') {
			return members, true
		}
		if !s.take(',') {
			return nil, false
		}
	}
}

// find returns the index of the member with this name, or -1.
func find[T []byte | string](members []member, name T) int {
	for i := range members {
		if string(members[i].name) == string(name) {
			return i
		}
	}
	return -1
}

// array reads an array.
func (s *scanner) array(depth int) bool {
	if depth > maxDepth || !s.take('[') {
		return false
	}
	if s.take(']') {
		return true
	}
	for {
		if !s.value(depth + 1) {
			return false
		}
		if s.take(']') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// value reads any value.
func (s *scanner) value(depth int) bool {
	if s.at >= len(s.text) {
		return false
	}
	ok := true
	switch s.text[s.at] {
	case '{':
		_, ok = s.object(depth)
		s.trim()
	case '[':
		ok = s.array(depth)
		s.trim()
	case '"':
		_, ok = s.string()
	default:
		ok = s.word()
	}
	return ok
}

// trim steps back over white space that take skipped, so that a value ends where it ends.
func (s *scanner) trim() {
	for s.at > 0 && isSpace(s.text[s.at-1]) {
		s.at--
	}
}

// word reads a number, true, false or null.
func (s *scanner) word() bool {
	from := s.at
	for s.at < len(s.text) && s.text[s.at] != ',' && s.text[s.at] != '}' && s.text[s.at] != ']' && !isSpace(s.text[s.at]) {
		s.at++
	}
	return s.at > from && json.Valid(s.text[from:s.at])
}

// string reads a string and returns what is between its quotes.
func (s *scanner) string() ([]byte, bool) {
	if s.at >= len(s.text) || s.text[s.at] != '"' {
		return nil, false
	}
	s.at++
	from := s.at
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return s.text[from : s.at-1], true
		case c == '\\':
			if !s.escape() {
				return nil, false
			}
		case c < ' ':
			return nil, false
		default:
			s.at++
		}
	}
	return nil, false
}

// escape reads one escape, or the two that make a surrogate pair.
func (s *scanner) escape() bool {
	if s.at+1 >= len(s.text) {
		return false
	}
	switch s.text[s.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at += 2
		return true
	}
	first, ok := s.unit()
	if !ok || first >= 0xDC00 && first < 0xE000 {
		return false
	}
	if first < 0xD800 || first >= 0xDC00 {
		return true
	}
	second, ok := s.unit()
	return ok && second >= 0xDC00 && second < 0xE000
}

// unit reads \uXXXX.
func (s *scanner) unit() (uint64, bool) {
	if s.at+6 > len(s.text) || s.text[s.at] != '\\' || s.text[s.at+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.text[s.at+2:s.at+6]), 16, 16)
	s.at += 6
	return n, err == nil
}
