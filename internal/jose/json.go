package jose

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// maxDepth is how deep objects and arrays may nest, the outermost counted.
const maxDepth = 16

// maxMembers is how many members one object may have: enough for any claims, and a bound on what a token of nothing but
// names costs.
const maxMembers = 256

// member is one member of an object, or one element of an array, which has no name. Its parts are parts of the text
// that was read, but for a name written with escapes.
type member struct {
	name  []byte // what it says, without quotes
	value []byte // as it was sent
}

// scanner reads JSON (RFC 8259) and refuses what decoders disagree about: names that repeat, at any depth, bytes
// after the value, invalid UTF-8, lone surrogates, depth without end.
type scanner struct {
	text    []byte
	at      int
	members []member // of the objects that are being read, the innermost last
}

// parseObject returns the members, in order, of the one object that text is.
func parseObject(text []byte) ([]member, bool) { return parse(text, (*scanner).object) }

// parseArray returns the elements of the one array that text is.
func parseArray(text []byte) ([]member, bool) { return parse(text, (*scanner).array) }

// parse reads the whole of text as one object or array.
func parse(text []byte, read func(s *scanner, depth int) bool) ([]member, bool) {
	if !utf8.Valid(text) {
		return nil, false
	}
	s := scanner{text: text, members: make([]member, 0, 20)}
	s.space()
	ok := read(&s, 1)
	s.space()
	if !ok || s.at < len(text) {
		return nil, false
	}
	return s.members, true
}

// object reads an object and leaves its members at the end of s.members.
func (s *scanner) object(depth int) bool {
	if depth > maxDepth || !s.take('{') {
		return false
	}
	if s.take('}') {
		return true
	}
	first := len(s.members)
	for {
		raw, ok := s.value(depth)
		if !ok {
			return false
		}
		name, ok := unquote(raw)
		if !ok || !s.take(':') {
			return false
		}
		value, ok := s.value(depth)
		if !ok {
			return false
		}
		if len(s.members)-first == maxMembers {
			return false
		}
		s.members = append(s.members, member{name, value})
		if s.take('}') {
			return distinct(s.members[first:])
		}
		if !s.take(',') {
			return false
		}
	}
}

// array reads an array, and leaves its elements at the end of s.members if it is the outermost value.
func (s *scanner) array(depth int) bool {
	if depth > maxDepth || !s.take('[') {
		return false
	}
	if s.take(']') {
		return true
	}
	for {
		value, ok := s.value(depth)
		if !ok {
			return false
		}
		if depth == 1 {
			s.members = append(s.members, member{value: value})
		}
		if s.take(']') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// value reads any value within an object or array of this depth.
func (s *scanner) value(depth int) (raw []byte, ok bool) {
	s.space()
	if s.at >= len(s.text) {
		return nil, false
	}
	from, kept := s.at, len(s.members)
	switch s.text[s.at] {
	case '{':
		ok = s.object(depth + 1)
	case '[':
		ok = s.array(depth + 1)
	case '"':
		ok = s.string()
	case 't':
		ok = s.word("true")
	case 'f':
		ok = s.word("false")
	case 'n':
		ok = s.word("null")
	default:
		ok = s.number()
	}
	s.members = s.members[:kept]
	return s.text[from:s.at], ok
}

// space skips white space.
func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// take skips white space and then c, if it is next.
func (s *scanner) take(c byte) bool {
	s.space()
	return s.skip(c)
}

// skip skips c, if it is next.
func (s *scanner) skip(c byte) bool {
	if s.at >= len(s.text) || s.text[s.at] != c {
		return false
	}
	s.at++
	return true
}

// word reads true, false or null.
func (s *scanner) word(word string) bool {
	if len(s.text)-s.at < len(word) || string(s.text[s.at:s.at+len(word)]) != word {
		return false
	}
	s.at += len(word)
	return true
}

// number reads a number. A zero in front of other digits is left to be refused by whoever expects the next comma.
func (s *scanner) number() bool {
	s.skip('-')
	if !s.skip('0') && !s.digits() {
		return false
	}
	if s.skip('.') && !s.digits() {
		return false
	}
	if s.skip('e') || s.skip('E') {
		_ = s.skip('+') || s.skip('-')
		return s.digits()
	}
	return true
}

// digits reads one digit or more.
func (s *scanner) digits() bool {
	from := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > from
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

// distinct reports whether no name repeats.
func distinct(members []member) bool {
	if len(members) <= 32 { // sorting would cost more
		for i := range members {
			if find(members[:i], members[i].name) >= 0 {
				return false
			}
		}
		return true
	}
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, func(a, b member) int { return bytes.Compare(a.name, b.name) })
	for i := range sorted[1:] {
		if bytes.Equal(sorted[i].name, sorted[i+1].name) {
			return false
		}
	}
	return true
}
