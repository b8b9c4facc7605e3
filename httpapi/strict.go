package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// parseObject reads one strict JSON object: valid UTF-8, no half characters, no name twice at any depth, bounded
// depth, nothing after it. Decoders disagree about each of these. It fails with KindMalformed.
func parseObject(text []byte) (object, error) {
	switch {
	case !utf8.Valid(text):
		return nil, errBadRequestWith("it is not UTF-8")
	case !json.Valid(text):
		return nil, errNotJSON
	case hasHalfCharacter(text):
		return nil, errBadRequestWith("a text has half of a surrogate pair")
	}
	s := &scan{text: text}
	if s.next() != '{' {
		return nil, errBadRequestWith("it is not a JSON object")
	}
	all := object{}
	if err := s.nested(1, &all); err != nil {
		return nil, err
	}
	return all, nil
}

// members returns the members of a JSON object, which are parts of text, nil where the text is something else. It must be valid
// JSON.
func members(text []byte) object {
	s := &scan{text: text}
	if s.next() != '{' {
		return nil
	}
	all := make(object, 0, usualMembers)
	for s.at++; s.next() != '}'; {
		name := plain(s.quoted())
		s.next()
		s.at++ // the colon
		s.next()
		begin := s.at
		s.pass()
		all = append(all, member{name, text[begin:s.at:s.at]})
		if s.next() == ',' {
			s.at++
		}
	}
	return all
}

// usualMembers is how many members most objects have room for.
const usualMembers = 8

// scan walks through valid JSON, down to the bottom, and refuses names that are there twice and too much depth.
type scan struct {
	text []byte
	at   int
}

// value passes over one value.
func (s *scan) value(depth int) error {
	switch s.next() {
	case '{', '[':
		return s.nested(depth+1, nil)
	case '"':
		s.quoted()
	default:
		s.word()
	}
	return nil
}

// pass passes over one value of which the depths and names have been looked at.
func (s *scan) pass() {
	for depth := 0; ; {
		switch s.text[s.at] {
		case '"':
			s.quoted()
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			depth--
			s.at++
		case ',', ':', ' ', '\t', '\r', '\n':
			s.at++
		default:
			s.word()
		}
		if depth == 0 {
			return
		}
	}
}

// word passes over a number, true, false or null, which ends where something else begins.
func (s *scan) word() {
	for s.at < len(s.text) && strings.IndexByte(",]} \t\r\n", s.text[s.at]) < 0 {
		s.at++
	}
}

// nested passes over an object or an array. members, unless it is nil, gets those of the object.
func (s *scan) nested(depth int, members *object) error {
	if depth > maxDepth {
		return errBadRequestWith("it is nested too deep")
	}
	named := s.text[s.at] == '{'
	var seen names
	for s.at++; ; s.at++ {
		if b := s.next(); b == '}' || b == ']' { // it is empty
			break
		}
		var name []byte
		if named {
			name = plain(s.quoted())
			if !seen.add(name) {
				return errBadRequestWith("a name is there twice")
			}
			s.next()
			s.at++ // the colon
			s.next()
		}
		begin := s.at
		if err := s.value(depth); err != nil {
			return err
		}
		if members != nil {
			*members = append(*members, member{name, s.text[begin:s.at:s.at]})
		}
		if s.next() != ',' {
			break
		}
	}
	s.at++
	return nil
}

// names are those in an object: a list while there are few, as in most.
type names struct {
	few   [manyNames][]byte
	count int
	many  map[string]bool // the others
}

// manyNames is from how many on a list is slower than a map.
const manyNames = 16

// add adds a name, and reports false where it is there already.
func (n *names) add(name []byte) bool {
	for _, other := range n.few[:n.count] {
		if bytes.Equal(other, name) {
			return false
		}
	}
	if n.count < manyNames {
		n.few[n.count] = name
		n.count++
		return true
	}
	if n.many[string(name)] {
		return false
	}
	if n.many == nil {
		n.many = map[string]bool{}
	}
	n.many[string(name)] = true
	return true
}

// next passes over space and returns what comes then.
func (s *scan) next() byte {
	for s.text[s.at] <= ' ' {
		s.at++
	}
	return s.text[s.at]
}

// quoted passes over a text and returns it with its quotes.
func (s *scan) quoted() []byte {
	begin := s.at
	for s.at++; s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			s.at++
		}
	}
	s.at++
	return s.text[begin:s.at]
}

// errNotText says that a value of JSON is something else than a text.
var errNotText = errors.New("not a text")

// unquote returns what a text of valid JSON says. It fails for other values.
func unquote(quoted []byte) (string, error) {
	if quoted[0] != '"' {
		return "", errNotText
	}
	if bytes.IndexByte(quoted, '\\') >= 0 {
		var text string
		err := json.Unmarshal(quoted, &text)
		return text, err
	}
	return string(quoted[1 : len(quoted)-1]), nil
}

// plain is unquote for what json.Valid has seen to be a text. Mostly it is a part of quoted.
func plain(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') >= 0 {
		text, _ := unquote(quoted)
		return []byte(text)
	}
	return quoted[1 : len(quoted)-1]
}

// hasHalfCharacter reports whether valid JSON escapes one half of a surrogate pair without the other. Go reads
// U+FFFD there, others something else, so that two names could become one (RFC 8259 §8.2).
func hasHalfCharacter(text []byte) bool {
	escape := bytes.IndexByte(text, '\\')
	if escape < 0 {
		return false
	}
	for i := escape; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if i++; text[i] != 'u' {
			continue
		}
		first := unit(text[i+1:])
		i += 4
		if !utf16.IsSurrogate(first) {
			continue
		}
		if i+6 >= len(text) || text[i+1] != '\\' || text[i+2] != 'u' || utf16.DecodeRune(first, unit(text[i+3:])) == utf8.RuneError {
			return true
		}
		i += 6
	}
	return false
}

// unit returns the UTF-16 code unit that four hexadecimal digits stand for.
func unit(digits []byte) rune {
	n, _ := strconv.ParseUint(string(digits[:4]), 16, 16) // what is no digit is no surrogate either
	return rune(n)
}
