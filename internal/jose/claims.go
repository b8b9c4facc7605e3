package jose

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
)

// Claims are the members of a JSON object in which no name repeats and nothing else leaves readers to disagree: see
// Parse. Names match byte for byte. The zero Claims has none. Safe for concurrent use.
type Claims struct{ members []member }

// Raw returns a copy of a claim's JSON as it was sent, and false where there is no such claim.
func (c Claims) Raw(name string) (json.RawMessage, bool) {
	raw, ok := c.raw(name)
	return slices.Clone(raw), ok
}

// raw is Raw without the copy.
func (c Claims) raw(name string) ([]byte, bool) {
	if i := find(c.members, name); i >= 0 {
		return c.members[i].value, true
	}
	return nil, false
}

// String returns a claim that is a string, and false for any other.
func (c Claims) String(name string) (string, bool) {
	raw, _ := c.raw(name)
	s, ok := unquote(raw)
	return string(s), ok
}

// Int returns a claim that is a whole number of at most 64 bits, written without fraction or exponent, and false for
// any other. Of the forms that RFC 7519 §2 leaves a NumericDate it is the one that all readers agree about.
func (c Claims) Int(name string) (int64, bool) {
	raw, _ := c.raw(name)
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return 0, false
	}
	return n, true
}

// Seconds returns a claim that is a number of seconds since the epoch, without what it says beyond whole ones (RFC 7519 §2 lets
// others send fractions), and false for any other, one with an exponent among them.
func (c Claims) Seconds(name string) (int64, bool) {
	raw, _ := c.raw(name)
	whole, _, _ := bytes.Cut(raw, []byte("."))
	if bytes.ContainsAny(raw, "eE") {
		return 0, false
	}
	n, err := strconv.ParseInt(string(whole), 10, 64)
	if err != nil {
		return 0, false
	}
	return n, true
}

// Strings returns a claim that is a string or an array of strings, as aud may be either (RFC 7519 §4.1.3), and false
// for any other.
func (c Claims) Strings(name string) ([]string, bool) {
	if s, ok := c.String(name); ok {
		return []string{s}, true
	}
	raw, _ := c.raw(name)
	elements, ok := parseArray(raw)
	if !ok {
		return nil, false
	}
	list := make([]string, 0, len(elements))
	for _, e := range elements {
		s, ok := unquote(e.value)
		if !ok {
			return nil, false
		}
		list = append(list, string(s))
	}
	return list, true
}

// Object returns a claim that is an object, and false for any other.
func (c Claims) Object(name string) (Claims, bool) {
	raw, _ := c.raw(name)
	members, ok := parseObject(raw)
	return Claims{members}, ok
}
