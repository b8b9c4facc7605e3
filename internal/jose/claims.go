package jose

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Claims are the members of a JSON object that had no name twice and nothing else that readers could disagree
// about. The zero Claims has none.
type Claims struct{ members []member }

// Raw returns a claim as it was sent.
func (c Claims) Raw(name string) (json.RawMessage, bool) {
	if i := find(c.members, name); i >= 0 {
		return json.RawMessage(c.members[i].value), true
	}
	return nil, false
}

// String returns a claim that is a string.
func (c Claims) String(name string) (string, bool) {
	raw, _ := c.Raw(name)
	return text(raw)
}

// text decodes a JSON string, which the scanner has read.
func text(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), true
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

// Int returns a claim that is a whole number, written without fraction or exponent, within 64 bits (of RFC 7519
// §2, NumericDate, the form that all agree about).
func (c Claims) Int(name string) (int64, bool) {
	raw, _ := c.Raw(name)
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return n, err == nil
}

// Object returns a claim that is an object.
func (c Claims) Object(name string) (Claims, bool) {
	raw, _ := c.Raw(name)
	members, ok := parseObject(raw)
	return Claims{members}, ok
}
