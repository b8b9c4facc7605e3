package jose

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// escapes are the escapes of one character (RFC 8259 §7) with what they stand for.
var escapes = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// string reads a string with its quotes.
func (s *scanner) string() bool {
	for s.at++; s.at < len(s.text); {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return true
		case c == '\\':
			if !s.escape() {
				return false
			}
		case c < ' ':
			return false
		default:
			s.at++
		}
	}
	return false
}

// escape reads one escape, or the two that make a surrogate pair.
func (s *scanner) escape() bool {
	if s.at+1 >= len(s.text) {
		return false
	}
	if escapes[s.text[s.at+1]] != 0 {
		s.at += 2
		return true
	}
	unit, ok := s.unit()
	if !ok || !utf16.IsSurrogate(unit) {
		return ok
	}
	low, ok := s.unit()
	return ok && utf16.DecodeRune(unit, low) != utf8.RuneError // which pairs decode to never
}

// unit reads \uXXXX, one unit of UTF-16.
func (s *scanner) unit() (rune, bool) {
	if s.at+6 > len(s.text) || s.text[s.at] != '\\' || s.text[s.at+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.text[s.at+2:s.at+6]), 16, 16)
	s.at += 6
	return rune(n), err == nil
}

// unquote returns what a string that the scanner has read says, and false for any other value.
func unquote(raw []byte) ([]byte, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, false
	}
	raw = raw[1 : len(raw)-1]
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw, true
	}
	return unescape(raw), true
}

// unescape returns what the inside of a string says that the scanner has read.
func unescape(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	s := scanner{text: raw}
	for s.at < len(raw) {
		switch {
		case raw[s.at] != '\\':
			out = append(out, raw[s.at])
			s.at++
		case raw[s.at+1] != 'u':
			out = append(out, escapes[raw[s.at+1]])
			s.at += 2
		default:
			unit, _ := s.unit()
			if utf16.IsSurrogate(unit) {
				low, _ := s.unit()
				unit = utf16.DecodeRune(unit, low)
			}
			out = utf8.AppendRune(out, unit)
		}
	}
	return out
}
