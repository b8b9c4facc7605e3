package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/postern-auth/postern/core"
)

// Bounds of a body.
const (
	maxBody  = 128 << 10 // bytes
	maxDepth = 16
)

// fields are the members of a JSON object. Reading one takes it out, so that what is left at the end is what nobody
// asked for.
type fields struct {
	members map[string]json.RawMessage
	errs    []core.FieldError
}

// body is a decoded request body: the object that a call is about, and what stands beside it.
type body struct {
	top     fields // members beside the object
	object  fields // the object under its root
	request core.Request
	expand  []string // parts of the answer that are asked for
	wrapped bool     // JSON:API: the document had a data object
	devices bool     // the request attributes name a device, if only an empty one: the caller keeps them
}

// readBody reads the body of a call about an object that is named root in plain JSON: {"user":{...}}. A missing one is
// like an empty object. It fails with KindMalformed.
func (c *call) readBody(w http.ResponseWriter, root string) (*body, error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, c.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, errTooLarge
	} else if err != nil {
		return nil, errBadRequest
	}
	c.body = &body{}
	if len(text) == 0 {
		return c.body, nil
	}
	if isForm(c.Header.Get("Content-Type")) {
		if text, err = formObject(string(text)); err != nil {
			return nil, err
		}
	} else if c.sent == otherFamily {
		return nil, errMediaType
	}
	if c.body.top.members, err = parseObject(text); err != nil {
		return nil, err
	}
	if c.sent == jsonAPI {
		err = c.body.unwrapDocument()
	} else {
		err = c.body.unwrap(root)
	}
	if err != nil {
		return nil, err
	}
	c.body.readRequest()
	c.body.expand = append(c.body.top.texts("expand"), c.body.object.texts("expand")...) // some clients put all that they are given inside
	return c.body, nil
}

// unwrap takes the object from under its root.
func (b *body) unwrap(root string) error {
	raw, there := b.top.take(root)
	if !there {
		return nil
	}
	if b.object.members = members(raw); b.object.members == nil {
		return errBadRequestWith(fmt.Sprintf("%q must be an object", root))
	}
	return nil
}

// errType says that a JSON:API document is about something else.
var errType = &core.Error{Kind: core.KindConflict, Code: "type_conflict", Detail: `the type of the resource must be "user"`}

// unwrapDocument takes the attributes from a JSON:API document with one user. The type may be left out, as some
// clients do; another is a conflict (JSON:API, "Creating Resources").
func (b *body) unwrapDocument() error {
	b.top.ignore("jsonapi", "links", "meta", "included")
	data, there := b.top.take("data")
	if !there {
		return nil
	}
	b.wrapped = true
	resource := members(data)
	if resource == nil {
		return errBadRequestWith(`"data" must be an object`)
	}
	if raw, there := resource["type"]; there {
		var kind string
		if json.Unmarshal(raw, &kind) != nil || kind != "user" && kind != "users" {
			return errType
		}
	}
	if raw, there := resource["attributes"]; there {
		if b.object.members = members(raw); b.object.members == nil {
			return errBadRequestWith(`"attributes" must be an object`)
		}
	}
	return nil
}

// errBadRequestWith says more of what could not be read.
func errBadRequestWith(more string) *core.Error {
	e := *errBadRequest
	e.Detail += ": " + more
	return &e
}

// readRequest takes the request attributes from beside the object or, as older clients send them, from inside. An
// unreadable one is passed over: it decides nothing.
func (b *body) readRequest() {
	for _, f := range []*fields{&b.object, &b.top} {
		raw, there := f.take("request")
		if !there {
			continue
		}
		sent := fields{members: members(raw)}
		_, named := sent.members["device"]
		b.devices = b.devices || named
		for name, to := range map[string]*string{"client": &b.request.Client, "ip": &b.request.IP, "device": &b.request.Device} {
			if text := sent.text(name); text != nil {
				*to = *text
			}
		}
	}
}

// end returns all complaints about a body, about members among them that nobody took.
func (b *body) end() error {
	errs := append(b.object.rest(), b.top.rest()...)
	if len(errs) == 0 {
		return nil
	}
	return &core.Error{Kind: core.KindInvalid, Code: "validation", Detail: "some attributes are not valid", Fields: errs}
}

// text takes a text. One that is missing or null gives nil.
func (f *fields) text(name string) *string {
	raw, there := f.take(name)
	if !there || string(raw) == "null" {
		return nil
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		f.complain(name, "must be a text")
		return nil
	}
	return &s
}

// optional takes a text where null means to empty it.
func (f *fields) optional(name string) *string {
	if string(f.members[name]) == "null" {
		delete(f.members, name)
		return new(string)
	}
	return f.text(name)
}

// take takes a member as it was sent.
func (f *fields) take(name string) (json.RawMessage, bool) {
	raw, there := f.members[name]
	delete(f.members, name)
	return raw, there
}

// ignore drops members that callers may send and that mean nothing here.
func (f *fields) ignore(names ...string) {
	for _, name := range names {
		delete(f.members, name)
	}
}

// complain notes that an attribute is wrong: "First name must be a text".
func (f *fields) complain(name, what string) {
	label := strings.ReplaceAll(name, "_", " ")
	f.errs = append(f.errs, core.FieldError{Attribute: name, Message: sentence(label) + " " + what})
}

// rest returns all complaints, about members among them that nobody took.
func (f *fields) rest() []core.FieldError {
	for _, name := range slices.Sorted(maps.Keys(f.members)) {
		f.complain(name, "is not an attribute that can be set here")
	}
	return f.errs
}

// errNotJSON says that a body is no JSON at all.
var errNotJSON = errBadRequestWith("it is not valid JSON")

// parseObject reads one strict JSON object: valid UTF-8, no half characters, no name twice at any depth, bounded
// depth, nothing after it. Decoders disagree about each of these. It fails with KindMalformed.
func parseObject(text []byte) (map[string]json.RawMessage, error) {
	switch {
	case !utf8.Valid(text):
		return nil, errBadRequestWith("it is not UTF-8")
	case !json.Valid(text):
		return nil, errNotJSON
	case hasHalfCharacter(text):
		return nil, errBadRequestWith("a text has half of a surrogate pair")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := walk(d, 0); err != nil {
		return nil, err
	}
	object := members(text)
	if object == nil {
		return nil, errBadRequestWith("it is not a JSON object")
	}
	return object, nil
}

// members returns the members of a JSON object, nil where the text is something else.
func members(text []byte) map[string]json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil {
		return nil
	}
	return object
}

// walk reads one value, down to the bottom, and refuses names that are there twice and too much depth.
func walk(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		return errNotJSON
	}
	delim, nested := token.(json.Delim)
	if !nested {
		return nil
	}
	if depth++; depth > maxDepth {
		return errBadRequestWith("it is nested too deep")
	}
	names := map[json.Token]bool{}
	for d.More() {
		if delim == '{' {
			name, err := d.Token()
			if err != nil {
				return errNotJSON
			}
			if names[name] {
				return errBadRequestWith("a name is there twice")
			}
			names[name] = true
		}
		if err := walk(d, depth); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil { // the closing bracket
		return errNotJSON
	}
	return nil
}

// hasHalfCharacter reports whether valid JSON escapes one half of a surrogate pair without the other. Go reads
// U+FFFD there, others something else, so that two names could become one (RFC 8259 §8.2).
func hasHalfCharacter(text []byte) bool {
	for i := 0; i < len(text); i++ {
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
